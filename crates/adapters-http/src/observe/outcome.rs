//! The facts about a request once it is answered.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};

/// The facts about a request once it is answered.
pub struct Outcome {
    /// The method, or `_OTHER`.
    pub method: &'static str,
    /// The template of the path, such as `/api/tasks/{task_id}`; none if there is no such path.
    pub route: Option<String>,
    /// The status.
    pub status: StatusCode,
    /// The code of the problem, if it is one.
    pub code: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The type of the error, as the semantic conventions call it: only failures on our side have one.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        let is_ours = self.status.is_server_error();
        is_ours.then(|| self.code.unwrap_or("internal_error"))
    }
}

/// The method, if it is one that the semantic conventions know: callers must not make up labels.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// In milliseconds, to the microsecond.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
