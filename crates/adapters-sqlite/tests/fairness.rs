//! That no user decides how long another one waits.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod support;

use std::time::{Duration, Instant};

use adapters_sqlite::{SqliteSettings, SqliteTaskRepository};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::health::StorageHealth;
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{
    Description, NewTask, Page, PageLimit, SearchTerm, Sort, Status, StatusSet, Task, TaskFilter, TaskQuery,
    TaskRepository,
};
use domain::testing::{a_new_task, a_task, an_id_at, an_owner_named, noon};
use futures_util::FutureExt;
use futures_util::future::join_all;
use support::Fixture;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Many long tasks, so that a search takes some time.
async fn with_long_tasks(tasks: &SqliteTaskRepository, owner: &Owner, count: usize) {
    let description = Description::parse("so much to read ".repeat(625)).expect("a description");
    let new = NewTask {
        description: Some(description),
        ..a_new_task("long")
    };
    let task = || Task::create(an_id_at(noon()), owner.clone(), new.clone());
    let inserting = (0..count)
        .map(|_| task())
        .map(|task| async move { tasks.insert(&task, None).await });
    assert!(join_all(inserting).await.iter().all(Result::is_ok));
}

/// A search that finds nothing.
fn a_search() -> TaskQuery {
    let filter = TaskFilter {
        search: Some(SearchTerm::parse("nothing of the kind").expect("a term")),
        ..TaskFilter::default()
    };
    let limit = PageLimit::new(10).expect("a limit");
    TaskQuery::new(filter, Sort::default(), limit, None).expect("a query")
}

/// The same, under way.
fn searching(tasks: &SqliteTaskRepository, owner: &Owner) -> JoinHandle<Result<Page, StorageError>> {
    let query = a_search();
    let (tasks, owner) = (tasks.clone(), owner.clone());
    tokio::spawn(async move { tasks.list(&owner, &query).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn short_reads_and_the_health_check_do_not_wait_for_searches_of_another_user() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let (alice, bob) = (an_owner_named("alice"), an_owner_named("bob"));
    with_long_tasks(&tasks, &alice, 50).await;
    let bobs = a_task(&bob, "short");
    tasks.insert(&bobs, None).await.expect("an insertion");

    let query = a_search();
    let mut searches: Vec<_> = (0..40).map(|_| tasks.list(&alice, &query)).collect();
    assert!(
        searches
            .iter_mut()
            .all(|search| search.as_mut().now_or_never().is_none())
    );
    let waiting = fixture.database.stats().reads.waiting;
    let bobs_requests = async {
        tasks.find(&bob, bobs.id()).await.expect("a look-up");
        tasks.check().await.expect("a healthy database");
        let page = tasks.list(&bob, &query).await.expect("a page");
        assert_eq!(page.items, []);
        fixture.database.stats().reads.waiting
    };
    tokio::select! {
        biased;
        left = bobs_requests => assert!(left + 4 >= waiting, "{waiting} searches waited, and {left} do when his are done"),
        _ = join_all(searches) => panic!("he came last"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_soon_after_its_caller_has_gone() {
    let fixture = Fixture::with(SqliteSettings::default());
    let tasks = fixture.database.tasks();
    let alice = an_owner_named("alice");
    with_long_tasks(&tasks, &alice, 500).await;
    let started = Instant::now();
    searching(&tasks, &alice)
        .await
        .expect("no panic")
        .expect("a page");
    let one_takes = started.elapsed();

    // Each begins, and its caller goes.
    let started = Instant::now();
    for _ in 0..10 {
        let search = searching(&tasks, &alice);
        sleep(one_takes / 20).await;
        search.abort();
    }
    searching(&tasks, &alice)
        .await
        .expect("no panic")
        .expect("a page");
    let all_took = started.elapsed();
    assert!(all_took < one_takes * 8, "one: {one_takes:?}, all: {all_took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_ends_half_way_because_its_caller_has_gone_is_undone() {
    let fixture = Fixture::with(SqliteSettings {
        call_timeout: Duration::from_millis(300),
        ..SqliteSettings::default()
    });
    let tasks = fixture.database.tasks();
    let alice = an_owner_named("alice");
    let path = fixture.path.to_str().expect("a path in UTF-8");
    let mut outsider = SqliteConnection::establish(path).expect("a connection");
    let rows: Vec<_> = (0..200).map(|_| a_task(&alice, "one of many")).collect();
    for task in &rows {
        tasks.insert(task, None).await.expect("an insertion");
    }
    // Each deleted row takes a while.
    outsider
        .batch_execute(
            "CREATE TRIGGER slow AFTER DELETE ON tasks BEGIN
               SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
                                     SELECT i FROM n);
             END",
        )
        .expect("a trigger");
    let statuses = StatusSet::new(Status::ALL).expect("some");
    let gone = tasks.delete_with_status(&alice, &statuses).await;
    assert!(matches!(gone, Err(StorageError::TimedOut(_))), "{gone:?}");
    // There is one writer: when this is stored, the deletion has ended.
    let behind = a_task(&alice, "behind it");
    for _ in 0..20 {
        if tasks.insert(&behind, None).await.is_ok() {
            break;
        }
    }
    let count = tasks
        .count(&alice, &TaskFilter::default())
        .await
        .expect("a count");
    assert_eq!(count, 201, "the deletion has left something out");
}
