//! The shared parts of the tests of this crate.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

pub(crate) mod cutter;
pub(crate) mod proxy;
pub(crate) mod scene;

use std::error::Error;
use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use adapters_postgres::{DatabaseUrl, PostgresDatabase, PostgresSettings, PostgresTaskRepository};
use chrono::{DateTime, TimeDelta, Utc};
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{
    Edit, Expected, Inserted, PageLimit, Sort, Task, TaskChange, TaskFilter, TaskQuery, TaskRepository,
    Title, UpdateError,
};
use domain::testing::{a_task, noon};
use rustls::RootCertStore;

/// Settings with the product's defaults for one worker.
pub(crate) fn settings(url: &str) -> PostgresSettings {
    PostgresSettings {
        url: DatabaseUrl::parse(url).expect("a valid URL"),
        migration_url: None,
        reload: None,
        authorities: RootCertStore::empty,
        connect_timeout: None,
        acquire_timeout: Duration::from_secs(2),
        work_lane_size: 8,
        max_in_flight: 512,
    }
}

/// A database with the schema of today.
pub(crate) async fn migrated(url: &str) -> PostgresDatabase {
    migrated_with(settings(url)).await
}

pub(crate) async fn migrated_with(settings: PostgresSettings) -> PostgresDatabase {
    let database = PostgresDatabase::new(settings);
    database.migrate().await.expect("migrations");
    database
}

/// A new task in the repository.
pub(crate) async fn stored(repository: &PostgresTaskRepository, owner: &Owner, title: &str) -> Task {
    let task = a_task(owner, title);
    let inserted = repository.insert(&task, None).await.expect("an insertion");
    assert_eq!(inserted, Inserted::New);
    task
}

/// A time after the last change of every task that a test makes, and after those that were asked for before.
pub(crate) fn later() -> DateTime<Utc> {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    noon() + TimeDelta::hours(1) + TimeDelta::microseconds(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Gives a task another title.
pub(crate) async fn renamed(
    repository: &PostgresTaskRepository,
    task: &Task,
    title: &str,
) -> Result<Task, UpdateError> {
    let change = TaskChange {
        title: Edit::Set(a_title(title)),
        ..TaskChange::default()
    };
    repository
        .update(task.owner(), task.id(), &change, &Expected::Any, later())
        .await
}

/// Whether the repository answers a look-up with this task.
pub(crate) async fn read(repository: &PostgresTaskRepository, task: &Task) -> Result<(), StorageError> {
    let found = repository.find(task.owner(), task.id()).await?;
    assert_eq!(found.map(|task| task.id()), Some(task.id()));
    Ok(())
}

pub(crate) fn a_title(text: &str) -> Title {
    Title::parse(text).expect("a valid title")
}

pub(crate) fn a_page_of(limit: i64) -> TaskQuery {
    let limit = PageLimit::new(limit).expect("a valid limit");
    TaskQuery::new(TaskFilter::default(), Sort::default(), limit, None).expect("no cursor")
}

/// The cause of an outage, as the log shows it.
pub(crate) fn unavailable<T: Debug>(answer: Result<T, impl Error>) -> String {
    cause_of(answer, "the storage is out of reach")
}

/// The cause of a time-out, as the log shows it.
pub(crate) fn timed_out<T: Debug>(answer: Result<T, impl Error>) -> String {
    cause_of(answer, "the storage took too long")
}

/// The cause of a failure that should not exist, as the log shows it.
pub(crate) fn unexpected<T: Debug>(answer: Result<T, impl Error>) -> String {
    cause_of(answer, "the storage failed in an unforeseen way")
}

/// Each operation has an error of its own, and in all of them a failure of the storage has the same words.
fn cause_of<T: Debug>(answer: Result<T, impl Error>, words: &str) -> String {
    let error = answer.expect_err(words);
    assert_eq!(error.to_string(), words, "{error:?}");
    error.source().expect("a cause").to_string()
}

/// The outcome of something, and how many seconds it took.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, f64) {
    let started = Instant::now();
    let outcome = future.await;
    (outcome, started.elapsed().as_secs_f64())
}

/// Waits until it is so, for at most five seconds.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(5), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
