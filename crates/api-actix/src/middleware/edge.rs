//! The outermost middleware: what every request gets and every answer carries, whatever happens in between.
//!
//! A request id, the problem document of every error, security and cache headers; and the observation of it all.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentEncoding, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};

use crate::app::App;
use crate::context::{RequestContext, X_REQUEST_ID};
use crate::middleware::compression::coding_for;
use crate::middleware::framing;
use crate::middleware::last_resort::Unanswered;
use crate::middleware::outgoing::outgoing;
use crate::observe::UnderWay;
use crate::policy::origins;
use crate::policy::rate_limit::Standing;
use crate::problem::{Code, Problem};
use crate::routes::docs;

/// Wraps the whole application.
///
/// # Errors
/// Errors that render themselves, passed on.
pub(crate) async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let context = RequestContext::of(&request);
    let under_way = UnderWay::new(&context);
    let answering = async {
        let sound = framing::check(&request).and_then(|()| origins::check(&request));
        if let Err(problem) = sound {
            return Ok(request.into_response(with_common_headers(problem.render(&context), &context)));
        }
        hide_preflight_without_origin(&mut request);
        request.extensions_mut().insert(context.clone());
        Ok(finished(next.call(request).await?, &context))
    };
    let mut outcome = context.scope(answering).await;
    match &mut outcome {
        Ok(answer) => {
            under_way.answered(answer);
            framing::note_end(answer);
        }
        Err(error) => under_way.cut_short(code_of_error(error)),
    }
    outcome
}

/// The CORS middleware takes every OPTIONS with this header for a preflight, which needs no token; without an origin it
/// is none.
fn hide_preflight_without_origin(request: &mut ServiceRequest) {
    if *request.method() == Method::OPTIONS && !request.headers().contains_key(header::ORIGIN) {
        request
            .headers_mut()
            .remove(header::ACCESS_CONTROL_REQUEST_METHOD);
    }
}

/// The code of an error that renders itself.
fn code_of_error(error: &Error) -> Code {
    match error.as_error::<Unanswered>() {
        Some(unanswered) => unanswered.code(),
        None => code_of(error.as_response_error().status_code()),
    }
}

