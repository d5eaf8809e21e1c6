//! The request that is being handled on the current task: what is noted about it on the way, and what is told at its
//! end.

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::call::{Call, Part, time_in};
use super::outcome::known_method;
use super::spans::RequestSpan;
use super::{Observers, Outcome, access_log, milliseconds};
use crate::context::RequestContext;
use crate::context::trace_parent::TraceParent;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

tokio::task_local! {
    static CURRENT: Observed;
}

/// The request whose handling is under way on this task, if there is one.
#[must_use]
pub fn context() -> Option<RequestContext> {
    CURRENT.try_with(|request| request.context.clone()).ok()
}

/// Notes a call that was made for that request.
pub(crate) fn note(call: Call) {
    // Outside of a request the duration of a call is of no use.
    let _ = CURRENT.try_with(|request| request.calls.borrow_mut().push(call));
}

/// Counts a failure of the database that the request has met.
pub(crate) fn database_failed(class: &'static str) {
    let _ = CURRENT.try_with(|request| {
        if let Some(metrics) = &request.observers.metrics {
            metrics.database_failed(class);
        }
    });
}

/// A request that is under way, counted until it is answered or given up by its client.
pub(crate) struct Observed {
    context: RequestContext,
    observers: Arc<Observers>,
    started: Instant,
    calls: RefCell<Vec<Call>>,
    span: Option<Box<dyn RequestSpan>>,
}

impl Observed {
    pub(crate) fn begin(request: &ServiceRequest, observers: Arc<Observers>) -> Self {
        if let Some(metrics) = &observers.metrics {
            metrics.request_begins();
        }
        let trace_parent = TraceParent::of(request.headers());
        let span = observers.spans.as_ref();
        let span = span.map(|spans| spans.begin(trace_parent.as_ref()));
        let trace_id = span.as_ref().map(|span| span.trace_id());
        let trace_id = trace_id.or(trace_parent.map(|parent| parent.trace_id));
        Self {
            context: RequestContext::new(request, trace_id),
            observers,
            started: Instant::now(),
            calls: RefCell::default(),
            span,
        }
    }

    pub(crate) fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Does something for this request, and then tells how it ended. What is logged meanwhile names the request.
    pub(crate) fn scope<T>(
        self,
        handling: impl Future<Output = T>,
        end: impl FnOnce(&Self, &mut T),
    ) -> impl Future<Output = T> {
        CURRENT.scope(self, async {
            let mut outcome = handling.await;
            CURRENT.with(|request| end(request, &mut outcome));
            outcome
        })
    }

    /// The request was answered, with the problem of this code if it is one.
    pub(crate) fn answered<B: MessageBody>(
        &self,
        response: &mut ServiceResponse<B>,
        code: Option<&'static str>,
    ) {
        let took = self.started.elapsed();
        if self.observers.server_timing {
            add_server_timing(response.headers_mut(), &self.calls.borrow(), took);
        }
        let route = || response.request().match_pattern();
        self.tell(response.status(), code, took, route);
    }

    /// The handling was cut short, and the request with it: by a panic or for taking too long.
    pub(crate) fn cut_short(&self, status: StatusCode, code: &'static str) {
        self.tell(status, Some(code), self.started.elapsed(), || None);
    }

    fn tell(
        &self,
        status: StatusCode,
        code: Option<&'static str>,
        took: Duration,
        route: impl FnOnce() -> Option<String>,
    ) {
        let observers = &*self.observers;
        let is_logged = observers.access_log.wants(status);
        if !is_logged && self.span.is_none() && observers.metrics.is_none() {
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
            access_log::log(observers.access_log, &outcome, &self.context);
        }
        if let Some(span) = &self.span {
            span.end(&self.context, &outcome, &self.calls.borrow());
        }
        if let Some(metrics) = &observers.metrics {
            metrics.request_ended(outcome);
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(metrics) = &self.observers.metrics {
            metrics.request_is_gone();
        }
    }
}

/// `Server-Timing` (W3C): how long the token, the database and the whole took, in milliseconds.
fn add_server_timing(headers: &mut HeaderMap, calls: &[Call], total: Duration) {
    let mut text = String::new();
    for part in [Part::Authentication, Part::Database] {
        if let Some(took) = time_in(part, calls) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{};dur={:.3}, ", part.as_str(), milliseconds(took));
        }
    }
    let _ = write!(text, "total;dur={:.3}", milliseconds(total));
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(SERVER_TIMING, value);
    }
}
