//! What is counted, and under which labels.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use adapters_http::observe::Observers;
use adapters_http::observe::metrics::Metrics;
use adapters_http::observe::snapshot::{
    KeyFigures, LostLines, PoolFigures, RetryFigures, Snapshot, UnsentFigures,
};
use domain::Cause;
use domain::identity::RefusalReason;
use domain::storage::StorageError;
use domain::task::MockTaskRepository;
use rand::RngExt;
use reqwest::Method;

use super::exposition::Figures;
use super::{Watched, until};
use crate::support::{Answer, Api, Parts, Wire};

const REQUESTS: &str = "http_server_request_duration_seconds_count";
const ACTIVE: &str = "http_server_active_requests";

/// An API in this process, and its figures.
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

    fn figures(&self) -> Figures {
        Figures::parse(&self.metrics.render(&Snapshot::default()))
    }

    fn requests(&self, labels: &[(&str, &str)]) -> f64 {
        self.figures().sum(REQUESTS, labels)
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
    let figures = measured.figures();
    let bounds: Vec<_> = figures
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
        .figures()
        .of("auth_failures_total")
        .map(|sample| sample.labels["reason"].clone())
        .collect();
    assert_eq!(shown, names);
    measured.api.anonymous().get("/api/tasks").await;
    measured.api.bearer("a.b.c").get("/api/tasks").await;
    measured.api.user("alice").get("/api/tasks").await;
    let count = |reason| {
        measured
            .figures()
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
        let figures = measured.figures();
        assert_eq!(
            figures.sum("db_errors_total", &[("class", class)]),
            1.0,
            "{class}"
        );
        assert_eq!(figures.sum("db_errors_total", &[]), 1.0, "{class}");
        let labels = [
            ("http_route", "/api/tasks/{task_id}"),
            ("http_response_status_code", status),
            ("error_type", error_type),
        ];
        assert_eq!(figures.sum(REQUESTS, &labels), 1.0, "{class}");
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
    assert_eq!(measured.figures().sum(ACTIVE, &[]), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_callers_have_no_error_type() {
    let measured = Measured::new();
    measured.api.user("alice").get("/api/tasks/none").await;
    let figures = measured.figures();
    assert!(
        figures
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
    let active = || measured.figures().sum(ACTIVE, &[]);
    until("the request is active", async || active() == 1.0).await;
    drop(client);
    until("it is not", async || active() == 0.0).await;
}

/// Paths, methods and statuses as callers could send them to blow up the figures.
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
    let figures = measured.figures();
    assert_eq!(figures.sum(REQUESTS, &[]), 10_000.0);
    let values = |label: &str| -> BTreeSet<String> {
        figures
            .of(REQUESTS)
            .filter_map(|sample| sample.labels.get(label).cloned())
            .collect()
    };
    let routes = values("http_route");
    let known = ["/api/tasks/{task_id}", "/problems/{code}"].map(str::to_owned);
    assert_eq!(routes, BTreeSet::from(known));
    let methods = values("http_request_method");
    assert!(methods.contains("_OTHER") && methods.len() <= 5, "{methods:?}");
    let series = figures.of(REQUESTS).count();
    assert!(series <= 40, "{series} series");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_a_server_on_sqlite_tell_of_the_build_the_pools_and_the_process() {
    let watched = Watched::on_sqlite(&[]).await;
    watched.api.user("alice").has_task("one").await;
    let figures = watched.figures().await;
    let build = figures.of("task_api_build_info").next().expect("the build");
    assert_eq!(
        (build.value, build.labels["version"].as_str()),
        (1.0, env!("CARGO_PKG_VERSION"))
    );
    for pool in ["read", "work"] {
        let label = [("db_client_connection_pool_name", pool)];
        assert!(figures.sum("db_client_connection_max", &label) >= 1.0, "{pool}");
        assert_eq!(
            figures.sum("db_client_connection_pending_requests", &label),
            0.0,
            "{pool}"
        );
        assert_eq!(
            figures.sum("db_client_connection_timeouts_total", &label),
            0.0,
            "{pool}"
        );
    }
    if cfg!(target_os = "linux") {
        for name in [
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
        ] {
            assert!(figures.sum(name, &[]) > 0.0, "{name}");
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let age = now.expect("a clock").as_secs_f64() - figures.sum("process_start_time_seconds", &[]);
        assert!((-2.0..600.0).contains(&age), "{age} s old");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_figures_of_a_server_on_postgresql_tell_of_its_connections() {
    let database = test_postgres::fresh_database().await;
    let url = database.url().to_owned();
    let settings = [
        ("WORKERS", "1"),
        ("DB_POOL_SIZE", "3"),
        ("DB_MAX_IN_FLIGHT", "77"),
    ];
    let watched = Watched::start(&url, &settings, Box::new(database)).await;
    let alice = watched.api.user("alice");
    alice.has_task("one").await;
    alice.get("/api/tasks").await;
    let figures = watched.figures().await;
    let connections = |pool, state| {
        let labels = [
            ("db_client_connection_pool_name", pool),
            ("db_client_connection_state", state),
        ];
        figures.sum("db_client_connection_count", &labels)
    };
    assert_eq!(
        (connections("read", "idle"), connections("read", "used")),
        (1.0, 0.0)
    );
    assert_eq!(
        (connections("work", "idle"), connections("work", "used")),
        (1.0, 0.0)
    );
    // What requests can open: the listener that tells the figures has connections of its own.
    let most = |pool| {
        figures.sum(
            "db_client_connection_max",
            &[("db_client_connection_pool_name", pool)],
        )
    };
    assert_eq!((most("read"), most("work")), (1.0, 3.0));
    assert_eq!(figures.sum("db_operations_in_flight", &[]), 0.0);
    assert_eq!(figures.sum("db_operations_in_flight_max", &[]), 77.0);
    assert_eq!(figures.sum("db_retries_total", &[]), 0.0);
    assert_eq!(figures.sum("db_retry_budget", &[]), 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_tell_of_the_public_keys_if_there_are_some_to_fetch() {
    // Nobody listens on port 1.
    let watched = Watched::on_sqlite(&[("BETTER_AUTH_URL", "http://127.0.0.1:1")]).await;
    let failures = async || {
        let figures = watched.figures().await;
        figures.sum("jwks_fetches_total", &[("outcome", "failure")])
    };
    until("a fetch that failed", async || failures().await >= 1.0).await;
    let figures = watched.figures().await;
    assert_eq!(figures.sum("jwks_keys", &[]), 0.0);
    assert_eq!(figures.sum("jwks_fetches_total", &[("outcome", "success")]), 0.0);
    assert!(figures.sum("jwks_age_seconds", &[]) > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_well_formed_while_requests_are_counted() {
    let watched = Watched::on_sqlite(&[]).await;
    let asking: Vec<_> = (0..8)
        .map(|user| {
            let user = watched.api.user(&format!("user-{user}"));
            tokio::spawn(async move {
                for _ in 0..100 {
                    user.has_task("one").await;
                    user.get("/api/tasks?limit=1").await;
                    user.get("/nowhere").await;
                }
            })
        })
        .collect();
    let mut counts = Vec::new();
    while asking.iter().any(|task| !task.is_finished()) {
        counts.push(watched.figures().await.sum(REQUESTS, &[]));
    }
    for task in asking {
        task.await.expect("answers");
    }
    assert!(counts.len() > 2 && counts.is_sorted(), "{counts:?}");
    assert_eq!(watched.figures().await.sum(REQUESTS, &[]), 2_400.0);
}

/// The names of all figures.
fn names() -> BTreeSet<String> {
    let pool = PoolFigures {
        name: "read",
        connections: Some((1, 2)),
        max: 3,
        waiting: 4,
        timeouts: 5,
    };
    let snapshot = Snapshot {
        pools: vec![pool],
        in_flight: Some((6, 7)),
        retries: Some(RetryFigures {
            run: 8,
            denied: 9,
            budget: 10,
        }),
        keys: Some(KeyFigures {
            keys: 11,
            age: Duration::from_secs(12),
            fetches: 13,
            failures: 14,
        }),
        unsent: UnsentFigures::default(),
        lost_lines: LostLines::default(),
    };
    let figures = Figures::parse(&Metrics::default().render(&snapshot));
    // It appears with the first request.
    let requests = "http_server_request_duration_seconds".to_owned();
    figures.types.into_keys().chain([requests]).collect()
}

#[test]
fn the_document_lists_every_figure_and_no_other() {
    let document = include_str!("../../../../../docs/operations/monitoring.md");
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
fn the_rules_and_the_dashboard_ask_for_figures_that_exist() {
    let names = names();
    for text in [
        include_str!("../../../../../docs/operations/alerts.yml"),
        include_str!("../../../../../docs/operations/grafana-dashboard.json"),
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
    let rules = include_str!("../../../../../docs/operations/alerts.yml");
    let document = include_str!("../../../../../docs/operations/monitoring.md");
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
