//! The counted events, and their labels.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_http::observe::Observers;
use adapters_http::observe::metrics::Metrics;
use adapters_http::observe::snapshot::{
    KeyMetrics, LostLines, PoolMetrics, RetryMetrics, Snapshot, UnsentMetrics,
};
use domain::Cause;
use domain::identity::RefusalReason;
use domain::storage::StorageError;
use domain::task::MockTaskRepository;
use rand::RngExt;
use reqwest::Method;

use test_api::{Answer, Api, Exposition, Parts, Wire};

const REQUESTS: &str = "http_server_request_duration_seconds_count";
const ACTIVE: &str = "http_server_active_requests";

/// Waits until it is so, for five seconds at most.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within 5 seconds: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An API in this process, and its metrics.
struct Measured {
    api: Api,
    metrics: Arc<Metrics>,
}

impl Measured {
    fn new() -> Self {
        Self::with(Parts::default())
    }

    fn with(parts: Parts) -> Self {
        let metrics = Arc::new(Metrics::default());
        let observers = Observers {
            metrics: Some(Arc::clone(&metrics)),
            ..Observers::default()
        };
        Self {
            api: Api::serving(Parts { observers, ..parts }),
            metrics,
        }
    }

    fn metrics(&self) -> Exposition {
        Exposition::parse(&self.metrics.render(&Snapshot::default()))
    }

