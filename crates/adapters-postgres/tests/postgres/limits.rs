//! Locks, time limits and overload: who waits, for how long, and who does not.

use std::time::{Duration, Instant};

use crate::support::scene::{Scene, locked, sessions, until_a_session_waits, waiting_for_locks};
use crate::support::{eventually, read, renamed, stored, timed, timed_out};
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{Page, PageLimit, SearchTerm, Sort, TaskFilter, TaskQuery, TaskRepository, UpdateError};
use domain::testing::an_owner_named;
use futures_util::future::{join, join_all};
use tokio::task::JoinHandle;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_writer_that_waits_for_a_lock_gives_up_and_disturbs_no_one() {
    let scene = Scene::new().await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    for _ in 0..5 {
        let others = join(
            timed(read(&scene.repository, &scene.task)),
            timed(renamed(&scene.repository, &scene.other, "quick")),
        );
        let ((found, read_seconds), (updated, write_seconds)) = others.await;
        found.expect("a look-up");
        updated.expect("an update");
        assert!(
            read_seconds < 0.5 && write_seconds < 0.5,
            "{read_seconds} {write_seconds}"
        );
    }
    let (answer, seconds) = waiting.await.expect("no panic");
    assert_eq!(
        timed_out(answer),
        "SQLSTATE 55P03: canceling statement due to lock timeout"
    );
    assert!((1.9..2.5).contains(&seconds), "{seconds}");
    assert!(!scene.repository.is_degraded(), "the database is healthy");
    lock.rollback().await.expect("an end");

    let before = sessions(&scene.client).await;
    renamed(&scene.repository, &scene.task, "free")
        .await
        .expect("an update");
    assert_eq!(sessions(&scene.client).await, before, "the connection was sound");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_locked_table_stops_reads_in_time_and_opens_one_more_connection_at_most() {
    let scene = Scene::new().await;
    read(&scene.repository, &scene.task).await.expect("a look-up");
    let mut client = scene.database.client().await;
    let before = sessions(&scene.client).await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a lock");
    let (found, seconds) = timed(read(&scene.repository, &scene.task)).await;
    assert_eq!(
        timed_out(found),
        "SQLSTATE 57014: canceling statement due to statement timeout"
    );
    assert!((1.9..2.4).contains(&seconds), "{seconds}");
    assert!(!scene.repository.is_degraded(), "it answers");
    let check = scene.repository.check().await;
    timed_out(check);
    // A read that takes this long is tried on another connection, the next one on yet another.
    assert!(sessions(&scene.client).await.len() <= before.len() + 1);
    lock.rollback().await.expect("an end");
    read(&scene.repository, &scene.task).await.expect("a look-up");
    eventually("the connection that was left is closed", async || {
        sessions(&scene.client).await.len() == before.len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_write_that_takes_too_long_is_stopped_by_the_server() {
    let scene = Scene::new().await;
    scene
        .execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(9); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await;
    let before = sessions(&scene.client).await;
    let (answer, seconds) = timed(renamed(&scene.repository, &scene.task, "slow")).await;
    assert_eq!(
        timed_out(answer),
        "SQLSTATE 57014: canceling statement due to statement timeout"
    );
    assert!((4.4..4.9).contains(&seconds), "{seconds}");
    assert_eq!(sessions(&scene.client).await, before, "the connection is sound");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn however_many_read_at_once_one_connection_serves_them() {
    let scene = Scene::new().await;
    let reads = (0..100).map(|_| read(&scene.repository, &scene.task));
    assert!(join_all(reads).await.iter().all(Result::is_ok));
    let sessions = sessions(&scene.client).await;
    assert_eq!(sessions.len(), 2, "one that reads, and one that stored the tasks");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_full_work_lane_turns_writers_away_and_reads_do_not_notice() {
    let scene = Scene::with(|settings| {
        settings.work_lane_size = 1;
        settings.acquire_timeout = Duration::from_millis(500);
    })
    .await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    let (answer, seconds) = timed(renamed(&scene.repository, &scene.other, "late")).await;
    assert!(
        matches!(answer, Err(UpdateError::Storage(StorageError::Busy))),
        "{answer:?}"
    );
    assert!((0.45..1.0).contains(&seconds), "{seconds}");
    assert!(!scene.repository.is_degraded(), "the database is healthy");
    let (found, seconds) = timed(read(&scene.repository, &scene.task)).await;
    found.expect("a look-up");
    assert!(seconds < 0.5, "{seconds}");
    lock.rollback().await.expect("an end");
    waiting.await.expect("no panic").0.expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn writers_who_wait_for_a_connection_get_it_in_the_order_of_their_arrival() {
    let scene = Scene::with(|settings| {
        settings.work_lane_size = 1;
        settings.acquire_timeout = Duration::from_secs(5);
    })
    .await;
    scene
        .execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let mut writers = vec![scene.renaming(&scene.task, "title 0")];
    until_a_session_waits(&lock).await;
    for number in 1..6 {
        writers.push(scene.renaming(&scene.task, &format!("title {number}")));
        eventually("it has joined the line", async || {
            scene.adapter.stats().work.waiting == number
        })
        .await;
    }
    lock.rollback().await.expect("an end");
    let mut version = scene.task.version();
    for (number, writer) in writers.into_iter().enumerate() {
        let updated = writer.await.expect("no panic").0.expect("an update");
        version = version.next();
        assert_eq!(updated.version(), version, "whose turn it was: {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn who_finds_no_place_in_the_line_is_turned_away_at_once() {
    let scene = Scene::with(|settings| settings.max_in_flight = 1).await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    let (answer, seconds) = timed(read(&scene.repository, &scene.task)).await;
    assert!(matches!(answer, Err(StorageError::Busy)), "{answer:?}");
    assert!(seconds < 1.0, "{seconds}");
    lock.rollback().await.expect("an end");
    waiting.await.expect("no panic").0.expect("an update");
    read(&scene.repository, &scene.task).await.expect("a look-up");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn users_take_turns_however_many_requests_one_of_them_has() {
    let scene = Scene::with(|settings| {
        settings.work_lane_size = 1;
        settings.acquire_timeout = Duration::from_secs(5);
    })
    .await;
    scene
        .execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await;
    let bobs = stored(&scene.repository, &an_owner_named("bob"), "bob's").await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let mut alices = vec![scene.renaming(&scene.task, "title")];
    until_a_session_waits(&lock).await;
    for number in 0..20 {
        alices.push(scene.renaming(&scene.other, &format!("title {number}")));
    }
    eventually("they wait", async || scene.adapter.stats().work.waiting == 20).await;
    let bob = scene.renaming(&bobs, "his turn");
    eventually("so does bob", async || scene.adapter.stats().work.waiting == 21).await;
    lock.rollback().await.expect("an end");
    bob.await.expect("no panic").0.expect("an update");
    let version = scene.repository.find(scene.other.owner(), scene.other.id());
    let version = version.await.expect("a look-up").expect("a task").version();
    assert!(version.get() <= 4, "bob came after {version:?} changes of hers");
    for alice in alices {
        alice.await.expect("no panic").0.expect("an update");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_user_with_the_longest_queue_makes_room_for_another_one() {
    let scene = Scene::with(|settings| {
        settings.work_lane_size = 1;
        settings.max_in_flight = 4;
    })
    .await;
    let bobs = stored(&scene.repository, &an_owner_named("bob"), "bob's").await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let first = scene.renaming(&scene.task, "first");
    until_a_session_waits(&lock).await;
    let mut waiting = Vec::new();
    for number in 1..4 {
        waiting.push(scene.renaming(&scene.other, "waiting"));
        eventually("it waits", async || scene.adapter.stats().work.waiting == number).await;
    }
    let (answer, _) = scene.renaming(&scene.other, "too many").await.expect("no panic");
    assert!(
        matches!(answer, Err(UpdateError::Storage(StorageError::Busy))),
        "{answer:?}"
    );
    read(&scene.repository, &bobs)
        .await
        .expect("a look-up of another user");
    let newest = waiting.pop().expect("three of them");
    let (answer, seconds) = newest.await.expect("no panic");
    assert!(
        matches!(answer, Err(UpdateError::Storage(StorageError::Busy))),
        "{answer:?}"
    );
    assert!(seconds < 1.5, "{seconds}");
    lock.rollback().await.expect("an end");
    for update in waiting.into_iter().chain([first]) {
        update.await.expect("no panic").0.expect("an update");
    }
}

/// A search of this user, under way.
#[expect(clippy::expect_used, reason = "what it searches for is sound")]
fn searching(scene: &Scene, owner: &str) -> JoinHandle<Result<Page, StorageError>> {
    let filter = TaskFilter {
        search: Some(SearchTerm::parse("nothing").expect("a term")),
        ..TaskFilter::default()
    };
    let limit = PageLimit::new(10).expect("a limit");
    let query = TaskQuery::new(filter, Sort::default(), limit, None).expect("a query");
    let (repository, owner) = (scene.repository.clone(), an_owner_named(owner));
    tokio::spawn(async move { repository.list(&owner, &query).await })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn searches_never_use_up_the_connections_of_changes_nor_those_of_another_users_searches() {
    let scene = Scene::with(|settings| settings.work_lane_size = 4).await;
    let mut client = scene.database.client().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a lock");
    let alices: Vec<_> = (0..10).map(|_| searching(&scene, "alice")).collect();
    eventually("one of hers runs", async || waiting_for_locks(&lock).await == 1).await;
    let bobs = searching(&scene, "bob");
    eventually("and one of his", async || waiting_for_locks(&lock).await == 2).await;
    let writing = [
        scene.renaming(&scene.task, "one"),
        scene.renaming(&scene.other, "two"),
    ];
    eventually("and two changes", async || waiting_for_locks(&lock).await == 4).await;
    lock.rollback().await.expect("an end");
    for search in alices.into_iter().chain([bobs]) {
        search.await.expect("no panic").expect("a page");
    }
    for update in writing {
        update.await.expect("no panic").0.expect("an update");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_search_whose_caller_walks_away_is_cancelled() {
    let scene = Scene::new().await;
    let mut client = scene.database.client().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a lock");
    let search = searching(&scene, "alice");
    until_a_session_waits(&lock).await;
    search.abort();
    let started = Instant::now();
    eventually("it is cancelled", async || waiting_for_locks(&lock).await == 0).await;
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    eventually("its connection is closed", async || {
        scene.adapter.stats().work.used == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_writer_who_walks_away_leaves_its_connection_to_no_one_until_its_statement_has_ended() {
    let scene = Scene::with(|settings| settings.work_lane_size = 2).await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let impatient = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    impatient.abort();
    assert!(impatient.await.is_err());
    for _ in 0..5 {
        let (answer, seconds) = timed(renamed(&scene.repository, &scene.other, "quick")).await;
        answer.expect("an update");
        assert!(seconds < 0.5, "{seconds}");
    }
    eventually("it is cancelled", async || waiting_for_locks(&lock).await == 0).await;
    eventually("its connection is closed", async || {
        scene.adapter.stats().work.used == 0
    })
    .await;
    lock.rollback().await.expect("an end");
    let found = scene.repository.find(scene.task.owner(), scene.task.id());
    let found = found.await.expect("a look-up").expect("a task");
    assert_eq!(found.version(), scene.task.version(), "it was not stored");
}
