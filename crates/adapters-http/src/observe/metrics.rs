//! The metrics of the process and their text for Prometheus. Names, labels and buckets are those of the OpenTelemetry
//! semantic conventions where they have some. `docs/operations/monitoring.md` lists every one of them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use domain::identity::RefusalReason;
use domain::storage::StorageError;
use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, Label, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::snapshot::Snapshot;
use super::{Outcome, process};

/// Upper bounds of the buckets for durations, in seconds (semantic conventions for HTTP).
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

const REQUEST_DURATION: &str = "http_server_request_duration_seconds";

/// The labels of a request. Callers cannot make them up: methods, routes, statuses and codes are ours.
#[derive(PartialEq, Eq, Hash)]
struct RequestLabels {
    method: &'static str,
    route: Option<String>,
    status: u16,
    error_type: Option<&'static str>,
}

impl RequestLabels {
    fn to_labels(&self) -> Vec<Label> {
        let mut labels = vec![
            Label::from_static_parts("http_request_method", self.method),
            Label::new("http_response_status_code", self.status.to_string()),
        ];
        labels.extend(self.route.clone().map(|route| Label::new("http_route", route)));
        labels.extend(
            self.error_type
                .map(|error| Label::from_static_parts("error_type", error)),
        );
        labels
    }
}

/// The metrics of one process, shared by its workers.
pub struct Metrics {
    recorder: PrometheusRecorder,
    text: PrometheusHandle,
    active_requests: Gauge,
    // Hashed without a defence against chosen keys: callers cannot choose labels.
    requests: RwLock<HashMap<RequestLabels, Histogram, RandomState>>,
    auth_failures: HashMap<RefusalReason, Counter>,
    db_errors: HashMap<&'static str, Counter>,
}

impl Default for Metrics {
    /// Metrics that start at zero.
    fn default() -> Self {
        let matcher = Matcher::Full(REQUEST_DURATION.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(matcher, &BUCKETS);
        // Only an empty list of buckets is refused.
        let recorder = builder.unwrap_or_default().build_recorder();
        // Those that callers may never cause are there from the start, so that their first one is an increase.
        let auth_failure = |reason: &RefusalReason| {
            let counter = counter!(
                description: "Requests refused for their token, by reason",
                "auth_failures_total", "reason" => reason.as_str()
            );
            (*reason, counter)
        };
        let db_error = |class| {
            let counter = counter!(
                description: "Failures of the database that a request has met, by class",
                "db_errors_total", "class" => class
            );
            (class, counter)
        };
        let (active_requests, auth_failures, db_errors) = with_local_recorder(&recorder, || {
            (
                gauge!(description: "Requests that are under way", "http_server_active_requests"),
                RefusalReason::ALL.iter().map(auth_failure).collect(),
                StorageError::CLASSES.into_iter().map(db_error).collect(),
            )
        });
        Self {
            text: recorder.handle(),
            active_requests,
            requests: RwLock::default(),
            auth_failures,
            db_errors,
            recorder,
        }
    }
}

impl Metrics {
    pub(crate) fn request_begins(&self) {
        self.active_requests.increment(1.0);
    }

    pub(crate) fn request_is_gone(&self) {
        self.active_requests.decrement(1.0);
    }

    pub(crate) fn request_ended(&self, outcome: Outcome) {
        let labels = RequestLabels {
            method: outcome.method,
            status: outcome.status.as_u16(),
            error_type: outcome.error_type(),
            route: outcome.route,
        };
        let known = self.requests.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(histogram) = known.get(&labels) {
            histogram.record(outcome.took);
            return;
        }
        drop(known);
        let histogram = with_local_recorder(&self.recorder, || {
            histogram!(
                description: "How long requests took, in seconds",
                REQUEST_DURATION, labels.to_labels()
            )
        });
        let mut known = self.requests.write().unwrap_or_else(PoisonError::into_inner);
        histogram.record(outcome.took);
        known.insert(labels, histogram);
    }

    pub(crate) fn token_refused(&self, reason: RefusalReason) {
        if let Some(counter) = self.auth_failures.get(&reason) {
            counter.increment(1);
        }
    }

    pub(crate) fn database_failed(&self, class: &'static str) {
        if let Some(counter) = self.db_errors.get(class) {
            counter.increment(1);
        }
    }

    /// Everything as text (Prometheus exposition format 0.0.4), with what is looked up at this moment.
    #[must_use]
    pub fn render(&self, snapshot: &Snapshot) -> String {
        // A recorder of its own for each look: what there is no value for now has no old one either.
        let looked_up = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&looked_up, || {
            snapshot.record();
            process::record();
        });
        let requests = self.collecting(PrometheusHandle::render);
        requests + &looked_up.handle().render() + &process::cpu_text()
    }

    /// Sorts what was recorded into its buckets. Needed now and then if the text is not asked for.
    pub fn tidy_up(&self) {
        self.collecting(PrometheusHandle::run_upkeep);
    }

    /// Lets no request end while the recorder collects what was recorded: it loses what is recorded at that moment.
    fn collecting<T>(&self, collect: impl FnOnce(&PrometheusHandle) -> T) -> T {
        let _alone = self.requests.write().unwrap_or_else(PoisonError::into_inner);
        collect(&self.text)
    }
}
