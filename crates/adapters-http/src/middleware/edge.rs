//! The outermost middleware: what every request gets and every response carries, whatever happens in between.
//!
//! A request id, the problem document of every error, security and cache headers; and the observation of it all.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};

use crate::context::RequestContext;
use crate::context::base_path::BasePath;
use crate::etag;
use crate::middleware::compression::coding_for;
use crate::middleware::framing;
use crate::middleware::last_resort::Unanswered;
use crate::middleware::outgoing::outgoing;
use crate::observe::current::{self, Observed};
use crate::policy::origins;
use crate::policy::rate_limit::Standing;
use crate::problem::common_headers::with_common_headers;
use crate::problem::{Code, Problem};
use crate::routes::docs;
use crate::state::App;

/// Wraps the whole application.
///
/// # Errors
/// Errors that render themselves, passed on.
pub(crate) async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    note_base_path(&mut request);
    let observers = App::of(request.request()).map(|app| Arc::clone(&app.observers));
    let observed = Observed::begin(&request, observers.unwrap_or_default());
    let context = observed.context().clone();
    let answering = async {
        let sound = framing::check(&request).and_then(|()| {
            let policy = App::of(request.request()).map(|app| &app.policy);
            let setting = policy.and_then(|policy| policy.origins_setting);
            origins::check(&request, policy.map(|policy| &policy.allowed_origins), setting)
        });
        if let Err(problem) = sound {
            tell_incident(&problem, &context);
            return Ok(request.into_response(with_common_headers(problem.render(&context), &context)));
        }
        hide_preflight_without_origin(&mut request);
        request.extensions_mut().insert(context.clone());
        Ok(finished(next.call(request).await?, &context))
    };
    observed.scope(answering, end).await
}

/// The path in front of every path in the answer: that of the policy, which is taken off the request, or the one that a
/// trusted proxy has taken off.
fn note_base_path(request: &mut ServiceRequest) {
    let Some(policy) = App::of(request.request()).map(|app| &app.policy) else {
        return;
    };
    let base_path = if let Some(base_path) = policy.base_path.clone() {
        base_path.take_off(request);
        Some(base_path)
    } else {
        let peer = request.peer_addr().map(|peer| peer.ip());
        peer.filter(|peer| policy.trusted_proxies.contains(*peer))
            .and_then(|_| BasePath::of_proxy(request.headers()))
    };
    if let Some(base_path) = base_path {
        request.extensions_mut().insert(base_path);
    }
}

/// Tells what became of a request.
fn end(request: &Observed, outcome: &mut Result<ServiceResponse<BoxBody>, Error>) {
    match outcome {
        Ok(answer) => {
            let code = answer.response().extensions().get::<Code>().copied();
            request.answered(answer, code.map(Code::as_str));
            framing::note_end(answer);
        }
        Err(error) => {
            let unanswered = error.as_error::<Unanswered>();
            let code = match unanswered.map(Unanswered::problem) {
                Some(problem) => {
                    tell_incident(problem, request.context());
                    problem.code()
                }
                None => code_of(error.as_response_error().status_code()),
            };
            request.cut_short(code.status(), code.as_str());
        }
    }
}

/// The cause of a failure on our side goes to the audit log, under the id that the client has.
fn tell_incident(problem: &Problem, context: &RequestContext) {
    if let Some(incident) = problem.incident() {
        incident.log(context);
        if let Some(class) = incident.class_of_storage() {
            current::database_failed(class);
        }
    }
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
        let mut answer = outgoing(&request, response, coding);
        if coding != ContentEncoding::Identity {
            etag::weaken(answer.headers_mut());
        }
        answer
    };
    if let Some(standing) = standing {
        standing.add_to(answer.headers_mut());
    }
    if docs::is_below(request.path()) {
        origins::take_from(answer.headers_mut());
    }
    if let Some(base_path) = context.base_path() {
        base_path.put_before(answer.headers_mut());
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
        Some(problem) => {
            tell_incident(problem, context);
            problem.render(context)
        }
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
}
