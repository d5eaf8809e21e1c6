//! More work than the database takes: callers that cannot be served are told so soon.

use std::time::Duration;

use serde_json::json;
use test_postgres::TestDatabase;
use tokio::task::JoinHandle;

use super::{timed, until};
use crate::support::{Answer, Api, Binary, Storage, TaskApi, User};

/// A server of one worker, and one task of Alice's that an outsider holds a lock on.
struct Scene {
    database: TestDatabase,
    // The connection of the outsider: the lock is gone when this is.
    outsider: Option<Box<dyn Send + Sync>>,
    binary: Binary,
    api: Api,
    path: String,
}

impl Scene {
    async fn with(settings: &[(&str, &str)]) -> Self {
        let database = test_postgres::fresh_database().await;
        let server = TaskApi::serve_on(database.url()).env("WORKERS", "1");
        let server = settings
            .iter()
            .fold(server, |server, (name, value)| server.env(name, value));
        let binary = server.start().await;
        let api = binary.api(Storage::Postgres);
        let id = api.user("alice").has_task("locked").await["id"].clone();
        let outsider = database.client().await;
        outsider
            .batch_execute("BEGIN; SELECT * FROM tasks FOR UPDATE")
            .await
            .expect("a lock");
        Self {
            path: format!("/api/tasks/{}", id.as_str().expect("an id")),
            database,
            outsider: Some(Box::new(outsider)),
            binary,
            api,
        }
    }

    /// Alice changes her task, and waits.
    fn change(&self) -> JoinHandle<(Answer, Duration)> {
        let (alice, path) = (self.api.user("alice"), self.path.clone());
        tokio::spawn(async move { timed(alice.put(&path, &json!({ "title": "changed" }))).await })
    }

    /// Waits until that many statements of the server wait for the outsider.
    async fn are_waiting(&self, count: i64) {
        let admin = self.database.client().await;
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock'";
        until("statements wait for the lock", async || {
            admin
                .query_one(waiting, &[])
                .await
                .expect("a count")
                .get::<_, i64>(0)
                == count
        })
        .await;
    }

    fn let_go(&mut self) {
        self.outsider = None;
    }
}

/// A 503 that says what to do about it.
fn assert_exhausted(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.problem(), "pool_exhausted");
    assert_eq!(answer.header("retry-after"), "1");
}

async fn is_well(anonymous: &User) {
    assert_eq!(anonymous.get("/livez").await.status, 200);
    let health = anonymous.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), health.json()),
        (200, json!({ "status": "ok" }))
    );
    assert_eq!(anonymous.get("/api/tasks").await.problem(), "token_missing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn edge_case_pool_exhaustion_is_a_503_after_a_bounded_wait_while_reads_go_on() {
    let mut scene = Scene::with(&[("DB_POOL_SIZE", "2"), ("DB_POOL_ACQUIRE_TIMEOUT", "300ms")]).await;
    // These two have the whole pool...
    let holders = [scene.change(), scene.change()];
    scene.are_waiting(2).await;
    // ...and for those there is nothing left.
    let late = [scene.change(), scene.change(), scene.change(), scene.change()];
    let bob = scene.api.user("bob");
    for _ in 0..3 {
        let (answer, took) = timed(scene.api.user("alice").get(&scene.path)).await;
        assert_eq!(answer.status, 200);
        println!("a read beside the exhausted pool took {took:?}");
        assert_eq!(bob.get(&scene.path).await.status, 404);
    }
    is_well(&scene.api.anonymous()).await;
    for answer in late {
        let (answer, took) = answer.await.unwrap();
        println!("a write was turned away after {took:?}");
        assert!(
            took >= Duration::from_millis(300) && took < Duration::from_secs(2),
            "{took:?}"
        );
        assert_exhausted(&answer);
        let entry = scene.binary.logs(answer.header("x-request-id")).await;
        let line = entry
            .lines()
            .find(|line| line.contains(answer.header("x-request-id")))
            .unwrap();
        assert!(
            line.contains("db_error") && line.contains("pool_exhausted"),
            "{line}"
        );
    }
    scene.let_go();
    for answer in holders {
        assert_eq!(answer.await.unwrap().0.status, 200);
    }
    assert_eq!(scene.change().await.unwrap().0.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_write_behind_a_foreign_lock_is_a_503_timeout_and_the_connection_stays_good() {
    let mut scene = Scene::with(&[("DB_POOL_SIZE", "2")]).await;
    let (answer, took) = scene.change().await.unwrap();
    println!("a write behind a lock gave up after {took:?}");
    assert_eq!(answer.problem(), "timeout");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(took < Duration::from_secs(5), "{took:?}");
    scene.let_go();
    assert_eq!(scene.change().await.unwrap().0.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn edge_case_beyond_db_max_in_flight_requests_are_refused_at_once() {
    let mut scene = Scene::with(&[("DB_MAX_IN_FLIGHT", "1")]).await;
    let holder = scene.change();
    scene.are_waiting(1).await;
    let bob = scene.api.user("bob");
    for _ in 0..3 {
        let (answer, took) = timed(bob.get("/api/tasks")).await;
        println!("shed after {took:?}");
        assert_exhausted(&answer);
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
    is_well(&scene.api.anonymous()).await;
    scene.let_go();
    assert_eq!(holder.await.unwrap().0.status, 200);
    assert_eq!(bob.get("/api/tasks").await.status, 200);
}
