//! The archive when a row or the server is in the way.

use crate::support::{eventually, migrated, unavailable};
use domain::storage::StorageError;
use domain::task::{ArchivedTask, TaskArchive};
use domain::testing::{a_task, an_owner};

fn titled(title: &str) -> ArchivedTask {
    ArchivedTask {
        task: a_task(&an_owner(), title),
        key: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn an_import_that_fails_at_its_last_task_stores_none() {
    let database = test_postgres::fresh_database().await;
    let archive = migrated(database.url()).await.archive().await.unwrap();
    let rule = "ALTER TABLE tasks ADD CHECK (title <> 'bad')";
    database.client().await.batch_execute(rule).await.unwrap();
    let batch = vec![titled("good"), titled("fine"), titled("bad")];
    let error = archive.import(batch).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
    assert_eq!(archive.next_owner(None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn what_breaks_a_rule_is_corrupt_and_never_carried_on() {
    let database = test_postgres::fresh_database().await;
    let archive = migrated(database.url()).await.archive().await.unwrap();
    archive.import(vec![titled("title")]).await.unwrap();
    let client = database.client().await;
    for (spoil, wanted) in [
        (
            "idempotency_key = 'k', idempotency_fingerprint = '\\x0102'",
            "a stored task has an impossible idempotency_fingerprint",
        ),
        (
            "idempotency_key = 'a b', idempotency_fingerprint = sha256('')",
            "a stored task has an impossible idempotency_key",
        ),
        (
            "idempotency_key = NULL, idempotency_fingerprint = NULL, title = ' '",
            "a stored task has an impossible title",
        ),
        (
            "title = 'title', updated_at = 'infinity'",
            "Error deserializing field 'updated_at'",
        ),
    ] {
        let spoil = format!("UPDATE tasks SET {spoil}");
        client.batch_execute(&spoil).await.unwrap();
        let answer = archive.export(&an_owner(), None, 1).await;
        let Err(StorageError::Corrupt(cause)) = answer else {
            panic!("{spoil}: {answer:?}")
        };
        assert!(cause.to_string().starts_with(wanted), "{spoil}: {cause}");
    }
    let spoil = "UPDATE tasks SET user_id = 'a' || chr(7)";
    client.batch_execute(spoil).await.unwrap();
    let error = archive.next_owner(None).await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_lost_connection_is_unavailable_and_tells_why() {
    let database = test_postgres::fresh_database().await;
    let archive = migrated(database.url()).await.archive().await.unwrap();
    archive.import(vec![titled("title")]).await.unwrap();
    let client = database.client().await;
    let sessions =
        "FROM pg_stat_activity WHERE application_name = 'task-api' AND datname = current_database()";
    let end = format!("SELECT pg_terminate_backend(pid) {sessions}");
    client.batch_execute(&end).await.unwrap();
    eventually("the session has ended", async || {
        let left = client.query(&format!("SELECT pid {sessions}"), &[]).await;
        left.unwrap().is_empty()
    })
    .await;
    let cause = unavailable(archive.count(&an_owner()).await);
    assert!(cause.contains("57P01"), "{cause}");
}
