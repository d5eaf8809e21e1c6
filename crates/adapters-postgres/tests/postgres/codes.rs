//! The meanings of failed statements, each provoked on a real server, with the SQLSTATE that the log shows.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use crate::support::scene::{OURS, Scene, locked, sessions, until_a_session_waits};
use crate::support::{a_title, eventually, migrated, read, renamed, settings, timed_out, unavailable};
use adapters_postgres::PostgresDatabase;
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{Edit, Expected, InsertError, Task, TaskChange, TaskRepository, UpdateError};
use domain::testing::{a_task, an_owner, noon};
use test_postgres::{Cluster, ClusterOptions};

/// From now on each update runs this first, on its own session, and counts.
async fn provoke(scene: &Scene, statements: &str) {
    let set_up = format!(
        "CREATE SEQUENCE IF NOT EXISTS runs;
         CREATE OR REPLACE FUNCTION provoke() RETURNS trigger LANGUAGE plpgsql
            AS $provoke$ BEGIN PERFORM nextval('runs'); {statements}; RETURN NEW; END $provoke$;
         CREATE OR REPLACE TRIGGER provoke BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION provoke()"
    );
    scene.execute(&set_up).await;
}

/// How often an update ran since the last time; unlike rows, a sequence never goes back.
async fn runs(scene: &Scene) -> i64 {
    let since = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END, setval('runs', 1, false) FROM runs";
    scene.client.query_one(since, &[]).await.expect("a count").get(0)
}

