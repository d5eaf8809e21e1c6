//! What is recorded about requests: figures, timings for the caller, spans, and lines in the log.
//!
//! The edge begins and ends the observation of each request; what is switched off costs nothing.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`metrics`] | the figures about requests, and the text of all figures for Prometheus |
//! | [`snapshot`], `process` | the figures that are looked up when somebody asks |
//! | [`current`] | the request that is being handled: its calls, its span, its end |
//! | [`traced`] | the ports that note how long they took |
//! | [`access_log`] | a line for requests |
//! | [`spans`] | what records the spans of a request; `otel` sends them to a collector (feature `otel`) |

pub mod access_log;
pub mod current;
pub mod metrics;
#[cfg(feature = "otel")]
pub mod otel;
mod process;
pub mod snapshot;
pub mod spans;
pub mod traced;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use access_log::AccessLog;
use metrics::Metrics;
use spans::Spans;

/// Who is told about the requests of this process. By default: the log, about those that failed on our side.
#[derive(Clone, Default)]
pub struct Observers {
    /// The figures, if somebody may ask for them.
    pub metrics: Option<Arc<Metrics>>,
    /// Which requests are logged.
    pub access_log: AccessLog,
    /// Whether callers are told how long the parts of their requests took.
    pub server_timing: bool,
    /// Where spans go.
    pub spans: Option<Arc<dyn Spans>>,
}

impl Observers {
    /// Whether somebody wants to know how long the calls of a request took.
    #[must_use]
    pub fn want_calls(&self) -> bool {
        self.spans.is_some() || self.server_timing
    }

    /// Sends what was recorded and is not sent yet.
    pub async fn flush(&self) {
        if let Some(spans) = self.spans.clone() {
            // A panic in there would be no reason for another one.
            let _ = tokio::task::spawn_blocking(move || spans.flush()).await;
        }
    }
}

/// What is known about a request once it is answered.
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
    /// What the semantic conventions call the type of the error: only failures on our side have one.
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

/// What a panic says.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned())
}