    fn requests(&self, labels: &[(&str, &str)]) -> f64 {
        self.metrics().sum(REQUESTS, labels)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_counted_by_method_route_and_status() {
    let measured = Measured::new();
    let alice = measured.api.user("alice");
    let id = alice.has_task("one").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    alice.get(&format!("/api/tasks/{id}")).await;
    alice.get("/api/tasks/no-such-id").await;
    alice.get("/api/tasks/?limit=1").await;
    let count = |method, route, status| {
        measured.requests(&[
            ("http_request_method", method),
            ("http_route", route),
            ("http_response_status_code", status),
        ])
    };
    assert_eq!(count("POST", "/api/tasks", "201"), 1.0);
    assert_eq!(count("GET", "/api/tasks/{task_id}", "200"), 1.0);
    assert_eq!(count("GET", "/api/tasks/{task_id}", "404"), 1.0);
    assert_eq!(count("GET", "/api/tasks", "200"), 1.0);
    assert_eq!(measured.requests(&[]), 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buckets_are_those_of_the_semantic_conventions() {
    let measured = Measured::new();
    measured.api.anonymous().get("/livez").await;
    let metrics = measured.metrics();
    let bounds: Vec<_> = metrics
        .of("http_server_request_duration_seconds_bucket")
        .map(|bucket| bucket.labels["le"].as_str())
        .collect();
    let wanted = "0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf";
    assert_eq!(bounds.join(" "), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_counted_under_the_route_that_it_asked_for() {
    let measured = Measured::new();
    measured.api.anonymous().get("/api/tasks/some-id").await;
    measured.api.anonymous().get("/api/elsewhere").await;
    let refused = measured.requests(&[("http_response_status_code", "401")]);
    let known = measured.requests(&[("http_route", "/api/tasks/{task_id}")]);
    assert_eq!((refused, known), (2.0, 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_for_a_refusal_is_there_from_the_start_and_counts() {
    let measured = Measured::new();
    let names: BTreeSet<_> = RefusalReason::ALL
        .iter()
        .map(|reason| reason.as_str().to_owned())
        .collect();
    let shown: BTreeSet<_> = measured
        .metrics()
        .of("auth_failures_total")
        .map(|sample| sample.labels["reason"].clone())
        .collect();
    assert_eq!(shown, names);
    measured.api.anonymous().get("/api/tasks").await;
    measured.api.bearer("a.b.c").get("/api/tasks").await;
    measured.api.user("alice").get("/api/tasks").await;
    let count = |reason| {
        measured
            .metrics()
            .sum("auth_failures_total", &[("reason", reason)])
    };
    assert_eq!(
        (count("missing"), count("malformed"), count("expired")),
        (1.0, 1.0, 0.0)
    );
}

/// An API whose database fails like this at every look-up.
fn failing(error: impl Fn() -> StorageError + Send + Sync + 'static) -> Measured {
    let mut repository = MockTaskRepository::new();
    repository.expect_find().returning(move |_, _| Err(error()));
    Measured::with(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_database_is_counted_by_its_class_and_names_the_error_of_the_request() {
    let cause = || Cause::from("secret words");
    let path = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
    let cases: [(Measured, &str, &str, &str); 3] = [
        (
            failing(|| StorageError::Busy),
            "pool_exhausted",
            "503",
            "pool_exhausted",
        ),
        (
            failing(move || StorageError::Unavailable(cause())),
            "connection",
            "503",
            "database_unavailable",
        ),
        (
            failing(move || StorageError::Unexpected(cause())),
            "unexpected",
            "500",
            "internal_error",
        ),
    ];
    for (measured, class, status, error_type) in cases {
        measured.api.user("alice").get(path).await;
        let metrics = measured.metrics();
        assert_eq!(
            metrics.sum("db_errors_total", &[("class", class)]),
            1.0,
            "{class}"
        );
        assert_eq!(metrics.sum("db_errors_total", &[]), 1.0, "{class}");
        let labels = [
            ("http_route", "/api/tasks/{task_id}"),
            ("http_response_status_code", status),
            ("error_type", error_type),
        ];
        assert_eq!(metrics.sum(REQUESTS, &labels), 1.0, "{class}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_counted_as_a_failure_on_our_side() {
    let mut repository = MockTaskRepository::new();
    repository.expect_find().returning(|_, _| panic!("a bug"));
    let measured = Measured::with(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    });
    let path = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
    assert_eq!(measured.api.user("alice").get(path).await.status, 500);
    let labels = [
        ("http_response_status_code", "500"),
        ("error_type", "internal_error"),
    ];
    assert_eq!(measured.requests(&labels), 1.0);
    assert_eq!(measured.metrics().sum(ACTIVE, &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_callers_have_no_error_type() {
    let measured = Measured::new();
    measured.api.user("alice").get("/api/tasks/none").await;
    let metrics = measured.metrics();
    assert!(
        metrics
            .of(REQUESTS)
            .all(|sample| !sample.labels.contains_key("error_type"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_active_until_it_is_answered_or_its_client_goes_away() {
    let measured = Measured::new();
    let mut client = Wire::to(&measured.api);
    let body = ["Content-Type: application/json", "Content-Length: 100"];
    client.send_head("POST /api/tasks", &body);
    let active = || measured.metrics().sum(ACTIVE, &[]);
    until("the request is active", async || active() == 1.0).await;
    drop(client);
    until("it is not", async || active() == 0.0).await;
}

/// Paths, methods and statuses as callers could send them to blow up the metrics.
fn random_target() -> (Method, String) {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-._~%2F";
    let mut random = rand::rng();
    let mut word = |length: usize| -> String {
        (0..length)
            .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
            .collect()
    };
    let (a, b) = (word(12), word(8));
    let path = match rand::rng().random_range(0..6) {
        0 => format!("/{a}"),
        1 => format!("/api/{a}/{b}"),
        2 => format!("/api/tasks/{a}?{b}={a}"),
        3 => format!("/api/tasks/{a}/{b}"),
        4 => format!("/problems/{a}"),
        _ => format!("/api/tasks//{a}/"),
    };
    let method = match rand::rng().random_range(0..4) {
        0 => Method::from_bytes(word(7).to_uppercase().replace('%', "X").as_bytes()).expect("a method"),
        1 => Method::PUT,
        _ => Method::GET,
    };
    (method, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_random_urls_and_methods_make_no_more_series_than_a_few() {
    let measured = Measured::new();
    let users = [measured.api.user("alice"), measured.api.anonymous()];
    let asking = (0..8).map(|part| {
        let user = users[part % 2].clone();
        tokio::spawn(async move {
            for _ in 0..1_250 {
                let (method, path) = random_target();
                Answer::to(user.request(method, &path)).await;
            }
        })
    });
    for task in asking.collect::<Vec<_>>() {
        task.await.expect("answers");
    }
    let metrics = measured.metrics();
    assert_eq!(metrics.sum(REQUESTS, &[]), 10_000.0);
    let values = |label: &str| -> BTreeSet<String> {
        metrics
            .of(REQUESTS)
            .filter_map(|sample| sample.labels.get(label).cloned())
            .collect()
    };
    let routes = values("http_route");
    let known = ["/api/tasks/{task_id}", "/problems/{code}"].map(str::to_owned);
    assert_eq!(routes, BTreeSet::from(known));
    let methods = values("http_request_method");
    assert!(methods.contains("_OTHER") && methods.len() <= 5, "{methods:?}");
    let series = metrics.of(REQUESTS).count();
    assert!(series <= 40, "{series} series");
}

/// The names of all metrics.
fn names() -> BTreeSet<String> {
    let pool = PoolMetrics {
        name: "read",
        connections: Some((1, 2)),
        max: 3,
        waiting: 4,
        timeouts: 5,
    };
    let snapshot = Snapshot {
        pools: vec![pool],
        in_flight: Some((6, 7)),
        retries: Some(RetryMetrics {
            run: 8,
            denied: 9,
            budget: 10,
        }),
        keys: Some(KeyMetrics {
            keys: 11,
            age: Duration::from_secs(12),
            fetches: 13,
            failures: 14,
        }),
        unsent: UnsentMetrics::default(),
        lost_lines: LostLines::default(),
    };
    let metrics = Exposition::parse(&Metrics::default().render(&snapshot));
    // It appears with the first request.
    let requests = "http_server_request_duration_seconds".to_owned();
    metrics.types.into_keys().chain([requests]).collect()
}

#[test]
fn the_document_lists_every_metric_and_no_other() {
    let document = include_str!("../../../../docs/operations/monitoring.md");
    let cells = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    let documented: BTreeSet<_> = cells
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.contains('_'))
        .collect();
    assert_eq!(documented, names());
}

#[test]
fn the_rules_and_the_dashboard_ask_for_metrics_that_exist() {
    let names = names();
    for text in [
        include_str!("../../../../docs/operations/alerts.yml"),
        include_str!("../../../../docs/operations/grafana-dashboard.json"),
    ] {
        // Whatever stands before the labels of a query.
        let asked: BTreeSet<_> = text
            .split("{job=")
            .filter_map(|part| {
                part.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                    .next()
            })
            .filter(|name| name.contains('_'))
            .collect();
        assert!(asked.len() > 5, "{asked:?}");
        for name in asked {
            let family = ["_bucket", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            assert!(
                names.contains(name) || family.is_some_and(|name| names.contains(name)),
                "{name}"
            );
        }
    }
}

#[test]
fn every_alert_is_explained() {
    let rules = include_str!("../../../../docs/operations/alerts.yml");
    let document = include_str!("../../../../docs/operations/monitoring.md");
    let alerts: BTreeSet<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let explained = document
        .lines()
        .filter_map(|line| line.strip_prefix("| TaskApi")?.split_once(" |"));
    let explained: BTreeSet<_> = explained.map(|(name, _)| format!("TaskApi{name}")).collect();
    assert_eq!(explained, alerts.into_iter().map(str::to_owned).collect());
}
