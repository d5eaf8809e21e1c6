//! PgBouncer in transaction mode: each transaction may meet another connection of the server.

use std::io::Write;

use serde_json::json;
use test_postgres::{Cluster, ClusterOptions, PgBouncer};
use tokio::task::JoinSet;

use crate::support::{Binary, Storage, TaskApi, User};

/// The first version that carries prepared statements in transaction mode.
const CARRIES_PREPARED_STATEMENTS: (u32, u32) = (1, 21);

/// A server behind PgBouncer; all of it ends together.
struct Scene {
    server: Binary,
    _pooler: PgBouncer,
    _cluster: Cluster,
}

impl Scene {
    async fn new() -> Self {
        let cluster = Cluster::start(&ClusterOptions::default());
        let pooler = PgBouncer::before(&cluster);
        let server = TaskApi::serve_on(&pooler.url("postgres")).start().await;
        Self {
            server,
            _pooler: pooler,
            _cluster: cluster,
        }
    }

    /// The statuses that `users` users get who each create, change, list, and delete a task, all at once.
    async fn statuses(&self, users: usize) -> Vec<u16> {
        let api = self.server.api(Storage::Postgres);
        let mut work = JoinSet::new();
        for number in 0..users {
            work.spawn(statuses_of(api.user(&format!("user-{number}"))));
        }
        work.join_all().await.concat()
    }
}

async fn statuses_of(user: User) -> Vec<u16> {
    let created = user.post("/api/tasks", &json!({ "title": "carried" })).await;
    let mut statuses = vec![created.status.as_u16()];
    if created.status == 201 {
        let path = format!("/api/tasks/{}", created.json()["id"].as_str().expect("an id"));
        let change = json!({ "status": "completed" });
        for answer in [
            user.put(&path, &change).await,
            user.get(&path).await,
            user.get("/api/tasks?status=completed&q=carried").await,
            user.get("/api/tasks/summary").await,
            user.delete(&path).await,
        ] {
            statuses.push(answer.status.as_u16());
        }
    }
    statuses
}

/// Whether PgBouncer is there, and of this kind. If not, that is said past the test harness, which hides what is
/// printed.
fn is_there(kind: &str, is_it: impl Fn((u32, u32)) -> bool) -> bool {
    let found = PgBouncer::version();
    let is_there = found.is_some_and(is_it);
    if !is_there {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: needs PgBouncer {kind} on PATH or in PGBOUNCER, found {found:?}"
        );
    }
    is_there
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn pgbouncer_carries_everything() {
    if is_there("1.21 or newer", |version| version >= CARRIES_PREPARED_STATEMENTS) {
        let scene = Scene::new().await;
        // More users than connections, so that they meet each other's statements.
        let statuses = scene.statuses(40).await;
        assert_eq!(statuses, [201, 200, 200, 200, 200, 204].repeat(40));
        let log = scene.server.log();
        assert!(log.contains("does not take start-up options"), "{log}");
        assert!(!log.contains("prepared statement"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn an_old_pgbouncer_makes_503s_and_one_line_in_the_log_says_why() {
    if is_there("older than 1.21", |version| version < CARRIES_PREPARED_STATEMENTS) {
        let scene = Scene::new().await;
        super::until("the log says why", async || {
            let statuses = scene.statuses(40).await;
            assert!(
                statuses
                    .iter()
                    .all(|status| matches!(status, 200 | 201 | 204 | 404 | 503)),
                "{statuses:?}"
            );
            scene
                .server
                .log()
                .contains("the pooler does not carry prepared statements")
        })
        .await;
        let lines = scene.server.log().matches("use PgBouncer 1.21 or newer").count();
        assert_eq!(lines, 1);
    }
}
