//! What is recorded about requests: figures, timings for the caller, spans, and lines in the log.
//!
//! The edge begins and ends the observation of each request; what is switched off costs nothing.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`settings`] | what an operator decides about it |
//! | [`metrics`] | the figures about requests, and the text of all figures for Prometheus |
//! | [`snapshot`], `process` | the figures that are looked up when somebody asks |
//! | [`traced`] | the ports that note how long they took |
//! | `trace_context` | the trace that a caller says a request belongs to |
//! | [`access_log`] | a line for requests |
//! | [`spans`] | the spans of a request, for a collector (feature `otel`) |

pub mod access_log;
pub mod metrics;
mod process;
pub mod snapshot;
#[cfg_attr(not(feature = "otel"), path = "no_spans.rs")]
pub mod spans;
mod text;
pub mod traced;

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};

use crate::config::{ConfigError, ObserveConfig};
use crate::context::RequestContext;
use crate::problem::Code;
use access_log::AccessLog;
use metrics::Metrics;
use spans::Spans;
use traced::Part;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

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
    pub spans: Option<Spans>,
}

impl Observers {
    /// Those that an operator wants, for requests that use this kind of database.
    ///
    /// # Errors
    /// The collector has no usable address.
    pub fn new(config: &ObserveConfig, database: &'static str) -> Result<Self, ConfigError> {
        let spans = config.collector.as_ref();
        let spans = spans.map(|collector| Spans::start(collector, database));
        Ok(Self {
            metrics: config
                .admin_address
                .as_ref()
                .map(|_| Arc::new(Metrics::default())),
            access_log: config.access_log.clone(),
            server_timing: config.server_timing,
            spans: spans.transpose()?.flatten(),
        })
    }

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

/// A request that is under way, counted until it is answered or given up by its client.
pub(crate) struct UnderWay<'a> {
    context: &'a RequestContext,
    started: Instant,
}

/// What is known about a request once it is answered.
pub(crate) struct Outcome {
    pub(crate) method: &'static str,
    /// The template of the path, such as `/api/tasks/{task_id}`; none if there is no such path.
    pub(crate) route: Option<String>,
    pub(crate) status: StatusCode,
    /// The code of the problem, if it is one.
    pub(crate) code: Option<Code>,
    pub(crate) took: Duration,
}

impl Outcome {
    /// What the semantic conventions call the type of the error: only failures on our side have one.
    pub(crate) fn error_type(&self) -> Option<&'static str> {
        let is_ours = self.status.is_server_error();
        is_ours.then(|| self.code.unwrap_or(Code::InternalError).as_str())
    }
}

impl<'a> UnderWay<'a> {
    pub(crate) fn new(context: &'a RequestContext) -> Self {
        if let Some(metrics) = context.metrics() {
            metrics.request_begins();
        }
        Self {
            context,
            started: Instant::now(),
        }
    }

    /// The request was answered.
    pub(crate) fn answered<B: MessageBody>(self, response: &mut ServiceResponse<B>) {
        let Some(observers) = self.context.observers() else {
            return;
        };
        let took = self.started.elapsed();
        if observers.server_timing {
            add_server_timing(response.headers_mut(), self.context, took);
        }
        let code = response.response().extensions().get::<Code>().copied();
        let route = || response.request().match_pattern();
        self.tell(observers, response.status(), code, took, route);
    }

    /// The handling was cut short, and the request with it: by a panic or for taking too long.
    pub(crate) fn cut_short(self, code: Code) {
        if let Some(observers) = self.context.observers() {
            let took = self.started.elapsed();
            self.tell(observers, code.status(), Some(code), took, || None);
        }
    }

    fn tell(
        &self,
        observers: &Observers,
        status: StatusCode,
        code: Option<Code>,
        took: Duration,
        route: impl FnOnce() -> Option<String>,
    ) {
        let is_logged = observers.access_log.wants(status);
        if !is_logged && observers.spans.is_none() && observers.metrics.is_none() {
            return;
        }
        let outcome = Outcome {
            method: known_method(self.context.method()),
            route: route(),
            status,
            code,
            took,
        };
        if is_logged {
            access_log::log(&outcome, self.context);
        }
        self.context.end_span(&outcome);
        if let Some(metrics) = &observers.metrics {
            metrics.request_ended(outcome);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.context.metrics() {
            metrics.request_is_gone();
        }
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

/// `Server-Timing` (W3C): how long the token, the database and the whole took, in milliseconds.
fn add_server_timing(headers: &mut HeaderMap, context: &RequestContext, total: Duration) {
    let mut text = String::new();
    for part in [Part::Authentication, Part::Database] {
        if let Some(took) = context.time_in(part) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{};dur={:.3}, ", part.as_str(), milliseconds(took));
        }
    }
    let _ = write!(text, "total;dur={:.3}", milliseconds(total));
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(SERVER_TIMING, value);
    }
}

/// In milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
