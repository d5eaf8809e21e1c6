//! The archive, when an unforeseen row is in the way.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use crate::support::Fixture;
use adapters_sqlite::SqliteSettings;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::storage::StorageError;
use domain::task::{ArchivedTask, TaskArchive};
use domain::testing::{a_task, an_owner};

fn titled(title: &str) -> ArchivedTask {
    ArchivedTask {
        task: a_task(&an_owner(), title),
        key: None,
    }
}

/// Another process does this to the file.
fn run(fixture: &Fixture, sql: &str) {
    let path = fixture.path.to_str().expect("a path in UTF-8");
    let mut connection = SqliteConnection::establish(path).expect("a connection");
    connection.batch_execute(sql).expect(sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_at_its_last_task_stores_none() {
    let fixture = Fixture::with(SqliteSettings::default());
    let archive = fixture.database.archive();
    let rule = "CREATE TRIGGER rule BEFORE INSERT ON tasks WHEN NEW.title = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END";
    run(&fixture, rule);
    let batch = vec![titled("good"), titled("fine"), titled("bad")];
    archive.import(batch).await.unwrap_err();
    assert_eq!(archive.next_owner(None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_is_corrupt_and_never_carried_on() {
    let fixture = Fixture::with(SqliteSettings::default());
    let archive = fixture.database.archive();
    archive.import(vec![titled("title")]).await.unwrap();
    for (spoil, wanted) in [
        (
            "idempotency_key = 'k', idempotency_fingerprint = x'0102'",
            "idempotency_fingerprint",
        ),
        (
            "idempotency_key = 'a b', idempotency_fingerprint = zeroblob(32)",
            "idempotency_key",
        ),
        ("version = 1 << 40", "version"),
    ] {
        run(&fixture, &format!("UPDATE tasks SET {spoil}"));
        let error = archive.export(&an_owner(), None, 1).await.unwrap_err();
        let StorageError::Corrupt(cause) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            cause.to_string(),
            format!("a stored task has an impossible {wanted}")
        );
        run(
            &fixture,
            "UPDATE tasks SET version = 3, idempotency_key = NULL, idempotency_fingerprint = NULL",
        );
    }
    run(&fixture, "UPDATE tasks SET user_id = 'a' || char(7)");
    let error = archive.next_owner(None).await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error:?}");
}
