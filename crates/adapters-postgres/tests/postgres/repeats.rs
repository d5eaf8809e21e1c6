//! Connections that break at every point of a statement: nothing is lost, nothing is done twice, and what cannot be
//! known is not claimed.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and a failure says in which case"
)]

use std::time::Duration;

use crate::support::cutter::{CUTS, Cut, Cutter};
use crate::support::{
    a_page_of, a_title, eventually, later, migrated, renamed, settings, stored, timed, timed_out, unavailable,
};
use adapters_postgres::{PostgresDatabase, PostgresSettings, PostgresTaskRepository};
use chrono::TimeDelta;
use domain::health::StorageHealth;
use domain::task::{
    Edit, Expected, Fingerprint, IdempotencyKey, InsertError, Inserted, SearchTerm, Status, StatusSet, Task,
    TaskChange, TaskFilter, TaskRepository, UpdateError,
};
use domain::testing::{a_task, an_owner, noon};
use futures_util::future::{join, join_all};
use test_postgres::TestDatabase;
use tokio_postgres::Client;

/// A repository behind a cutter, with one task, and a session beside them.
struct Bench {
    database: TestDatabase,
    client: Client,
    cutter: Cutter,
    through_cutter: PostgresDatabase,
    repository: PostgresTaskRepository,
    task: Task,
}

impl Bench {
    async fn new() -> Self {
        let database = test_postgres::fresh_database().await;
        migrated(database.url()).await;
        let cutter = Cutter::before(database.url()).await;
        let through_cutter = PostgresDatabase::new(PostgresSettings {
            // A call that loses every connection waits for new ones, on a busy machine for long: as long as a call may
            // take.
            acquire_timeout: Duration::from_secs(5),
            ..settings(cutter.url())
        });
        let repository = through_cutter.worker();
        Self {
            through_cutter,
            task: stored(&repository, &an_owner(), "title").await,
            client: database.client().await,
            database,
            cutter,
            repository,
        }
    }

    async fn rows(&self) -> i64 {
        let rows = self.client.query_one("SELECT count(*) FROM tasks", &[]).await;
        rows.expect("a count").get(0)
    }

    /// The task as it is stored, past the cutter.
    async fn as_stored(&self, task: &Task) -> Option<Task> {
        let direct = PostgresDatabase::new(settings(self.database.url())).worker();
        direct.find(task.owner(), task.id()).await.expect("a look-up")
    }
}

fn a_key(byte: u8) -> IdempotencyKey {
    IdempotencyKey::new("key", Fingerprint([byte; 32])).expect("a valid key")
}

fn to_title(text: &str) -> TaskChange {
    TaskChange {
        title: Edit::Set(a_title(text)),
        ..TaskChange::default()
    }
}

