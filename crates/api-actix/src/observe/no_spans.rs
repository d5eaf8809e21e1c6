//! Without the feature `otel` nobody can be told about spans: these types have no values, and what asks for them costs
//! nothing.

use super::Outcome;
use super::traced::Call;
use crate::config::Collector;
use crate::config::ConfigError;
use crate::context::RequestContext;
use crate::context::trace_parent::TraceParent;

/// Nobody.
#[derive(Clone)]
pub enum Spans {}

pub(crate) enum RequestSpan {}

impl RequestSpan {
    pub(crate) fn trace_id(&self) -> String {
        match *self {}
    }
}

impl Spans {
    /// Says in the log that the collector will wait in vain.
    ///
    /// # Errors
    /// None.
    pub fn start(_: &Collector, _database: &'static str) -> Result<Option<Self>, ConfigError> {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this binary was built without the feature otel: no spans are sent"
        );
        Ok(None)
    }

    /// Never called.
    pub fn flush(&self) {
        match *self {}
    }

    pub(crate) fn begin(&self, _: Option<&TraceParent>) -> RequestSpan {
        match *self {}
    }

    pub(crate) fn end(&self, _: &RequestSpan, _: &RequestContext, _: &Outcome, _: &[Call]) {
        match *self {}
    }
}
