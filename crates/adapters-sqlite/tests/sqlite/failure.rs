//! The errors that callers get when something is in the way, and that it passes.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::time::{Duration, Instant};

use crate::support::Fixture;
use adapters_sqlite::SqliteSettings;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{
    InsertError, Inserted, PageLimit, SearchTerm, Sort, Task, TaskFilter, TaskQuery, TaskRepository,
};
use domain::testing::{a_task, an_owner};
use tokio::task::JoinSet;

fn impatient() -> SqliteSettings {
    SqliteSettings {
        busy_timeout: Duration::from_millis(200),
        ..SqliteSettings::default()
    }
}

/// Another process at the same file.
fn stranger(fixture: &Fixture) -> SqliteConnection {
    SqliteConnection::establish(fixture.path.to_str().expect("a path in UTF-8")).expect("a connection")
}

fn run(connection: &mut SqliteConnection, sql: &str) {
    connection.batch_execute(sql).expect(sql);
}

fn one() -> Task {
    a_task(&an_owner(), "one")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_times_out_while_reads_go_on_and_recovers_at_once() {
    let fixture = Fixture::with(impatient());
    let tasks = fixture.database.tasks();
    let stored = one();
    tasks.insert(&stored, None).await.unwrap();
    let mut stranger = stranger(&fixture);
    run(&mut stranger, "BEGIN EXCLUSIVE");

    let began = Instant::now();
    let refused = tasks.insert(&one(), None).await.unwrap_err();
    assert!(
        matches!(refused, InsertError::Storage(StorageError::TimedOut(_))),
        "{refused:?}"
    );
    assert!(began.elapsed() >= Duration::from_millis(190), "it did not wait");
    assert!(began.elapsed() < Duration::from_secs(2), "it waited too long");
    assert!(tasks.is_degraded());

    let found = tasks.find(stored.owner(), stored.id()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&stored));
    assert!(!tasks.is_degraded());

    run(&mut stranger, "COMMIT");
    assert_eq!(tasks.insert(&one(), None).await.unwrap(), Inserted::New);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_goes_in_time_is_waited_for() {
    let fixture = Fixture::with(SqliteSettings::default());
    let mut stranger = stranger(&fixture);
    run(&mut stranger, "BEGIN IMMEDIATE");
    let tasks = fixture.database.tasks();
    let call = tokio::spawn(async move { tasks.insert(&one(), None).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!call.is_finished());
    run(&mut stranger, "COMMIT");
    assert_eq!(call.await.unwrap().unwrap(), Inserted::New);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_longer_than_its_limit_and_what_has_not_begun_is_not_done() {
    let fixture = Fixture::with(SqliteSettings {
        call_timeout: Duration::from_millis(100),
        ..SqliteSettings::default()
    });
    let mut stranger = stranger(&fixture);
    run(&mut stranger, "BEGIN IMMEDIATE");
    let tasks = fixture.database.tasks();
    let (first, second) = (one(), one());
    let began = Instant::now();
    let answers = tokio::join!(tasks.insert(&first, None), tasks.insert(&second, None));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for answer in [answers.0, answers.1] {
        assert!(
            matches!(answer, Err(InsertError::Storage(StorageError::TimedOut(_)))),
            "{answer:?}"
        );
    }
    assert!(tasks.is_degraded());

    run(&mut stranger, "COMMIT");
    // The line is served in order: when this is stored, the others have had their turn.
    while tasks.insert(&one(), None).await.is_err() {}
    for task in [first, second] {
        assert_eq!(tasks.find(task.owner(), task.id()).await.unwrap(), None);
    }
    assert!(!tasks.is_degraded());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy_and_says_nothing_about_the_database() {
    let fixture = Fixture::with(SqliteSettings {
        max_in_flight: 1,
        ..SqliteSettings::default()
    });
    let mut stranger = stranger(&fixture);
    run(&mut stranger, "BEGIN IMMEDIATE");
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let tasks = fixture.database.tasks();
        calls.spawn(async move { tasks.insert(&one(), None).await });
    }
    // One has a place.
    for _ in 0..8 {
        let refused = calls.join_next().await.unwrap().unwrap();
        assert!(
            matches!(refused, Err(InsertError::Storage(StorageError::Busy))),
            "{refused:?}"
        );
    }
    assert!(!fixture.database.tasks().is_degraded());

    run(&mut stranger, "COMMIT");
    let answers = calls.join_all().await;
    assert!(
        answers.iter().any(|answer| matches!(answer, Ok(Inserted::New))),
        "{answers:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_else_made_is_corrupt_and_harms_no_other() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let mut stranger = stranger(&fixture);
    for change in [
        "title = ' '",
        "title = CAST(x'ff' AS TEXT)",
        "created_at = created_at - 1000",
        "version = 1 << 40",
    ] {
        let task = one();
        tasks.insert(&task, None).await.unwrap();
        let id = task.id().as_uuid().simple();
        run(
            &mut stranger,
            &format!("UPDATE tasks SET {change} WHERE id = x'{id}'"),
        );
        let answer = tasks.find(task.owner(), task.id()).await;
        assert!(
            matches!(answer, Err(StorageError::Corrupt(_))),
            "{change}: {answer:?}"
        );
    }
    let answer = tasks.list(&an_owner(), &TaskQuery::default()).await;
    assert!(matches!(answer, Err(StorageError::Corrupt(_))), "{answer:?}");
    assert!(!tasks.is_degraded());

    let sound = one();
    tasks.insert(&sound, None).await.unwrap();
    assert_eq!(tasks.find(sound.owner(), sound.id()).await.unwrap(), Some(sound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_and_a_summary_do_not_pass_over_a_corrupt_row() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let mut stranger = stranger(&fixture);
    tasks.insert(&one(), None).await.unwrap();
    let filter = TaskFilter {
        search: Some(SearchTerm::parse("anything").unwrap()),
        ..TaskFilter::default()
    };
    let query = TaskQuery::new(filter.clone(), Sort::default(), PageLimit::default(), None).unwrap();
    for text in ["title", "description"] {
        run(
            &mut stranger,
            &format!("UPDATE tasks SET title = 'title', description = NULL, {text} = CAST(x'ff' AS TEXT)"),
        );
        let answer = tasks.list(&an_owner(), &query).await;
        assert!(matches!(answer, Err(StorageError::Corrupt(_))), "{answer:?}");
        let answer = tasks.count(&an_owner(), &filter).await;
        assert!(matches!(answer, Err(StorageError::Corrupt(_))), "{answer:?}");
    }
    run(
        &mut stranger,
        "PRAGMA ignore_check_constraints = ON; UPDATE tasks SET status = 'done'",
    );
    let answer = tasks.summary(&an_owner()).await;
    assert!(matches!(answer, Err(StorageError::Corrupt(_))), "{answer:?}");
    assert!(!tasks.is_degraded());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_database_says_so_and_one_without_tables_does_not() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    tasks.check().await.unwrap();
    assert!(!tasks.is_degraded());
    run(
        &mut stranger(&fixture),
        "ALTER TABLE tasks RENAME COLUMN description TO text",
    );
    for wanted in ["no such column", "no such table"] {
        let Err(StorageError::Unavailable(cause)) = tasks.check().await else {
            panic!("{wanted}")
        };
        let cause = cause.to_string();
        assert!(
            cause.starts_with("the table of tasks cannot be used (run `task-api migrate`)")
                && cause.contains(wanted),
            "{cause}"
        );
        assert!(!tasks.is_degraded(), "the database is healthy");
        run(&mut stranger(&fixture), "DROP TABLE IF EXISTS tasks");
    }
}
