//! The figures of the process and their text for Prometheus. Names, labels and buckets are those of the OpenTelemetry
//! semantic conventions where they have some. `docs/operations/monitoring.md` lists every one of them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use domain::identity::RefusalReason;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::{Outcome, process};
use crate::problem::FAILURE_CLASSES;

/// Upper bounds of the buckets for durations, in seconds (semantic conventions for HTTP).
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

const REQUEST_DURATION: &str = "http_server_request_duration_seconds";
const ACTIVE_REQUESTS: &str = "http_server_active_requests";
const AUTH_FAILURES: &str = "auth_failures_total";
const DB_ERRORS: &str = "db_errors_total";
const POOL_CONNECTIONS: &str = "db_client_connection_count";
const POOL_MAX: &str = "db_client_connection_max";
const POOL_WAITING: &str = "db_client_connection_pending_requests";
const POOL_TIMEOUTS: &str = "db_client_connection_timeouts_total";
const IN_FLIGHT: &str = "db_operations_in_flight";
const IN_FLIGHT_MAX: &str = "db_operations_in_flight_max";
const BUILD_INFO: &str = "task_api_build_info";

/// The label of the semantic conventions that tells pools apart.
const POOL: &str = "db_client_connection_pool_name";
const POOL_STATE: &str = "db_client_connection_state";

/// What every figure is, for people who look at them raw.
const HELP: [(Kind, &str, &str); 11] = [
    (
        Kind::Histogram,
        REQUEST_DURATION,
        "How long requests took, in seconds",
    ),
    (Kind::Gauge, ACTIVE_REQUESTS, "Requests that are under way"),
    (
        Kind::Counter,
        AUTH_FAILURES,
        "Requests refused for their token, by reason",
    ),
    (
        Kind::Counter,
        DB_ERRORS,
        "Failures of the database that a request has met, by class",
    ),
    (
        Kind::Gauge,
        POOL_CONNECTIONS,
        "Open connections to the database, by state",
    ),
    (Kind::Gauge, POOL_MAX, "The most connections that may be open"),
    (Kind::Gauge, POOL_WAITING, "Operations that wait for a connection"),
    (
        Kind::Counter,
        POOL_TIMEOUTS,
        "Operations that have waited for a connection in vain",
    ),
    (
        Kind::Gauge,
        IN_FLIGHT,
        "Operations that use the database or wait for it",
    ),
    (
        Kind::Gauge,
        IN_FLIGHT_MAX,
        "The most operations that may do so at once",
    ),
    (
        Kind::Gauge,
        BUILD_INFO,
        "Always 1; the labels say what is running",
    ),
];

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// How the database is used, whichever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// The pools, in a fixed order.
    pub pools: Vec<PoolFigures>,
    /// Operations that use the database or wait for it, and the most that may; for a database that counts them.
    pub in_flight: Option<(usize, usize)>,
}

/// The connections for one kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFigures {
    /// `read` or `work`.
    pub name: &'static str,
    /// Open connections that are free, and those that are in use; for a pool that tells them apart.
    pub connections: Option<(u32, u32)>,
    /// The most connections that may be open.
    pub max: u32,
    /// Operations that wait for one.
    pub waiting: usize,
    /// Operations that have waited in vain since the start.
    pub timeouts: u64,
}

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

/// The figures of one process, shared by its workers.
pub struct Metrics {
    recorder: PrometheusRecorder,
    text: PrometheusHandle,
    active_requests: Gauge,
    requests: RwLock<HashMap<RequestLabels, Histogram>>,
    auth_failures: HashMap<RefusalReason, Counter>,
    db_errors: HashMap<&'static str, Counter>,
}

impl Metrics {
    /// Figures that start at zero.
    #[must_use]
    pub fn new() -> Self {
        let matcher = Matcher::Full(REQUEST_DURATION.to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(matcher, &BUCKETS);
        // Only an empty list of buckets is refused.
        let recorder = builder.unwrap_or_default().build_recorder();
        for (kind, name, help) in HELP {
            match kind {
                Kind::Counter => recorder.describe_counter(name.into(), None, help.into()),
                Kind::Gauge => recorder.describe_gauge(name.into(), None, help.into()),
                Kind::Histogram => recorder.describe_histogram(name.into(), Some(Unit::Seconds), help.into()),
            }
        }
        // Those that callers may never cause are there from the start, so that their first one is an increase.
        let reasons = RefusalReason::ALL.iter();
        let auth_failures = reasons.map(|reason| {
            let labels = [Label::from_static_parts("reason", reason.as_str())];
            (*reason, counter(&recorder, AUTH_FAILURES, labels))
        });
        let classes = FAILURE_CLASSES.iter();
        let db_errors = classes.map(|class| {
            let labels = [Label::from_static_parts("class", class)];
            (*class, counter(&recorder, DB_ERRORS, labels))
        });
        Self {
            text: recorder.handle(),
            active_requests: gauge(&recorder, ACTIVE_REQUESTS, []),
            requests: RwLock::default(),
            auth_failures: auth_failures.collect(),
            db_errors: db_errors.collect(),
            recorder,
        }
    }

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
        let key = Key::from_parts(REQUEST_DURATION, labels.to_labels());
        let histogram = self.recorder.register_histogram(&key, &METADATA);
        histogram.record(outcome.took);
        let mut known = self.requests.write().unwrap_or_else(PoisonError::into_inner);
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
    pub fn render(&self, database: &DatabaseFigures) -> String {
        self.set(
            BUILD_INFO,
            [Label::from_static_parts("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        );
        for pool in &database.pools {
            self.set_pool(pool);
        }
        if let Some((now, max)) = database.in_flight {
            self.set(IN_FLIGHT, [], lossy(now));
            self.set(IN_FLIGHT_MAX, [], lossy(max));
        }
        let mut text = self.text.render();
        process::render(&mut text);
        text
    }

    /// Sorts what was recorded into its buckets. Needed now and then if nobody asks for the text.
    pub fn tidy_up(&self) {
        self.text.run_upkeep();
    }

    fn set_pool(&self, pool: &PoolFigures) {
        let name = || Label::from_static_parts(POOL, pool.name);
        if let Some((idle, used)) = pool.connections {
            for (state, count) in [("idle", idle), ("used", used)] {
                let labels = [name(), Label::from_static_parts(POOL_STATE, state)];
                self.set(POOL_CONNECTIONS, labels, f64::from(count));
            }
        }
        self.set(POOL_MAX, [name()], f64::from(pool.max));
        self.set(POOL_WAITING, [name()], lossy(pool.waiting));
        counter(&self.recorder, POOL_TIMEOUTS, [name()]).absolute(pool.timeouts);
    }

    fn set<const N: usize>(&self, name: &'static str, labels: [Label; N], value: f64) {
        gauge(&self.recorder, name, labels).set(value);
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

fn counter<const N: usize>(recorder: &PrometheusRecorder, name: &'static str, labels: [Label; N]) -> Counter {
    recorder.register_counter(&Key::from_parts(name, labels.to_vec()), &METADATA)
}

fn gauge<const N: usize>(recorder: &PrometheusRecorder, name: &'static str, labels: [Label; N]) -> Gauge {
    recorder.register_gauge(&Key::from_parts(name, labels.to_vec()), &METADATA)
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here stays below 2^52")]
fn lossy(count: usize) -> f64 {
    count as f64
}
