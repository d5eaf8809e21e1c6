//! A repository with tasks, and a session beside it that can stand in its way.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use adapters_postgres::{PostgresDatabase, PostgresSettings, PostgresTaskRepository};
use domain::task::{Task, UpdateError};
use domain::testing::an_owner;
use test_postgres::TestDatabase;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Transaction};

use super::{eventually, migrated_with, read, renamed, settings, stored, timed};

/// The scene of the tests: a repository, a session beside it, and two tasks.
pub(crate) struct Scene {
    pub(crate) database: TestDatabase,
    pub(crate) client: Client,
    pub(crate) adapter: PostgresDatabase,
    pub(crate) repository: PostgresTaskRepository,
    pub(crate) task: Task,
    pub(crate) other: Task,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut PostgresSettings)) -> Self {
        Self::over(test_postgres::fresh_database().await, adjust).await
    }

    pub(crate) async fn over(database: TestDatabase, adjust: impl FnOnce(&mut PostgresSettings)) -> Self {
        let mut settings = settings(database.url());
        adjust(&mut settings);
        let adapter = migrated_with(settings).await;
        let repository = adapter.worker();
        let client = database.client().await;
        Self {
            task: stored(&repository, &an_owner(), "task").await,
            other: stored(&repository, &an_owner(), "other").await,
            database,
            client,
            adapter,
            repository,
        }
    }

    pub(crate) async fn execute(&self, statements: &str) {
        self.client.batch_execute(statements).await.expect("a set-up");
    }

    /// Sets something for the sessions that begin after this, and ends the others.
    pub(crate) async fn set(&self, setting: &str) {
        let name = self.database.name();
        self.execute(&format!(
            "ALTER DATABASE {name} SET {setting};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}"
        ))
        .await;
        // Until they are gone.
        let ours = format!("SELECT FROM pg_stat_activity WHERE {OURS}");
        eventually("the sessions end", async || {
            self.client.query(&ours, &[]).await.expect("sessions").is_empty()
        })
        .await;
        eventually("others begin", async || {
            read(&self.repository, &self.task).await.is_ok()
        })
        .await;
    }

    /// An update of the task, under way.
    pub(crate) fn renaming(&self, task: &Task, title: &str) -> JoinHandle<(Result<Task, UpdateError>, f64)> {
        let (repository, task, title) = (self.repository.clone(), task.clone(), title.to_owned());
        tokio::spawn(async move { timed(renamed(&repository, &task, &title)).await })
    }
}

pub(crate) const OURS: &str = "datname = current_database() AND application_name = 'task-api'";

/// Holds the lock that every change of this task needs.
pub(crate) async fn locked<'a>(client: &'a mut Client, task: &Task) -> Transaction<'a> {
    let transaction = client.transaction().await.expect("a transaction");
    let lock = "SELECT FROM tasks WHERE id::text = $1 FOR UPDATE";
    let rows = transaction
        .query(lock, &[&task.id().to_string()])
        .await
        .expect("a lock");
    assert_eq!(rows.len(), 1);
    transaction
}

/// How many sessions of ours wait for a lock.
pub(crate) async fn waiting_for_locks(client: &Transaction<'_>) -> usize {
    // A transaction sees the activity as it was at its first look.
    let fresh_look = "SELECT pg_stat_clear_snapshot()";
    client.execute(fresh_look, &[]).await.expect("a fresh look");
    let waiting = format!("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND {OURS}");
    client.query(&waiting, &[]).await.expect("sessions").len()
}

pub(crate) async fn until_a_session_waits(client: &Transaction<'_>) {
    eventually("a session waits for the lock", async || {
        waiting_for_locks(client).await > 0
    })
    .await;
}

pub(crate) async fn sessions(client: &Client) -> Vec<i32> {
    let pids = format!("SELECT pid FROM pg_stat_activity WHERE {OURS} ORDER BY pid");
    let rows = client.query(&pids, &[]).await.expect("sessions");
    rows.iter().map(|row| row.get(0)).collect()
}
