//! The server ends, falls silent and comes back: what callers see, and how soon it is over.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::proxy::{Detour, Proxy, connect};
use crate::support::scene::{locked, until_a_session_waits, waiting_for_locks};
use crate::support::{
    eventually, migrated, read, renamed, settings, stored, timed, timed_out, unavailable, unexpected,
};
use adapters_postgres::{PostgresDatabase, PostgresTaskRepository};
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{Expected, Fingerprint, IdempotencyKey, Inserted, Task, TaskRepository, UpdateError};
use domain::testing::{a_task, an_owner};
use futures_util::future::{join, join_all, join3};
use test_postgres::{Cluster, ClusterOptions, StopMode, TestDatabase};
use tokio::io::copy_bidirectional;
use tokio::time::{sleep, timeout};

const MOMENT: Duration = Duration::from_millis(100);

/// A repository with a task, on the server of this test process.
async fn with_a_task() -> (TestDatabase, PostgresTaskRepository, Task) {
    let database = test_postgres::fresh_database().await;
    let repository = migrated(database.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    read(&repository, &task).await.expect("a look-up");
    (database, repository, task)
}

/// The same behind a proxy.
struct Proxied {
    database: TestDatabase,
    proxy: Proxy,
    repository: PostgresTaskRepository,
    task: Task,
}

impl Proxied {
    async fn new() -> Self {
        let database = test_postgres::fresh_database().await;
        let proxy = Proxy::before(database.url()).await;
        let repository = migrated(proxy.url()).await.worker();
        let task = stored(&repository, &an_owner(), "title").await;
        read(&repository, &task).await.expect("a look-up");
        Self {
            database,
            proxy,
            repository,
            task,
        }
    }
}

/// Repeats a read and a write until both succeed, and tells how many seconds that took. Meanwhile the server may
/// be out of reach, and nothing else.
async fn seconds_until_well(repository: &PostgresTaskRepository, task: &Task) -> f64 {
    let started = Instant::now();
    loop {
        let (read, write) = join(read(repository, task), renamed(repository, task, "other")).await;
        let answers = [read.map_err(UpdateError::from), write.map(drop)];
        if answers.iter().all(Result::is_ok) {
            return started.elapsed().as_secs_f64();
        }
        for answer in answers.into_iter().filter(Result::is_err) {
            unavailable(answer);
        }
        assert!(started.elapsed().as_secs() < 10, "it never recovers");
    }
}

/// Ends every session on the database but the one that asks.
async fn end_all_sessions(database: &TestDatabase) -> i64 {
    let client = database.client().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    client
        .query_one(end, &[])
        .await
        .expect("the end of sessions")
        .get(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_stopped_server_is_unavailable_in_time_and_is_used_again_as_soon_as_it_is_back() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = cluster.fresh_database().await;
    let repository = migrated(database.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    for mode in [StopMode::Fast, StopMode::Immediate] {
        read(&repository, &task).await.expect("a look-up");
        cluster.stop(mode);
        let asked = join(
            timed(read(&repository, &task)),
            timed(renamed(&repository, &task, "other")),
        );
        let ((found, read_seconds), (updated, write_seconds)) = asked.await;
        let (found, updated) = (unavailable(found), unavailable(updated));
        assert!(found.contains("connect"), "{found}");
        assert!(updated.contains("connect"), "{updated}");
        assert!(
            read_seconds < 3.0 && write_seconds < 3.0,
            "{read_seconds} {write_seconds}"
        );
        assert!(repository.is_degraded());

        cluster.resume();
        let seconds = seconds_until_well(&repository, &task).await;
        assert!(seconds < 1.0, "{seconds}");
        assert!(!repository.is_degraded());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sessions_that_ended_while_idle_are_replaced_at_once() {
    let (database, repository, task) = with_a_task().await;
    for _ in 0..5 {
        renamed(&repository, &task, "before").await.expect("an update");
        assert!(
            end_all_sessions(&database).await >= 2,
            "a read and a work session"
        );
        let seconds = seconds_until_well(&repository, &task).await;
        assert!(seconds < 1.0, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sessions_that_the_server_ended_for_idleness_cost_no_failure() {
    let (database, repository, task) = with_a_task().await;
    let client = database.client().await;
    let statement = format!(
        "ALTER DATABASE {} SET idle_session_timeout = '50ms'",
        database.name()
    );
    client.batch_execute(&statement).await.expect("a limit");
    end_all_sessions(&database).await;
    seconds_until_well(&repository, &task).await;
    for _ in 0..3 {
        sleep(2 * MOMENT).await;
        read(&repository, &task).await.expect("a look-up");
        renamed(&repository, &task, "other").await.expect("an update");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sessions_that_end_under_load_cost_no_one_a_creation_with_a_key_a_look_up_or_a_change() {
    let (database, repository, _) = with_a_task().await;
    let started = Instant::now();
    let callers: Vec<_> = (0..8)
        .map(|number| {
            let repository = repository.clone();
            tokio::spawn(async move {
                let (mut calls, mut outages) = (0, 0);
                while started.elapsed() < 20 * MOMENT {
                    let task = a_task(&an_owner(), &format!("caller {number}"));
                    let key = IdempotencyKey::new(task.id().to_string(), Fingerprint([7; 32]));
                    let inserted = repository.insert(&task, Some(key.expect("a valid key"))).await;
                    assert_eq!(inserted.expect("an insertion"), Inserted::New);
                    read(&repository, &task).await.expect("a look-up");
                    let updated = renamed(&repository, &task, "other").await.expect("an update");
                    assert_eq!(updated.version(), task.version().next(), "changed once");
                    // Only a deletion must not run twice.
                    match repository.delete(task.owner(), task.id(), &Expected::Any).await {
                        Ok(()) => {}
                        Err(UpdateError::Storage(StorageError::Unavailable(_))) => outages += 1,
                        other => panic!("{other:?}"),
                    }
                    calls += 4;
                }
                (calls, outages)
            })
        })
        .collect();
    let mut ended = 0;
    for _ in 0..3 {
        // Who runs for the second time shall not be hit twice.
        sleep(5 * MOMENT).await;
        ended += end_all_sessions(&database).await;
    }
    let (mut calls, mut outages) = (0, 0);
    for caller in callers {
        let (c, o) = caller.await.expect("nothing but outages");
        (calls, outages) = (calls + c, outages + o);
    }
    assert!(
        ended >= 6 && outages < calls / 4,
        "{ended} sessions ended, {calls} calls, {outages} deletions were told to try again"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_the_administrator_ends_runs_once_more_or_is_an_outage_with_its_code() {
    let (database, repository, task) = with_a_task().await;
    let mut client = database.client().await;
    let lock = locked(&mut client, &task).await;
    let waiting = tokio::spawn({
        let (repository, task) = (repository.clone(), task.clone());
        async move { renamed(&repository, &task, "other").await }
    });
    until_a_session_waits(&lock).await;
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    lock.execute(end, &[]).await.expect("an end");
    until_a_session_waits(&lock).await;
    lock.rollback().await.expect("an end");
    waiting.await.expect("no panic").expect("an update");

    let lock = locked(&mut client, &task).await;
    let waiting = tokio::spawn({
        let (repository, task) = (repository.clone(), task.clone());
        async move { repository.delete(task.owner(), task.id(), &Expected::Any).await }
    });
    until_a_session_waits(&lock).await;
    lock.execute(end, &[]).await.expect("an end");
    assert_eq!(
        unavailable(waiting.await.expect("no panic")),
        "SQLSTATE 57P01: terminating connection due to administrator command"
    );
    lock.rollback().await.expect("an end");
    renamed(&repository, &task, "still there")
        .await
        .expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_falls_silent_is_given_up_in_time_and_asked_anew() {
    let Proxied {
        proxy,
        repository,
        task,
        database: _database,
    } = Proxied::new().await;

    proxy.fall_silent();
    let silence = join(
        async {
            let (found, seconds) = timed(read(&repository, &task)).await;
            assert_eq!(timed_out(found), "no answer within 2.5s");
            assert!((2.4..3.0).contains(&seconds), "{seconds}");
            // The next one needs a new connection, and the silent server gives none.
            let (found, seconds) = timed(read(&repository, &task)).await;
            unavailable(found);
            assert!((1.9..2.6).contains(&seconds), "{seconds}");
        },
        async {
            // The read has found out meanwhile.
            let (updated, seconds) = timed(renamed(&repository, &task, "other")).await;
            assert_eq!(
                unavailable(updated),
                "SQLSTATE 08006: the connection has fallen silent"
            );
            assert!((2.4..5.5).contains(&seconds), "{seconds}");
        },
    );
    silence.await;
    assert!(repository.is_degraded());

    proxy.forward_again();
    let seconds = seconds_until_well(&repository, &task).await;
    assert!(
        seconds < 2.6,
        "longer than the attempt that was under way: {seconds}"
    );
    assert!(!repository.is_degraded());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_silence_that_one_connection_meets_is_not_met_again_on_the_others() {
    let Proxied {
        database,
        proxy,
        repository,
        task,
    } = Proxied::new().await;
    // Several connections of the work lane.
    let mut client = database.client().await;
    let lock = locked(&mut client, &task).await;
    let waiting: Vec<_> = (0..4)
        .map(|number| {
            let (repository, task) = (repository.clone(), task.clone());
            tokio::spawn(async move { renamed(&repository, &task, &format!("title {number}")).await })
        })
        .collect();
    eventually("all of them wait", async || waiting_for_locks(&lock).await == 4).await;
    lock.rollback().await.expect("an end");
    for update in waiting {
        update.await.expect("no panic").expect("an update");
    }
    read(&repository, &task).await.expect("a look-up");

    proxy.fall_silent();
    timed_out(read(&repository, &task).await);
    proxy.forward_again();
    let all = join_all((0..4).map(|_| timed(renamed(&repository, &task, "other"))));
    for (updated, seconds) in all.await {
        updated.expect("an update");
        assert!(seconds < 2.0, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn connections_that_have_fallen_silent_cost_less_than_a_second_where_others_can_be_made() {
    let Proxied {
        database: _database,
        proxy,
        repository,
        task,
    } = Proxied::new().await;
    read(&repository, &task).await.expect("a look-up");
    renamed(&repository, &task, "before").await.expect("an update");
    proxy.fall_silent();
    proxy.forward_again();
    // Those that are open stay silent.
    let asked = join3(
        timed(read(&repository, &task)),
        timed(read(&repository, &task)),
        timed(renamed(&repository, &task, "meanwhile")),
    );
    let ((first, first_seconds), (second, second_seconds), (updated, update_seconds)) = asked.await;
    first.expect("a look-up");
    second.expect("a look-up over the same connection");
    updated.expect("an update, once more");
    for seconds in [first_seconds, second_seconds, update_seconds] {
        assert!(seconds < 1.0, "{first_seconds} {second_seconds} {update_seconds}");
    }
    let (updated, seconds) = timed(renamed(&repository, &task, "after")).await;
    updated.expect("an update");
    assert!(seconds < 0.5, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn whatever_a_pooler_says_before_it_hangs_up_is_an_outage() {
    let Proxied {
        database,
        proxy,
        repository,
        task,
    } = Proxied::new().await;
    let client = database.client().await;
    client
        .batch_execute("BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a lock");
    let hangs_up = async {
        sleep(MOMENT).await;
        proxy.hang_up();
    };
    let asked = join3(
        read(&repository, &task),
        renamed(&repository, &task, "other"),
        hangs_up,
    );
    let (found, updated, ()) = asked.await;
    // Both would run once more, but get no new connection.
    for cause in [unavailable(found), unavailable(updated)] {
        assert_eq!(cause, "SQLSTATE 08P01: server connection closed");
    }
    proxy.forward_again();
    client.batch_execute("ROLLBACK").await.expect("an end");
    let seconds = seconds_until_well(&repository, &task).await;
    assert!(seconds < 1.0, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_silent_connection_is_found_out_even_if_no_caller_waits_for_it() {
    let Proxied {
        proxy,
        repository,
        task,
        database: _database,
    } = Proxied::new().await;
    proxy.fall_silent();
    let impatient = join(
        timeout(MOMENT, read(&repository, &task)),
        timeout(MOMENT, renamed(&repository, &task, "other")),
    );
    assert!(matches!(impatient.await, (Err(_), Err(_))), "silence");
    proxy.forward_again();

    // The one work connection that was open is set aside: others are made. The shared read connection is tried
    // until it has been silent for too long.
    timeout(MOMENT * 5, renamed(&repository, &task, "other"))
        .await
        .expect("an answer")
        .expect("an update");
    let started = Instant::now();
    while timeout(MOMENT, read(&repository, &task)).await.is_err() {
        assert!(
            started.elapsed() < Duration::from_millis(3_500),
            "it never recovers"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_lets_no_one_in_is_unavailable_and_not_busy() {
    let database = test_postgres::fresh_database().await;
    let proxy = Proxy::before(database.url()).await;
    let repository = PostgresDatabase::new(settings(proxy.url())).worker();
    proxy.fall_silent();
    for _ in 0..2 {
        let (found, seconds) = timed(repository.find(&an_owner(), a_task(&an_owner(), "absent").id())).await;
        unavailable(found);
        assert!((1.9..2.6).contains(&seconds), "{seconds}");
        assert!(repository.is_degraded());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_wakes_up_slowly_is_awake_for_the_next_caller() {
    let database = test_postgres::fresh_database().await;
    migrated(database.url()).await;
    let connections = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&connections);
    let sleeper = Detour::to(database.url(), move |mut client, config| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(10 * MOMENT).await;
            let _ = copy_bidirectional(&mut client, &mut connect(&config).await).await;
        }
    })
    .await;
    let mut settings = settings(sleeper.url());
    settings.acquire_timeout = 3 * MOMENT;
    settings.connect_timeout = Some(100 * MOMENT);
    let repository = PostgresDatabase::new(settings).worker();
    let (impatient, seconds) = timed(repository.check()).await;
    unavailable(impatient);
    assert!((0.25..0.8).contains(&seconds), "{seconds}");
    let mut impatient = 1;
    while let Err(error) = repository.check().await {
        unavailable::<()>(Err(error));
        impatient += 1;
    }
    assert!(impatient < 10, "{impatient}");
    let connections = connections.load(Ordering::Relaxed);
    // The attempt of the first caller went on after it had gone, and another one began beside it because it was slow.
    assert!(connections <= 2, "{connections}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_is_answered_only_after_its_commit() {
    let (database, repository, task) = with_a_task().await;
    let client = database.client().await;
    // The notice makes the server send what it has so far: the row of the answer. Then the commit fails.
    let late = "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE NOTICE 'the answer is on its way';
            PERFORM pg_sleep(0.2);
            RAISE EXCEPTION 'too late';
        END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE OR DELETE ON tasks DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION late()";
    client.batch_execute(late).await.expect("a trigger");

    let updated = renamed(&repository, &task, "other").await.map(drop);
    let inserted = repository
        .insert(&a_task(&an_owner(), "new"), None)
        .await
        .map(drop);
    let deleted = repository.delete(task.owner(), task.id(), &Expected::Any).await;
    for cause in [unexpected(updated), unexpected(inserted), unexpected(deleted)] {
        assert_eq!(cause, "SQLSTATE P0001: too late");
    }
    assert_eq!(
        repository.find(task.owner(), task.id()).await.expect("a look-up"),
        Some(task)
    );
}
