//! The server goes away, falls silent and comes back: what callers see, and how soon it is over.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod support;

use std::time::{Duration, Instant};

use adapters_postgres::{PostgresDatabase, PostgresTaskRepository};
use domain::health::StorageHealth;
use domain::task::{Expected, RepositoryError, Task, TaskRepository};
use domain::testing::{a_task, an_owner};
use futures_util::future::{join, join3};
use support::proxy::Proxy;
use support::{eventually, migrated, read, renamed, settings, stored, timed, timed_out, unavailable};
use test_postgres::{Cluster, ClusterOptions, StopMode, TestDatabase};
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

/// Repeats a read and a write until both succeed, and tells how many seconds that took. Meanwhile the server may
/// be out of reach, and nothing else.
async fn seconds_until_well(repository: &PostgresTaskRepository, task: &Task) -> f64 {
    let started = Instant::now();
    loop {
        let (read, write) = join(read(repository, task), renamed(repository, task, "other")).await;
        let answers = [read, write.map(drop)];
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
async fn sessions_that_end_under_load_make_nothing_but_outages() {
    let (database, repository, _) = with_a_task().await;
    let started = Instant::now();
    let callers: Vec<_> = (0..8)
        .map(|number| {
            let repository = repository.clone();
            tokio::spawn(async move {
                let (mut well, mut outages) = (0, 0);
                while started.elapsed() < Duration::from_secs(1) {
                    let task = a_task(&an_owner(), &format!("caller {number}"));
                    let id = task.id();
                    let inserted = repository.insert(&task, None).await.map(drop);
                    let found = repository.find(task.owner(), id).await.map(drop);
                    let deleted = match repository.delete(task.owner(), id, &Expected::Any).await {
                        // Its creation was lost, or an outage hid that it is done.
                        Err(RepositoryError::NotFound) => Ok(()),
                        answer => answer,
                    };
                    for answer in [inserted, found, deleted] {
                        if answer.is_ok() {
                            well += 1;
                        } else {
                            unavailable(answer);
                            outages += 1;
                        }
                    }
                }
                (well, outages)
            })
        })
        .collect();
    while started.elapsed() < Duration::from_millis(900) {
        sleep(MOMENT).await;
        end_all_sessions(&database).await;
    }
    let (mut well, mut outages) = (0, 0);
    for caller in callers {
        let (w, o) = caller.await.expect("nothing but outages");
        (well, outages) = (well + w, outages + o);
    }
    assert!(outages > 0 && well > outages, "{well} well, {outages} outages");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_the_administrator_ends_is_an_outage_with_its_code() {
    let (database, repository, task) = with_a_task().await;
    let mut client = database.client().await;
    let transaction = client.transaction().await.expect("a transaction");
    transaction
        .batch_execute("SELECT FROM tasks FOR UPDATE")
        .await
        .expect("a lock");
    let waiting = tokio::spawn({
        let (repository, task) = (repository.clone(), task.clone());
        async move { renamed(&repository, &task, "other").await }
    });
    eventually("the update waits", async || {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        !transaction.query(end, &[]).await.expect("an end").is_empty()
    })
    .await;
    let cause = unavailable(waiting.await.expect("no panic"));
    assert_eq!(
        cause,
        "SQLSTATE 57P01: terminating connection due to administrator command"
    );
    transaction.rollback().await.expect("an end");
    renamed(&repository, &task, "other").await.expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_falls_silent_is_given_up_in_time_and_asked_anew() {
    let database = test_postgres::fresh_database().await;
    let proxy = Proxy::before(database.url()).await;
    let repository = migrated(proxy.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    read(&repository, &task).await.expect("a look-up");

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
            let (updated, seconds) = timed(renamed(&repository, &task, "other")).await;
            assert_eq!(timed_out(updated), "no answer within 5s");
            assert!((4.9..5.5).contains(&seconds), "{seconds}");
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
async fn whatever_a_pooler_says_before_it_hangs_up_is_an_outage() {
    let database = test_postgres::fresh_database().await;
    let proxy = Proxy::before(database.url()).await;
    let repository = migrated(proxy.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
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
    for cause in [unavailable(found), unavailable(updated)] {
        assert_eq!(cause, "SQLSTATE 08006: server connection closed");
    }
    proxy.forward_again();
    client.batch_execute("ROLLBACK").await.expect("an end");
    let seconds = seconds_until_well(&repository, &task).await;
    assert!(seconds < 1.0, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_silent_connection_is_found_out_even_if_no_caller_waits_for_it() {
    let database = test_postgres::fresh_database().await;
    let proxy = Proxy::before(database.url()).await;
    let repository = migrated(proxy.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    read(&repository, &task).await.expect("a look-up");
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
async fn a_server_that_lets_nobody_in_is_unavailable_and_not_busy() {
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
    for answer in [updated, inserted, deleted] {
        let Err(RepositoryError::Unexpected(cause)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(cause.to_string(), "SQLSTATE unknown: too late");
    }
    assert_eq!(
        repository.find(task.owner(), task.id()).await.expect("a look-up"),
        Some(task)
    );
}
