//! Who is told about requests.

use std::sync::Arc;

use super::access_log::AccessLog;
use super::metrics::Metrics;
use super::spans::Spans;

/// Who is told about the requests of this process. By default: the log, about those that failed on our side.
#[derive(Clone, Default)]
pub struct Observers {
    /// The metrics, if they may be asked for.
    pub metrics: Option<Arc<Metrics>>,
    /// Which requests are logged.
    pub access_log: AccessLog,
    /// Whether callers are told how long the parts of their requests took.
    pub server_timing: bool,
    /// Where spans go.
    pub spans: Option<Arc<dyn Spans>>,
}

impl Observers {
    /// Whether the durations of the calls of a request are wanted.
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
