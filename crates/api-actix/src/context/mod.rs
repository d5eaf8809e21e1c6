//! What is known about a request while it is handled, for answers, log lines and figures.

pub(crate) mod trace_parent;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::web;

use crate::app::App;
use crate::context::trace_parent::TraceParent;
use crate::observe::metrics::Metrics;
use crate::observe::spans::RequestSpan;
use crate::observe::traced::{Call, Part, time_in};
use crate::observe::{Observers, Outcome};
use crate::system;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: RequestContext;
}

/// What answers, log lines and figures say about the request they belong to. Cheap to clone.
#[derive(Clone)]
pub struct RequestContext(Rc<Parts>);

struct Parts {
    id: HeaderValue,
    method: Method,
    uri: Uri,
    trace_id: Option<String>,
    app: Option<web::Data<App>>,
    calls: RefCell<Vec<Call>>,
    span: Option<RequestSpan>,
}

impl RequestContext {
    pub(crate) fn of(request: &ServiceRequest) -> Self {
        let app = App::of(request.request()).cloned();
        let trace_parent = TraceParent::of(request.headers());
        let spans = app.as_ref().and_then(|app| app.observers.spans.as_ref());
        let span = spans.map(|spans| spans.begin(trace_parent.as_ref()));
        let trace_id = span.as_ref().map(RequestSpan::trace_id);
        Self(Rc::new(Parts {
            id: request_id(request.headers()),
            method: request.method().clone(),
            uri: request.uri().clone(),
            trace_id: trace_id.or(trace_parent.map(|parent| parent.trace_id)),
            app,
            calls: RefCell::default(),
            span,
        }))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(path: &str) -> Self {
        Self(Rc::new(Parts {
            id: HeaderValue::from_static("test"),
            method: Method::GET,
            uri: path.parse().unwrap(),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
            app: None,
            calls: RefCell::default(),
            span: None,
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

    /// The path without its query, as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The trace that the request belongs to, if somebody records one.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }

    /// Who is told about the request.
    pub(crate) fn observers(&self) -> Option<&Observers> {
        self.0.app.as_ref().map(|app| &app.observers)
    }

    /// The figures, if somebody may ask for them.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.observers()?.metrics.as_deref()
    }

    /// Notes a call that was made for the request.
    pub(crate) fn note(&self, call: Call) {
        self.0.calls.borrow_mut().push(call);
    }

    /// How long calls of this part were under way; `None` if there were none.
    pub(crate) fn time_in(&self, part: Part) -> Option<Duration> {
        time_in(part, &self.0.calls.borrow())
    }

    /// Does something for this request: what is logged meanwhile names it.
    pub(crate) fn scope<F: Future>(&self, handling: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.clone(), handling)
    }

    /// The request whose handling is under way on this task, if there is one.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Ends the span of the request, if it has one.
    pub(crate) fn end_span(&self, outcome: &Outcome) {
        let spans = self.observers().and_then(|observers| observers.spans.as_ref());
        if let Some((spans, span)) = spans.zip(self.0.span.as_ref()) {
            spans.end(span, self, outcome, &self.0.calls.borrow());
        }
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
    given.cloned().unwrap_or_else(system::new_request_id)
}