/// An update that may run once only, because it names the version that it changes.
async fn renamed_at(scene: &Scene, task: &Task, title: &str) -> Result<Task, UpdateError> {
    let change = TaskChange {
        title: Edit::Set(a_title(title)),
        ..TaskChange::default()
    };
    let expected = Expected::OneOf(vec![task.version()]);
    let update = scene
        .repository
        .update(task.owner(), task.id(), &change, &expected, noon());
    update.await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn what_the_server_has_no_room_for_is_an_outage_and_its_connection_is_kept() {
    let scene = Scene::new().await;
    let before = sessions(&scene.client).await;
    for (statements, wanted) in [
        (
            "SET LOCAL temp_file_limit = '64kB'; SET LOCAL work_mem = '64kB';
             PERFORM n FROM generate_series(1, 100000) AS n ORDER BY random()",
            "SQLSTATE 53400: temporary file size exceeds temp_file_limit (64kB)",
        ),
        // No disk or memory is filled for this: the codes and the texts are those of the server.
        (
            "RAISE 'could not extend file \"base/5/1\": No space left on device' USING ERRCODE = '53100'",
            "SQLSTATE 53100: could not extend file \"base/5/1\": No space left on device",
        ),
        (
            "RAISE 'out of shared memory' USING ERRCODE = '53200'",
            "SQLSTATE 53200: out of shared memory",
        ),
    ] {
        provoke(&scene, statements).await;
        let cause = unavailable(renamed(&scene.repository, &scene.task, "no").await);
        assert_eq!(cause, wanted);
        assert_eq!(runs(&scene).await, 1, "{wanted}");
        assert!(scene.repository.is_degraded(), "{wanted}");
    }
    assert_eq!(sessions(&scene.client).await, before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_value_that_only_the_server_refuses_is_refused_with_its_code() {
    let scene = Scene::new().await;
    for (statements, wanted) in [
        (
            r"PERFORM convert_from('\xff', 'UTF8')",
            "SQLSTATE 22021: invalid byte sequence for encoding \"UTF8\": 0xff",
        ),
        (
            "PERFORM convert_to('€', 'LATIN1')",
            "SQLSTATE 22P05: character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in \
             encoding \"LATIN1\"",
        ),
        (
            r#"PERFORM '"\u0000"'::jsonb"#,
            "SQLSTATE 22P05: unsupported Unicode escape sequence",
        ),
    ] {
        provoke(&scene, statements).await;
        let answer = renamed(&scene.repository, &scene.task, "no").await;
        let Err(UpdateError::Storage(StorageError::Refused(cause))) = answer else {
            panic!("{wanted}: {answer:?}");
        };
        assert_eq!(cause.to_string(), wanted);
        assert_eq!(runs(&scene).await, 1, "{wanted}");
        assert!(!scene.repository.is_degraded());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_session_without_our_prepared_statements_is_an_outage_and_no_one_gets_it_again() {
    let scene = Scene::new().await;
    renamed(&scene.repository, &scene.task, "prepared")
        .await
        .expect("an update");
    provoke(&scene, "EXECUTE 'DEALLOCATE ALL'").await;
    // Its own statement goes on; the next one finds its name gone.
    renamed(&scene.repository, &scene.task, "last")
        .await
        .expect("an update");
    let cause = unavailable(renamed(&scene.repository, &scene.task, "no").await);
    assert!(cause.starts_with("SQLSTATE 26000: prepared statement"), "{cause}");
    renamed(&scene.repository, &scene.task, "on a new connection")
        .await
        .expect("an update");

    let names_of_others = "FOR n IN 0..9999 LOOP
            BEGIN EXECUTE format('PREPARE s%s AS SELECT 1', n); EXCEPTION WHEN duplicate_prepared_statement THEN END;
        END LOOP";
    provoke(&scene, names_of_others).await;
    unavailable(renamed(&scene.repository, &scene.task, "no").await);
    renamed(&scene.repository, &scene.task, "the last one here")
        .await
        .expect("an update");
    let deleted = scene
        .repository
        .delete(scene.other.owner(), scene.other.id(), &Expected::Any);
    let cause = unavailable(deleted.await);
    assert!(cause.starts_with("SQLSTATE 42P05: prepared statement"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_was_undone_runs_once_more_even_if_it_may_happen_once_only() {
    let scene = Scene::new().await;
    for (code, text) in [
        ("40001", "could not serialize access"),
        ("40P01", "deadlock detected"),
    ] {
        let always = format!("RAISE '{text}' USING ERRCODE = '{code}'");
        let the_first_time = format!("IF (SELECT last_value FROM runs) = 1 THEN {always}; END IF");
        provoke(&scene, &the_first_time).await;
        let task = renamed(&scene.repository, &scene.task, code)
            .await
            .expect("an update");
        assert_eq!(runs(&scene).await, 2);
        let task = renamed_at(&scene, &task, "once").await.expect("an update");
        assert_eq!(runs(&scene).await, 2);

        provoke(&scene, &always).await;
        let cause = unavailable(renamed_at(&scene, &task, "no").await);
        assert_eq!(cause, format!("SQLSTATE {code}: {text}"));
        assert_eq!(runs(&scene).await, 2, "once more, and no more");
        assert!(!scene.repository.is_degraded(), "the database is healthy");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_real_deadlock_is_resolved_by_running_once_more() {
    let scene = Scene::new().await;
    scene
        .execute("CREATE TABLE place (n int); INSERT INTO place VALUES (1)")
        .await;
    provoke(&scene, "UPDATE place SET n = n + 1").await;
    let mut client = scene.database.client().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("SET deadlock_timeout = '1h'; SELECT FROM place FOR UPDATE")
        .await
        .expect("a lock");
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    lock.batch_execute("SELECT FROM tasks FOR UPDATE")
        .await
        .expect("a lock");
    lock.rollback().await.expect("an end");
    waiting.await.expect("no panic").0.expect("an update");
    assert_eq!(runs(&scene).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_that_cannot_be_put_in_order_is_made_on_what_is_there_then() {
    let scene = Scene::new().await;
    scene
        .set("default_transaction_isolation = 'repeatable read'")
        .await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    lock.batch_execute("UPDATE tasks SET version = version + 1")
        .await
        .expect("an update");
    lock.commit().await.expect("a commit");
    let updated = waiting.await.expect("no panic").0.expect("an update");
    assert_eq!(updated.version(), scene.task.version().next().next());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_turned_read_only_is_an_outage_and_its_connections_are_not_kept() {
    let scene = Scene::new().await;
    scene.set("default_transaction_read_only = on").await;
    let cause = unavailable(renamed(&scene.repository, &scene.task, "no").await);
    assert_eq!(
        cause,
        "SQLSTATE 25006: cannot execute UPDATE in a read-only transaction"
    );
    // A server that only reads is not ready.
    let cause = unavailable(scene.repository.check().await);
    assert_eq!(cause, "the database is read-only (default_transaction_read_only)");
    // The next server at this address takes writes again.
    let name = scene.database.name();
    let writable = format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {name} SET default_transaction_read_only = off"
    );
    scene.execute(&writable).await;
    renamed(&scene.repository, &scene.task, "yes")
        .await
        .expect("an update");
    eventually("the server is ready", async || {
        scene.repository.check().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_standby_is_not_ready_until_it_is_promoted() {
    let primary = Cluster::start(&ClusterOptions::default());
    let database = primary.fresh_database().await;
    migrated(database.url()).await;
    let standby = primary.standby();
    let url = standby.url(database.name());
    let repository = PostgresDatabase::new(settings(&url)).worker();
    assert_eq!(
        unavailable(repository.check().await),
        "the database is a standby or a read-only replica: DATABASE_URL must lead to the server that writes"
    );
    assert!(!repository.is_degraded(), "it answers");
    standby.promote();
    eventually("the server is ready", async || repository.check().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_the_administrator_cancels_timed_out_with_its_code() {
    let scene = Scene::new().await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task, "new title");
    until_a_session_waits(&lock).await;
    let cancel = format!(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND {OURS}"
    );
    scene.execute(&cancel).await;
    assert_eq!(
        timed_out(waiting.await.expect("no panic").0),
        "SQLSTATE 57014: canceling statement due to user request"
    );
    assert!(!scene.repository.is_degraded(), "the database is healthy");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_table_that_changes_under_prepared_statements_costs_nothing() {
    let scene = Scene::new().await;
    read(&scene.repository, &scene.task).await.expect("a look-up");
    let task = renamed(&scene.repository, &scene.task, "before")
        .await
        .expect("an update");
    scene
        .execute("ALTER TABLE tasks ALTER description TYPE varchar")
        .await;
    read(&scene.repository, &scene.task).await.expect("a look-up");
    renamed_at(&scene, &task, "after").await.expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_row_that_only_the_table_refuses_is_refused_with_its_code() {
    let scene = Scene::new().await;
    scene
        .execute("ALTER TABLE tasks ADD CONSTRAINT short CHECK (char_length(title) < 20) NOT VALID")
        .await;
    let task = a_task(&an_owner(), "a title that is too long for it");
    let Err(InsertError::Storage(StorageError::Refused(cause))) = scene.repository.insert(&task, None).await
    else {
        panic!("it is stored");
    };
    assert!(
        cause.to_string().starts_with("SQLSTATE 23514: new row"),
        "{cause}"
    );
    assert!(!cause.to_string().contains("too long for it"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_table_that_is_missing_is_a_fault_of_ours() {
    let scene = Scene::new().await;
    scene.execute("ALTER TABLE tasks RENAME TO elsewhere").await;
    let Err(UpdateError::Storage(StorageError::Unexpected(cause))) =
        renamed(&scene.repository, &scene.task, "x").await
    else {
        panic!("it is there");
    };
    assert_eq!(
        cause.to_string(),
        "SQLSTATE 42P01: relation \"tasks\" does not exist"
    );
    let cause = unavailable(scene.repository.check().await);
    assert!(
        cause.starts_with("the table of tasks cannot be used (run `task-api migrate`)"),
        "{cause}"
    );
    assert!(!scene.repository.is_degraded(), "the database is healthy");
}
