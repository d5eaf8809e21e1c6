//! The tables as they are: `schema.rs` describes them, every table names its owner, and they refuse what no task is.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

use std::fmt::Write as _;

use crate::support::{a_page_of, migrated, stored};
use adapters_postgres::PostgresTaskRepository;
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{Task, TaskRepository};
use domain::testing::{a_task, an_owner, an_owner_named};
use test_postgres::TestDatabase;
use tokio_postgres::Client;

async fn fresh() -> (TestDatabase, Client, PostgresTaskRepository) {
    let database = test_postgres::fresh_database().await;
    let repository = migrated(database.url()).await.worker();
    let client = database.client().await;
    (database, client, repository)
}

/// The tables of the API, without those that migrations keep for themselves.
const OUR_TABLES: &str = "SELECT oid, relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'm', 'f') AND relname <> '__diesel_schema_migrations' ORDER BY relname";

const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, NULL), attnotnull FROM pg_attribute
    WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

const KEY_COLUMNS: &str = "SELECT attname::text FROM pg_index, unnest(indkey) WITH ORDINALITY AS key (attnum, position)
    JOIN pg_attribute USING (attnum) WHERE indrelid = $1 AND attrelid = $1 AND indisprimary ORDER BY position";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn there_is_one_table() {
    let (_database, client, _) = fresh().await;
    let tables = client.query(OUR_TABLES, &[]).await.expect("tables");
    let names: Vec<String> = tables.iter().map(|table| table.get(1)).collect();
    assert_eq!(
        names,
        ["tasks"],
        "TaskArchive and StorageHealth::check must know a new one too"
    );
}

