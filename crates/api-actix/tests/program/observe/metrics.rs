//! The metrics of the real binary; what is counted is tested in `adapters-http/tests/http/metrics.rs`.

use super::{Watched, until};

const REQUESTS: &str = "http_server_request_duration_seconds_count";

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_a_server_on_sqlite_tell_of_the_build_the_pools_and_the_process() {
    let watched = Watched::on_sqlite(&[]).await;
    watched.api.user("alice").has_task("one").await;
    let metrics = watched.metrics().await;
    let build = metrics.of("task_api_build_info").next().expect("the build");
    assert_eq!(
        (build.value, build.labels["version"].as_str()),
        (1.0, env!("CARGO_PKG_VERSION"))
    );
    for pool in ["read", "work"] {
        let label = [("db_client_connection_pool_name", pool)];
        assert!(metrics.sum("db_client_connection_max", &label) >= 1.0, "{pool}");
        assert_eq!(
            metrics.sum("db_client_connection_pending_requests", &label),
            0.0,
            "{pool}"
        );
        assert_eq!(
            metrics.sum("db_client_connection_timeouts_total", &label),
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
            assert!(metrics.sum(name, &[]) > 0.0, "{name}");
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let age = now.expect("a clock").as_secs_f64() - metrics.sum("process_start_time_seconds", &[]);
        assert!((-2.0..600.0).contains(&age), "{age} s old");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_metrics_of_a_server_on_postgresql_tell_of_its_connections() {
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
    let metrics = watched.metrics().await;
    let connections = |pool, state| {
        let labels = [
            ("db_client_connection_pool_name", pool),
            ("db_client_connection_state", state),
        ];
        metrics.sum("db_client_connection_count", &labels)
    };
    assert_eq!(
        (connections("read", "idle"), connections("read", "used")),
        (1.0, 0.0)
    );
    assert_eq!(
        (connections("work", "idle"), connections("work", "used")),
        (1.0, 0.0)
    );
    // What requests can open: the listener that tells the metrics has connections of its own.
    let most = |pool| {
        metrics.sum(
            "db_client_connection_max",
            &[("db_client_connection_pool_name", pool)],
        )
    };
    assert_eq!((most("read"), most("work")), (1.0, 3.0));
    assert_eq!(metrics.sum("db_operations_in_flight", &[]), 0.0);
    assert_eq!(metrics.sum("db_operations_in_flight_max", &[]), 77.0);
    assert_eq!(metrics.sum("db_retries_total", &[]), 0.0);
    assert_eq!(metrics.sum("db_retry_budget", &[]), 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_tell_of_the_public_keys_if_there_are_some_to_fetch() {
    // Nothing listens on port 1.
    let watched = Watched::on_sqlite(&[("BETTER_AUTH_URL", "http://127.0.0.1:1")]).await;
    let failures = async || {
        let metrics = watched.metrics().await;
        metrics.sum("jwks_fetches_total", &[("outcome", "failure")])
    };
    until("a fetch that failed", async || failures().await >= 1.0).await;
    let metrics = watched.metrics().await;
    assert_eq!(metrics.sum("jwks_keys", &[]), 0.0);
    assert_eq!(metrics.sum("jwks_fetches_total", &[("outcome", "success")]), 0.0);
    assert!(metrics.sum("jwks_age_seconds", &[]) > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_well_formed_while_requests_are_counted() {
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
        counts.push(watched.metrics().await.sum(REQUESTS, &[]));
    }
    for task in asking {
        task.await.expect("answers");
    }
    assert!(counts.len() > 2 && counts.is_sorted(), "{counts:?}");
    assert_eq!(watched.metrics().await.sum(REQUESTS, &[]), 2_400.0);
}