fn as_it_is(task: &Task) -> Expected {
    Expected::OneOf(vec![task.version()])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_read_that_is_lost_runs_once_more() {
    let bench = Bench::new().await;
    let Bench {
        cutter,
        repository,
        task,
        ..
    } = &bench;
    let filter = TaskFilter {
        search: Some(SearchTerm::parse("TITLE").expect("a valid term")),
        ..TaskFilter::default()
    };
    for cut in CUTS {
        println!("{cut:?}");
        cutter.cut("SELECT", cut, 1);
        let found = repository.find(task.owner(), task.id()).await;
        assert_eq!(found.expect("a look-up").as_ref(), Some(task));
        assert_eq!(cutter.asked("SELECT"), 2);

        cutter.cut("SELECT", cut, 1);
        let page = repository
            .list(task.owner(), &a_page_of(9))
            .await
            .expect("a page");
        assert_eq!(page.items.len(), 1);

        cutter.cut("SELECT", cut, 1);
        assert_eq!(repository.count(task.owner(), &filter).await.expect("a count"), 1);

        cutter.cut("SELECT", cut, 1);
        let summary = repository.summary(task.owner()).await.expect("a summary");
        assert_eq!(summary.total(), 1);

        cutter.cut("SELECT", cut, 1);
        repository.check().await.expect("an answer");
        assert!(!repository.is_degraded());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_creation_without_a_key_that_is_lost_is_an_outage_and_never_runs_twice() {
    let bench = Bench::new().await;
    for cut in CUTS {
        println!("{cut:?}");
        let task = a_task(&an_owner(), "new");
        bench.cutter.cut("INSERT", cut, 1);
        unavailable(bench.repository.insert(&task, None).await);
        assert_eq!(bench.cutter.asked("INSERT"), 1);
        bench.cutter.settled().await;
        let stored = bench.as_stored(&task).await;
        assert_eq!(stored.is_some(), cut != Cut::Unsent);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_creation_that_is_lost_does_not_bring_back_what_was_deleted_since() {
    let bench = Bench::new().await;
    let task = a_task(&an_owner(), "new");
    bench.cutter.cut_and_hold("INSERT", Cut::Done);
    let deletion = async {
        bench.cutter.settled().await;
        let direct = PostgresDatabase::new(settings(bench.database.url())).worker();
        let deleted = direct.delete(task.owner(), task.id(), &Expected::Any).await;
        bench.cutter.run_again();
        deleted
    };
    let (inserted, deleted) = join(bench.repository.insert(&task, None), deletion).await;
    deleted.expect("a deletion");
    unavailable(inserted);
    assert_eq!(bench.as_stored(&task).await, None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_creation_with_a_key_that_is_lost_is_no_replay_of_itself() {
    for cut in CUTS {
        println!("{cut:?}");
        let bench = Bench::new().await;
        let task = a_task(&an_owner(), "new");
        bench.cutter.cut("INSERT", cut, 1);
        let inserted = bench.repository.insert(&task, Some(a_key(1))).await;
        assert_eq!(inserted.expect("an insertion"), Inserted::New);
        assert_eq!(bench.rows().await, 2);

        // The same from another request is one, even if it is lost too.
        bench.cutter.cut("INSERT", cut, 1);
        let again = bench
            .repository
            .insert(&a_task(&an_owner(), "new"), Some(a_key(1)))
            .await;
        assert_eq!(again.expect("a replay"), Inserted::Replayed(task));
        bench.cutter.cut("INSERT", cut, 1);
        let other = bench
            .repository
            .insert(&a_task(&an_owner(), "other"), Some(a_key(2)))
            .await;
        assert!(
            matches!(other, Err(InsertError::IdempotencyKeyReused)),
            "{other:?}"
        );
        assert_eq!(bench.rows().await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_second_run_of_a_creation_waits_for_the_first_one() {
    let bench = Bench::new().await;
    let mut client = bench.database.client().await;
    let late = "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
        CREATE TRIGGER late AFTER INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION late()";
    client.batch_execute(late).await.expect("a trigger");
    let gate = client.transaction().await.expect("a transaction");
    gate.execute("SELECT pg_advisory_xact_lock(1)", &[])
        .await
        .expect("a lock");

    let task = a_task(&an_owner(), "new");
    bench.cutter.cut("INSERT", Cut::AtWork, 1);
    let open = async {
        eventually("both runs wait, the second for the first", async || {
            let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            bench.client.query(waiting, &[]).await.expect("sessions").len() == 2
        })
        .await;
        gate.commit().await.expect("an end");
    };
    let (inserted, ()) = join(bench.repository.insert(&task, Some(a_key(1))), open).await;
    assert_eq!(inserted.expect("an insertion"), Inserted::New);
    assert_eq!(bench.rows().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_to_given_values_that_is_lost_runs_once_more_and_counts_once() {
    let bench = Bench::new().await;
    let mut version = bench.task.version();
    for cut in CUTS {
        println!("{cut:?}");
        version = version.next();
        let title = format!("title {version}");
        // The second time it changes nothing any more.
        for _ in 0..2 {
            bench.cutter.cut("UPDATE", cut, 1);
            let updated = renamed(&bench.repository, &bench.task, &title).await;
            let updated = updated.expect("an update");
            assert_eq!(updated.version(), version);
            assert_eq!(bench.cutter.asked("UPDATE"), 2);
            assert_eq!(bench.as_stored(&bench.task).await, Some(updated));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_second_run_of_a_change_leaves_what_others_have_done_since() {
    for cut in [Cut::Done, Cut::AlmostAnswered] {
        for is_deletion in [false, true] {
            println!("{cut:?} {is_deletion}");
            let bench = Bench::new().await;
            let task = &bench.task;
            bench.cutter.cut_and_hold("UPDATE", cut);
            let other = async {
                bench.cutter.settled().await;
                let direct = PostgresDatabase::new(settings(bench.database.url())).worker();
                let seen = bench.as_stored(task).await.expect("a task");
                let expected = as_it_is(&seen);
                let left = if is_deletion {
                    direct
                        .delete(task.owner(), task.id(), &expected)
                        .await
                        .expect("a deletion");
                    None
                } else {
                    let change = to_title("theirs");
                    let updated = direct.update(task.owner(), task.id(), &change, &expected, later());
                    Some(updated.await.expect("an update"))
                };
                bench.cutter.run_again();
                left
            };
            let (ours, theirs) = join(renamed(&bench.repository, task, "ours"), other).await;
            let cause = unavailable(ours);
            assert_eq!(
                cause,
                "the connection was lost, and whether the change was made cannot be told from the task"
            );
            assert_eq!(bench.cutter.asked("UPDATE"), 2);
            assert_eq!(bench.as_stored(task).await, theirs);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_first_run_that_ends_after_the_second_leaves_what_others_have_done_since() {
    let bench = Bench::new().await;
    bench.cutter.cut_and_hold("UPDATE", Cut::Late);
    bench.cutter.run_again();
    let ours = renamed(&bench.repository, &bench.task, "ours")
        .await
        .expect("an update");
    let direct = PostgresDatabase::new(settings(bench.database.url())).worker();
    let theirs = renamed(&direct, &ours, "theirs").await.expect("an update");
    bench.cutter.let_go();
    bench.cutter.settled().await;
    assert_eq!(bench.as_stored(&bench.task).await, Some(theirs));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_by_a_clock_that_is_behind_is_made_and_never_runs_twice() {
    let bench = Bench::new().await;
    let Bench {
        cutter,
        repository,
        task,
        ..
    } = &bench;
    let ahead = task.parts().updated_at;
    let change = to_title("ours");
    let update = || repository.update(task.owner(), task.id(), &change, &Expected::Any, noon());
    // The run that meets a row of the future.
    cutter.cut_after("UPDATE", 1, Cut::Done);
    unavailable(update().await);
    assert_eq!(cutter.asked("UPDATE"), 2);
    let again = update().await.expect("an update");
    assert_eq!(again.version(), task.version().next(), "the lost one was made");
    assert_eq!(again.parts().updated_at, ahead + TimeDelta::microseconds(1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_of_an_expected_version_that_is_lost_is_an_outage_and_never_runs_twice() {
    for cut in CUTS {
        println!("{cut:?}");
        let Bench {
            cutter,
            repository,
            task,
            ..
        } = &Bench::new().await;
        let (change, expected) = (to_title("other"), as_it_is(task));
        let update = || repository.update(task.owner(), task.id(), &change, &expected, noon());
        cutter.cut("UPDATE", cut, 1);
        unavailable(update().await);
        assert_eq!(cutter.asked("UPDATE"), 1);
        assert!(repository.is_degraded());
        // A client who tries again learns what had happened, if it had by then.
        match (cut, update().await) {
            (Cut::Unsent | Cut::AtWork, Ok(updated)) => assert_eq!(updated.version(), task.version().next()),
            (
                Cut::AtWork | Cut::Done | Cut::AlmostAnswered,
                Err(UpdateError::VersionMismatch { current }),
            ) => {
                assert_eq!(current, task.version().next());
            }
            (_, again) => panic!("{again:?}"),
        }
        assert!(!repository.is_degraded());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_deletion_that_is_lost_is_an_outage_and_never_runs_twice() {
    for cut in CUTS {
        for is_conditional in [false, true] {
            println!("{cut:?} {is_conditional}");
            let Bench {
                cutter,
                repository,
                task,
                ..
            } = &Bench::new().await;
            let expected = if is_conditional {
                as_it_is(task)
            } else {
                Expected::Any
            };
            cutter.cut("DELETE", cut, 1);
            unavailable(repository.delete(task.owner(), task.id(), &expected).await);
            assert_eq!(cutter.asked("DELETE"), 1);
            match (cut, repository.delete(task.owner(), task.id(), &expected).await) {
                (Cut::Unsent | Cut::AtWork, Ok(()))
                | (Cut::AtWork | Cut::Done | Cut::AlmostAnswered, Err(UpdateError::NotFound)) => {}
                (_, again) => panic!("{again:?}"),
            }
        }
        let Bench {
            cutter,
            repository,
            task,
            ..
        } = &Bench::new().await;
        cutter.cut("DELETE", cut, 1);
        let statuses = StatusSet::new([Status::InProgress]).expect("a status");
        unavailable(repository.delete_with_status(task.owner(), &statuses).await);
        assert_eq!(cutter.asked("DELETE"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_is_lost_twice_is_an_outage() {
    let bench = Bench::new().await;
    for cut in CUTS {
        println!("{cut:?}");
        bench.cutter.cut("SELECT", cut, 2);
        unavailable(bench.repository.find(bench.task.owner(), bench.task.id()).await);
        assert_eq!(bench.cutter.asked("SELECT"), 2);

        let task = a_task(&an_owner(), "new");
        bench.cutter.cut("INSERT", cut, 2);
        let key = IdempotencyKey::new(format!("{cut:?}"), Fingerprint([1; 32])).expect("a valid key");
        unavailable(bench.repository.insert(&task, Some(key)).await);
        assert_eq!(bench.cutter.asked("INSERT"), 2);
        let stored = bench.as_stored(&task).await;
        match cut {
            Cut::Unsent => assert_eq!(stored, None),
            Cut::AtWork | Cut::Late => {}
            Cut::Done | Cut::AlmostAnswered => assert_eq!(stored, Some(task)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_loses_everything_is_not_asked_twice_for_everything() {
    const CALLERS: usize = 4;
    const CALLS: usize = 50;
    let bench = Bench::new().await;
    bench.cutter.cut("SELECT", Cut::Unsent, usize::MAX);
    let callers = (0..CALLERS).map(|_| async {
        for _ in 0..CALLS {
            unavailable(bench.repository.count(&an_owner(), &TaskFilter::default()).await);
        }
    });
    join_all(callers).await;
    let repeats = bench.cutter.asked("SELECT") - CALLERS * CALLS;
    // A hundred that were saved, and a tenth of the calls.
    assert!((100..=120).contains(&repeats), "{repeats}");
    let stats = bench.through_cutter.stats().repeats;
    assert_eq!(usize::try_from(stats.done).expect("a count"), repeats);
    assert_eq!(
        usize::try_from(stats.denied).expect("a count"),
        CALLERS * CALLS - repeats
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn waiting_for_a_connection_and_a_statement_have_one_deadline_together() {
    let database = test_postgres::fresh_database().await;
    let mut settings = settings(database.url());
    settings.work_lane_size = 1;
    let repository = crate::support::migrated_with(settings).await.worker();
    let (short, long) = (
        stored(&repository, &an_owner(), "short").await,
        stored(&repository, &an_owner(), "long").await,
    );
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(CASE NEW.title WHEN 'short one' THEN 1.5 ELSE 9 END); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION slow()";
    database
        .client()
        .await
        .batch_execute(slow)
        .await
        .expect("a trigger");
    let (short, (long, seconds)) = join(
        renamed(&repository, &short, "short one"),
        timed(renamed(&repository, &long, "long one")),
    )
    .await;
    short.expect("an update");
    let cause = timed_out(long);
    // Each on its own would be allowed: 1.5 s for the connection and 4.5 s for the statement.
    assert!(cause.starts_with("no answer within 3."), "{cause}");
    assert!((4.9..5.9).contains(&seconds), "{seconds}");
}