/// The database as diesel's `table!` macros.
async fn as_diesel_sees_it(client: &Client) -> String {
    let mut text = String::new();
    for table in client.query(OUR_TABLES, &[]).await.expect("tables") {
        let (oid, name): (u32, String) = (table.get(0), table.get(1));
        let key = client.query(KEY_COLUMNS, &[&oid]).await.expect("a key");
        let key: Vec<String> = key.iter().map(|column| column.get(0)).collect();
        writeln!(text, "diesel::table! {{\n    {name} ({}) {{", key.join(", ")).expect("a line");
        for column in client.query(COLUMNS, &[&oid]).await.expect("columns") {
            let (column, sql, not_null): (String, String, bool) =
                (column.get(0), column.get(1), column.get(2));
            let sql = match sql.as_str() {
                "bigint" => "Int8",
                "boolean" => "Bool",
                "bytea" => "Bytea",
                "integer" => "Int4",
                "text" => "Text",
                "timestamp with time zone" => "Timestamptz",
                "uuid" => "Uuid",
                other => panic!("{name}.{column} is {other}: say here what diesel calls that"),
            };
            let sql = if not_null {
                sql.to_owned()
            } else {
                format!("Nullable<{sql}>")
            };
            writeln!(text, "        {column} -> {sql},").expect("a line");
        }
        text.push_str("    }\n}\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn schema_rs_is_what_the_migrations_leave() {
    let (_database, client, _) = fresh().await;
    let written: String = include_str!("../../src/schema.rs")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(as_diesel_sees_it(&client).await, written);
}

/// The tables that do not say whose their rows are, or not fast.
async fn ownerless(client: &Client) -> Vec<String> {
    let owned = format!(
        "SELECT relname FROM ({OUR_TABLES}) AS ours WHERE NOT EXISTS (
            SELECT FROM pg_attribute JOIN pg_index ON indrelid = attrelid AND indkey[0] = attnum
            WHERE attrelid = ours.oid AND attname = 'user_id' AND attnotnull
                AND attcollation = '\"C\"'::regcollation AND indcollation[0] = attcollation AND indpred IS NULL)"
    );
    let rows = client.query(&owned, &[]).await.expect("the catalogue");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn every_table_names_its_owner_and_has_an_index_that_starts_with_it() {
    let (_database, client, _) = fresh().await;
    assert_eq!(ownerless(&client).await, [""; 0]);
    // The rule can be broken in each of its parts.
    let wrong = "CREATE TABLE w1 (id uuid PRIMARY KEY);
        CREATE TABLE w2 (user_id text COLLATE \"C\" NOT NULL, id uuid PRIMARY KEY);
        CREATE TABLE w3 (user_id text COLLATE \"C\" NOT NULL, id uuid, PRIMARY KEY (id, user_id));
        CREATE TABLE w4 (user_id text COLLATE \"und-x-icu\" NOT NULL, id uuid, PRIMARY KEY (user_id, id));
        CREATE TABLE w5 (user_id text COLLATE \"C\" UNIQUE, id uuid);
        CREATE TABLE right1 (user_id text COLLATE \"C\" PRIMARY KEY)";
    client.batch_execute(wrong).await.expect("tables");
    assert_eq!(ownerless(&client).await, ["w1", "w2", "w3", "w4", "w5"]);
}

/// Stores a row past the adapter: that of the task, with these columns changed.
async fn insert_raw(
    client: &Client,
    task: &Task,
    changes: &[(&str, &str)],
) -> Result<u64, tokio_postgres::Error> {
    let parts = task.parts();
    let mut row = vec![
        ("user_id", format!("'{}'", parts.owner.as_str())),
        ("id", format!("'{}'", parts.id)),
        ("created_at", format!("'{}'", parts.created_at.to_rfc3339())),
        ("updated_at", format!("'{}'", parts.updated_at.to_rfc3339())),
        ("version", parts.version.to_string()),
        ("status", format!("'{}'", parts.status.as_str())),
        ("title", format!("'{}'", parts.title.as_str())),
        ("description", "NULL".to_owned()),
        ("idempotency_key", "NULL".to_owned()),
        ("idempotency_fingerprint", "NULL".to_owned()),
    ];
    for (name, value) in changes {
        let column = row.iter_mut().find(|(column, _)| column == name);
        (*value).clone_into(&mut column.expect("a column").1);
    }
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let statement = format!(
        "INSERT INTO tasks ({}) VALUES ({})",
        columns.join(", "),
        values.join(", ")
    );
    client.execute(&statement, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_table_refuses_what_no_task_is() {
    let (_database, client, _) = fresh().await;
    let cases: [(&str, &[(&str, &str)]); 15] = [
        ("tasks_user_id_check", &[("user_id", "''")]),
        ("tasks_user_id_check", &[("user_id", "repeat('ü', 256)")]),
        ("tasks_status_check", &[("status", "'done'")]),
        ("tasks_status_check", &[("status", "'Pending'")]),
        ("tasks_title_check", &[("title", "''")]),
        ("tasks_title_check", &[("title", "repeat('ü', 256)")]),
        (
            "tasks_description_check",
            &[("description", "repeat('ü', 10001)")],
        ),
        ("tasks_version_check", &[("version", "0")]),
        ("tasks_version_check", &[("version", "-1")]),
        ("tasks_idempotency_check", &[("idempotency_key", "'key'")]),
        (
            "tasks_idempotency_check",
            &[("idempotency_fingerprint", "'\\x07'")],
        ),
        (
            "tasks_idempotency_check",
            &[("idempotency_key", "''"), ("idempotency_fingerprint", "'\\x07'")],
        ),
        (
            "tasks_idempotency_check",
            &[
                ("idempotency_key", "repeat('k', 256)"),
                ("idempotency_fingerprint", "'\\x07'"),
            ],
        ),
        ("user_id", &[("user_id", "NULL")]),
        ("title", &[("title", "NULL")]),
    ];
    for (wanted, changes) in cases {
        let error = insert_raw(&client, &a_task(&an_owner(), "title"), changes).await;
        let error = error.expect_err(wanted);
        let server = error.as_db_error().expect("an answer of the server");
        let (code, name) = match server.column() {
            Some(column) => ("23502", column),
            None => ("23514", server.constraint().unwrap_or_default()),
        };
        assert_eq!((server.code().code(), name), (code, wanted), "{changes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_table_takes_what_a_task_may_be_at_its_limits() {
    let (_database, client, repository) = fresh().await;
    let task = a_task(&an_owner(), "title");
    let widest: &[(&str, &str)] = &[
        ("user_id", "repeat('ü', 255)"),
        ("title", "repeat('ü', 255)"),
        ("description", "repeat('ü', 10000)"),
        ("version", "2147483647"),
        ("idempotency_key", "repeat('k', 255)"),
        ("idempotency_fingerprint", "'\\x07'"),
    ];
    insert_raw(&client, &task, widest).await.expect("a row");
    let owner = an_owner_named(&"ü".repeat(255));
    let found = repository.find(&owner, task.id()).await.expect("a look-up");
    assert!(found.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_row_that_breaks_a_rule_of_the_domain_alone_is_corrupt_and_no_outage() {
    let (_database, client, repository) = fresh().await;
    let wrong_rows: [(&str, &str); 7] = [
        ("title", "'   '"),
        ("title", "E'two\\nlines'"),
        ("created_at", "'2026-01-15T12:00:00.001Z'"),
        ("updated_at", "'2026-01-15T11:59:59.999999Z'"),
        // Times of PostgreSQL that are none of ours: the driver cannot even read them.
        ("updated_at", "'infinity'"),
        ("created_at", "'-infinity'"),
        ("id", "'3f2a6f3e-8d2c-4b7e-9a51-0c9d1f6b2e47'"),
    ];
    for (number, change) in wrong_rows.into_iter().enumerate() {
        let owner = an_owner_named(&format!("owner {number}"));
        let task = stored(&repository, &owner, "a sound one").await;
        let wrong = a_task(&owner, "title");
        insert_raw(&client, &wrong, &[change]).await.expect("a row");
        let listed = repository.list(&owner, &a_page_of(10)).await;
        assert!(
            matches!(listed, Err(StorageError::Corrupt(_))),
            "{change:?}: {listed:?}"
        );
        if change.0 != "id" {
            let found = repository.find(&owner, wrong.id()).await;
            assert!(
                matches!(found, Err(StorageError::Corrupt(_))),
                "{change:?}: {found:?}"
            );
        }
        let sound = repository.find(&owner, task.id()).await.expect("a look-up");
        assert_eq!(sound, Some(task), "its neighbours are not");
        assert!(!repository.is_degraded(), "{change:?}: the database is healthy");
    }
}
