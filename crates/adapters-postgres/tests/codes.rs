//! What a failed statement means, each provoked on a real server, with the SQLSTATE that the log shows.

mod support;

use domain::health::StorageHealth;
use domain::task::{RepositoryError, TaskRepository};
use domain::testing::{a_task, an_owner};
use futures_util::future::join;
use support::scene::{OURS, Scene, locked, until_somebody_waits};
use support::{read, renamed, timed_out, unavailable};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_deadlock_is_an_outage_with_its_code() {
    let scene = Scene::new().await;
    scene
        .execute(
            "CREATE TABLE place (n int); INSERT INTO place VALUES (1);
             CREATE FUNCTION visit() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN UPDATE place SET n = n + 1; RETURN NEW; END $$;
             CREATE TRIGGER visit BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION visit()",
        )
        .await;
    let mut client = scene.database.client().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("SET deadlock_timeout = '1h'; SELECT FROM place FOR UPDATE")
        .await
        .expect("a lock");
    let waiting = scene.renaming(&scene.task);
    until_somebody_waits(&lock).await;
    let (locked, answer) = join(lock.batch_execute("SELECT FROM tasks FOR UPDATE"), waiting).await;
    locked.expect("a lock");
    assert_eq!(
        unavailable(answer.expect("no panic").0),
        "SQLSTATE 40P01: deadlock detected"
    );
    lock.rollback().await.expect("an end");
    renamed(&scene.repository, &scene.task, "free")
        .await
        .expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_change_that_cannot_be_put_in_order_is_an_outage_with_its_code() {
    let scene = Scene::new().await;
    scene
        .set("default_transaction_isolation = 'repeatable read'")
        .await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task);
    until_somebody_waits(&lock).await;
    lock.batch_execute("UPDATE tasks SET version = version + 1")
        .await
        .expect("an update");
    lock.commit().await.expect("a commit");
    assert_eq!(
        unavailable(waiting.await.expect("no panic").0),
        "SQLSTATE 40001: could not serialize access due to concurrent update"
    );
    renamed(&scene.repository, &scene.task, "free")
        .await
        .expect("an update");
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
    // The next server at this address takes writes again.
    let name = scene.database.name();
    let writable = format!(
        "SET default_transaction_read_only = off; ALTER DATABASE {name} SET default_transaction_read_only = off"
    );
    scene.execute(&writable).await;
    renamed(&scene.repository, &scene.task, "yes")
        .await
        .expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_statement_that_the_administrator_cancels_timed_out_with_its_code() {
    let scene = Scene::new().await;
    let mut client = scene.database.client().await;
    let lock = locked(&mut client, &scene.task).await;
    let waiting = scene.renaming(&scene.task);
    until_somebody_waits(&lock).await;
    let cancel = format!(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND {OURS}"
    );
    scene.execute(&cancel).await;
    assert_eq!(
        timed_out(waiting.await.expect("no panic").0),
        "SQLSTATE 57014: canceling statement due to user request"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_table_that_changes_under_prepared_statements_costs_one_outage() {
    let scene = Scene::new().await;
    read(&scene.repository, &scene.task).await.expect("a look-up");
    scene
        .execute("ALTER TABLE tasks ALTER description TYPE varchar")
        .await;
    let cause = unavailable(read(&scene.repository, &scene.task).await);
    assert_eq!(cause, "SQLSTATE 0A000: cached plan must not change result type");
    read(&scene.repository, &scene.task)
        .await
        .expect("a look-up on a new connection");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_row_that_only_the_table_refuses_is_refused_with_its_code() {
    let scene = Scene::new().await;
    scene
        .execute("ALTER TABLE tasks ADD CONSTRAINT short CHECK (char_length(title) < 20) NOT VALID")
        .await;
    let task = a_task(&an_owner(), "a title that is too long for it");
    let Err(RepositoryError::Refused(cause)) = scene.repository.insert(&task, None).await else {
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
    let Err(RepositoryError::Unexpected(cause)) = renamed(&scene.repository, &scene.task, "x").await else {
        panic!("it is there");
    };
    assert_eq!(
        cause.to_string(),
        "SQLSTATE unknown: relation \"tasks\" does not exist"
    );
    assert!(!scene.repository.is_degraded(), "the database is well");
}
