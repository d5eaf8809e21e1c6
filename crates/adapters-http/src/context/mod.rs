//! The identity of a request while it is handled: in responses, log lines and metrics.

pub mod base_path;
pub mod trace_parent;

use std::fmt;
use std::rc::Rc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use uuid::Uuid;

use crate::context::base_path::BasePath;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The facts that responses, log lines and metrics have about the request they belong to. Cheap to clone.
#[derive(Clone)]
pub struct RequestContext(Rc<Parts>);

struct Parts {
    id: HeaderValue,
    method: Method,
    uri: Uri,
    trace_id: Option<String>,
    base_path: Option<BasePath>,
}

impl RequestContext {
    /// The context of this request, as a part of this trace. It is below the base path among its extensions.
    pub(crate) fn new(request: &ServiceRequest, trace_id: Option<String>) -> Self {
        Self(Rc::new(Parts {
            id: request_id(request.headers()),
            method: request.method().clone(),
            uri: request.uri().clone(),
            trace_id,
            base_path: request.extensions().get::<BasePath>().cloned(),
        }))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(path: &'static str) -> Self {
        Self(Rc::new(Parts {
            id: HeaderValue::from_static("test"),
            method: Method::GET,
            uri: Uri::from_static(path),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            base_path: None,
        }))
    }

    /// The client's own id if it is a sound one, else one of ours.
    #[must_use]
    pub fn id(&self) -> &str {
        // Visible ASCII, wherever it comes from.
        self.0.id.to_str().unwrap_or_default()
    }

    /// The same as the value of a header.
    pub(crate) fn id_header(&self) -> &HeaderValue {
        &self.0.id
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The path without its query, as it was sent but for the base path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The path in front of every path in the answer.
    pub(crate) fn base_path(&self) -> Option<&BasePath> {
        self.0.base_path.as_ref()
    }

    /// The trace that the request belongs to, if one is recorded.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("id", &self.0.id)
            .field("method", &self.0.method)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

/// 1 to 64 letters, digits, dots, underscores and hyphens are taken over; anything else is replaced.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sound = |id: &&HeaderValue| {
        (1..=64).contains(&id.len())
            && id
                .as_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let given = headers.get(X_REQUEST_ID).filter(is_sound);
    given.cloned().unwrap_or_else(new_request_id)
}

/// An id for a request that brought none.
#[expect(
    clippy::disallowed_methods,
    reason = "a request id is no task id; it carries the time for people who read logs"
)]
fn new_request_id() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    // Hexadecimal digits and hyphens are always fit for a header.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
}
