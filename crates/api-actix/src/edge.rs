//! The outermost middleware: what every request gets and every answer carries, whatever happens in between.
//!
//! A request id, a time limit, a 500 instead of a panic, the problem document of every error, security and cache
//! headers.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::problem::{Code, Problem};
use crate::system;

/// The last net under every request: nothing on our side may take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(12);

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers and log lines say about the request they belong to.
#[derive(Debug, Clone)]
pub struct RequestContext {
    id: String,
    method: Method,
    path: String,
}

impl RequestContext {
    fn of(request: &ServiceRequest) -> Self {
        Self {
            id: request_id(request.headers()),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(path: &str) -> Self {
        Self {
            id: "test".to_owned(),
            method: Method::GET,
            path: path.to_owned(),
        }
    }

    /// The client's own id if it is a sound one, else one of ours.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path without its query, as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// 1 to 64 letters, digits, dots, underscores and hyphens are taken over; anything else is replaced.
fn request_id(headers: &HeaderMap) -> String {
    let is_sound = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let given = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(is_sound);
    given.map_or_else(system::new_request_id, str::to_owned)
}

/// Wraps the whole application.
///
/// # Errors
/// A request whose handling panicked or took too long leaves nothing behind to answer it with but an error; it
/// renders itself.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let context = RequestContext::of(&request);
    request.extensions_mut().insert(context.clone());
    // Inside an async block, so that a panic before the first await is caught too.
    let handling = AssertUnwindSafe(async { next.call(request).await }).catch_unwind();
    let problem = match timeout(REQUEST_TIMEOUT, handling).await {
        Ok(Ok(Ok(response))) => return Ok(finished(response, &context)),
        Ok(Ok(Err(error))) => problem_of(&error),
        Ok(Err(panic)) => Problem::of_panic(message_of(panic.as_ref())),
        Err(_) => Problem::new(Code::Timeout),
    };
    Err(Unanswered { problem, context }.into())
}

fn finished<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    context: &RequestContext,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        let mut response = response.map_into_boxed_body();
        add_common_headers(response.headers_mut(), status, context);
        return response;
    }
    let (request, response) = response.into_parts();
    let answer = match response.error().and_then(|error| error.as_error::<Problem>()) {
        Some(problem) => problem.render(context),
        None => problem_of_bare(&response).render(context),
    };
    ServiceResponse::new(request, with_common_headers(answer, context))
}

/// An error of the framework itself, which knows nothing of problem documents.
fn problem_of_bare<B>(response: &HttpResponse<B>) -> Problem {
    let mut problem = Problem::new(code_of(response.status()));
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem = problem.with_header(header::ALLOW, allow.clone());
    }
    problem
}

fn problem_of(error: &Error) -> Problem {
    Problem::new(code_of(error.as_response_error().status_code()))
}

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

fn with_common_headers(mut answer: HttpResponse, context: &RequestContext) -> HttpResponse {
    let status = answer.status();
    add_common_headers(answer.headers_mut(), status, context);
    answer
}

fn add_common_headers(headers: &mut HeaderMap, status: StatusCode, context: &RequestContext) {
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        let is_own_data = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let rule = if is_own_data {
            "private, no-cache"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned())
}

/// A problem together with the request that it answers.
#[derive(Debug)]
struct Unanswered {
    problem: Problem,
    context: RequestContext,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.problem.code().status()
    }

    fn error_response(&self) -> HttpResponse {
        with_common_headers(self.problem.render(&self.context), &self.context)
    }
}
