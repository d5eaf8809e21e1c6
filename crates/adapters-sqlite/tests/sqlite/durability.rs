//! What was acknowledged is there, however many write at once and whichever process opens the file next.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use crate::support::Fixture;
use adapters_sqlite::{SqliteDatabase, SqliteSettings, SqliteTaskRepository};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::storage::StorageError;
use domain::task::{
    Expected, Fingerprint, IdempotencyKey, InsertError, Inserted, PageLimit, Sort, Task, TaskFilter,
    TaskQuery, TaskRepository,
};
use domain::testing::{a_task, an_owner};
use tokio::task::JoinSet;

async fn all(tasks: &SqliteTaskRepository) -> Vec<Task> {
    let limit = PageLimit::new(PageLimit::MAX.into()).expect("a valid limit");
    let query = TaskQuery::new(TaskFilter::default(), Sort::default(), limit, None).expect("no cursor");
    tasks.list(&an_owner(), &query).await.expect("a page").items
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_are_there_after_reopening() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let (kept, deleted) = (a_task(&an_owner(), "kept"), a_task(&an_owner(), "deleted"));
    for task in [&kept, &deleted] {
        tasks.insert(task, None).await.unwrap();
    }
    tasks
        .delete(deleted.owner(), deleted.id(), &Expected::Any)
        .await
        .unwrap();
    drop(fixture.database);

    let closed = tasks.find(kept.owner(), kept.id()).await.unwrap_err();
    assert!(matches!(closed, StorageError::Unavailable(_)), "{closed:?}");

    let database = SqliteDatabase::open(&fixture.path, SqliteSettings::default()).unwrap();
    assert_eq!(database.migrate().unwrap(), Vec::<String>::new());
    assert_eq!(all(&database.tasks()).await, [kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_acknowledged_only_when_other_connections_see_it() {
    let fixture = Fixture::with(SqliteSettings::default());
    let other = SqliteDatabase::open(&fixture.path, SqliteSettings::default()).unwrap();
    for number in 0..50 {
        let task = a_task(&an_owner(), &format!("task {number}"));
        fixture.database.tasks().insert(&task, None).await.unwrap();
        let seen = other.tasks().find(task.owner(), task.id()).await.unwrap();
        assert_eq!(seen, Some(task));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_creations_are_all_stored_and_the_failures_among_them_harm_nobody() {
    const CREATIONS: usize = 300;
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let taken = a_task(&an_owner(), "first");
    tasks.insert(&taken, None).await.unwrap();

    let mut calls = JoinSet::new();
    for number in 0..CREATIONS {
        let (tasks, taken) = (tasks.clone(), taken.clone());
        let task = a_task(&an_owner(), &format!("task {number}"));
        calls.spawn(async move { (tasks.insert(&task, None).await, Some(task)) });
        if number % 10 == 0 {
            let tasks = fixture.database.tasks();
            calls.spawn(async move { (tasks.insert(&taken, None).await, None) });
        }
    }
    let mut stored = vec![taken];
    for (answer, task) in calls.join_all().await {
        match task {
            Some(task) => {
                assert_eq!(answer.unwrap(), Inserted::New);
                stored.push(task);
            }
            None => assert!(matches!(answer, Err(InsertError::AlreadyExists))),
        }
    }
    stored.sort_unstable_by_key(|task| std::cmp::Reverse(task.id()));
    assert_eq!(all(&tasks).await, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_was_accepted() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let tasks = tasks.clone();
        calls.spawn(async move {
            tasks
                .insert(&a_task(&an_owner(), &format!("task {number}")), None)
                .await
        });
    }
    tokio::task::yield_now().await;
    drop(fixture.database);
    let answers = calls.join_all().await;
    let acknowledged = answers.iter().filter(|answer| answer.is_ok()).count();
    for refused in answers.into_iter().filter_map(Result::err) {
        assert!(
            matches!(refused, InsertError::Storage(StorageError::Unavailable(_))),
            "{refused:?}"
        );
    }
    let reopened = SqliteDatabase::open(&fixture.path, SqliteSettings::default()).unwrap();
    assert_eq!(all(&reopened.tasks()).await.len(), acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_share_a_file() {
    let fixture = Fixture::with(SqliteSettings::default());
    let other = SqliteDatabase::open(&fixture.path, SqliteSettings::default()).unwrap();
    let mut calls = JoinSet::new();
    for round in 0..50 {
        for tasks in [fixture.database.tasks(), other.tasks()] {
            let key = IdempotencyKey::new(format!("key-{round}"), Fingerprint([7; 32])).expect("a valid key");
            calls.spawn(async move { tasks.insert(&a_task(&an_owner(), "one"), Some(key)).await });
        }
    }
    let answers = calls.join_all().await;
    let new = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Inserted::New)))
        .count();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(new, 50);
    assert_eq!(all(&other.tasks()).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grew_does_not_keep_its_size() {
    let fixture = Fixture::with(SqliteSettings::default());
    let log = fixture.path.with_extension("db-wal");
    let size = || std::fs::metadata(&log).expect("a log").len();
    let mut stranger =
        SqliteConnection::establish(fixture.path.to_str().expect("UTF-8")).expect("a connection");
    stranger
        .batch_execute(
            "CREATE TABLE other (x); INSERT INTO other VALUES (zeroblob(30000000)); DROP TABLE other",
        )
        .expect("a large change");
    assert!(size() > 30_000_000, "{}", size());
    // What is folded into the file is written over, and the rest is given back.
    stranger
        .batch_execute("PRAGMA wal_checkpoint")
        .expect("a checkpoint");
    for _ in 0..2 {
        let inserted = fixture
            .database
            .tasks()
            .insert(&a_task(&an_owner(), "one"), None)
            .await;
        inserted.expect("an insertion");
    }
    assert!(size() <= 16 * 1024 * 1024, "{}", size());
}
