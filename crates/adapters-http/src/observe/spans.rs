//! The recorder of the spans of requests, for those who want some.

use super::Outcome;
use super::call::Call;
use crate::context::RequestContext;
use crate::context::trace_parent::TraceParent;

/// Makes spans of requests, and sends them.
pub trait Spans: Send + Sync {
    /// Begins the span of a request, below that of its caller if it names one.
    fn begin(&self, parent: Option<&TraceParent>) -> Box<dyn RequestSpan>;

    /// Sends what is left. Blocks, but not for long.
    fn flush(&self);
}

/// The span of a request that is under way.
pub trait RequestSpan {
    /// 32 lower-case hexadecimal digits.
    fn trace_id(&self) -> String;

    /// Ends it, and those of the calls that were made for the request.
    fn end(&self, request: &RequestContext, outcome: &Outcome, calls: &[Call]);
}

/// Where spans go, and what they call this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// The start of its URL: `http://localhost:4318`.
    pub endpoint: String,
    /// Our name in its traces.
    pub service_name: String,
}