fn finished<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    context: &RequestContext,
) -> ServiceResponse<BoxBody> {
    let standing = response.request().extensions().get::<Standing>().cloned();
    let (request, response) = response.into_parts();
    let mut answer = if response.status().is_client_error() || response.status().is_server_error() {
        outgoing(
            &request,
            answer_to_error(&response, context),
            ContentEncoding::Identity,
        )
    } else {
        let coding = coding_for(&request, &response);
        outgoing(&request, response, coding)
    };
    if let Some(standing) = standing {
        standing.add_to(answer.headers_mut());
    }
    if docs::is_below(request.path()) {
        origins::take_from(answer.headers_mut());
    }
    // actix would confirm an upgrade that does not happen; when the server stops, the next request should find another.
    if framing::wants_upgrade(&request) || is_shutting_down(&request) {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    framing::end_without_chunks(&request, &mut answer);
    ServiceResponse::new(request, with_common_headers(answer, context))
}

fn is_shutting_down(request: &HttpRequest) -> bool {
    App::of(request).is_some_and(|app| app.lifecycle.is_shutting_down())
}

/// Renders the problem, or what OPTIONS asks for, keeping the headers that the middlewares in between have added to the
/// bare error.
fn answer_to_error<B>(response: &HttpResponse<B>, context: &RequestContext) -> HttpResponse {
    let allow = response.headers().get(header::ALLOW);
    let is_allow_wanted =
        *context.method() == Method::OPTIONS && response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let mut answer = match response.error().and_then(|error| error.as_error::<Problem>()) {
        _ if is_allow_wanted => HttpResponse::NoContent()
            .insert_header((header::ALLOW, allowed(allow)))
            .finish(),
        Some(problem) => problem.render(context),
        None => Problem::new(code_of(response.status())).render(context),
    };
    let own: Vec<_> = answer.headers().keys().cloned().collect();
    for (name, value) in response.headers() {
        if !own.contains(name) && name != header::CONTENT_ENCODING {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    answer
}

/// Every answer depends on these; some depend on more, and say so already.
fn add_to_vary(headers: &mut HeaderMap) {
    let mut given = headers.get_all(header::VARY);
    let value = match (given.next(), given.next()) {
        (None, _) => HeaderValue::from_static(VARY),
        (Some(value), None) if value == origins::VARY => HeaderValue::from_static(VARY_WITH_CORS),
        _ => match HeaderValue::try_from(vary_with(headers.get_all(header::VARY))) {
            Ok(value) => value,
            // Names of headers are fit for one.
            Err(_) => return,
        },
    };
    headers.insert(header::VARY, value);
}

const VARY: &str = "Origin, Accept-Encoding";
/// That with [`origins::VARY`]: it need not be put together for each answer.
const VARY_WITH_CORS: &str =
    "Origin, Accept-Encoding, Access-Control-Request-Method, Access-Control-Request-Headers";

fn vary_with<'a>(given: impl Iterator<Item = &'a HeaderValue>) -> String {
    let mut text = VARY.to_owned();
    let given = given.filter_map(|value| value.to_str().ok());
    for name in given.flat_map(|value| value.split(',')).map(str::trim) {
        let is_known = text.split(", ").any(|known| known.eq_ignore_ascii_case(name));
        if !name.is_empty() && !is_known {
            text.push_str(", ");
            text.push_str(name);
        }
    }
    text
}

/// The methods that a resource takes; OPTIONS is one of them.
fn allowed(allow: Option<&HeaderValue>) -> String {
    match allow.and_then(|value| value.to_str().ok()) {
        Some(methods) => format!("{methods}, OPTIONS"),
        None => "OPTIONS".to_owned(),
    }
}

/// The code of an error of the framework itself, which knows nothing of problem documents.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::RouteNotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::HeaderInvalid,
        _ => Code::InternalError,
    }
}

pub(crate) fn with_common_headers(mut answer: HttpResponse, context: &RequestContext) -> HttpResponse {
    let status = answer.status();
    let headers = answer.headers_mut();
    headers.insert(X_REQUEST_ID, context.id_header().clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    add_to_vary(headers);
    if !headers.contains_key(header::CACHE_CONTROL) {
        let is_own_data = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let rule = if is_own_data {
            "private, no-cache"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    }
    answer
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn values(answer: &HttpResponse, name: HeaderName) -> Vec<&str> {
        let values = answer.headers().get_all(name);
        values.map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn a_repeated_header_of_an_error_stays_repeated_and_none_of_the_problem_is_replaced() {
        let mut bare = HttpResponse::new(StatusCode::NOT_FOUND);
        for value in ["one", "two"] {
            bare.headers_mut()
                .append(header::WARNING, HeaderValue::from_static(value));
        }
        bare.headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let answer = answer_to_error(&bare, &RequestContext::for_tests("/"));
        assert_eq!(values(&answer, header::WARNING), ["one", "two"]);
        assert_eq!(
            values(&answer, header::CONTENT_TYPE),
            ["application/problem+json"]
        );
    }

    #[test]
    fn what_an_answer_depends_on_is_added_to_and_never_replaced() {
        let mut answer = HttpResponse::new(StatusCode::OK);
        for value in ["accept-encoding, Accept", "Origin, X-Other"] {
            answer
                .headers_mut()
                .append(header::VARY, HeaderValue::from_static(value));
        }
        let answer = with_common_headers(answer, &RequestContext::for_tests("/"));
        assert_eq!(
            values(&answer, header::VARY),
            ["Origin, Accept-Encoding, Accept, X-Other"]
        );
    }

    #[test]
    fn what_answers_with_cors_depend_on_is_written_once_as_it_would_be_put_together() {
        let given = HeaderValue::from_static(origins::VARY);
        assert_eq!(vary_with([&given].into_iter()), VARY_WITH_CORS);
    }
}
