//! The rules of the migrated database itself.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use tempfile::TempDir;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    r#type: String,
    #[diesel(sql_type = BigInt)]
    notnull: i64,
    #[diesel(sql_type = BigInt)]
    pk: i64,
}

/// A connection to a migrated database, which no one else uses.
fn migrated() -> (SqliteConnection, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tasks.db");
    let database = SqliteDatabase::open(&path, SqliteSettings::default()).expect("an open database");
    database.migrate().expect("a migrated database");
    drop(database);
    let path = path.to_str().expect("a path in UTF-8");
    let connection = SqliteConnection::establish(path).expect("a connection");
    (connection, folder)
}

fn texts(connection: &mut SqliteConnection, query: &str) -> Vec<String> {
    diesel::dsl::sql::<Text>(query).load(connection).expect(query)
}

fn columns(connection: &mut SqliteConnection, table: &str) -> Vec<Column> {
    diesel::sql_query(format!(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')"
    ))
    .load(connection)
    .expect("the columns")
}

fn tables(connection: &mut SqliteConnection) -> Vec<String> {
    let query =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> '__diesel_schema_migrations'";
    texts(connection, query)
}

/// The table as `schema.rs` should show it.
fn table_macro(table: &str, columns: &[Column]) -> String {
    let mut keys: Vec<_> = columns.iter().filter(|column| column.pk > 0).collect();
    keys.sort_unstable_by_key(|column| column.pk);
    let keys: Vec<_> = keys.iter().map(|column| column.name.as_str()).collect();
    let mut text = format!("diesel::table! {{\n    {table} ({}) {{\n", keys.join(", "));
    for Column {
        name,
        r#type,
        notnull,
        pk: _,
    } in columns
    {
        let kind = match r#type.as_str() {
            "TEXT" => "Text",
            "BLOB" => "Binary",
            "INTEGER" => "BigInt",
            unknown => unknown,
        };
        let kind = match notnull {
            0 => format!("Nullable<{kind}>"),
            _ => kind.to_owned(),
        };
        writeln!(text, "        {name} -> {kind},").expect("a text");
    }
    text + "    }\n}\n"
}

#[test]
fn there_is_one_table() {
    let (mut connection, _folder) = migrated();
    assert_eq!(
        tables(&mut connection),
        ["tasks"],
        "TaskArchive and StorageHealth::check must know a new one too"
    );
}

/// The names of the migrations for one kind of database.
fn migrations_for(database: &str) -> BTreeSet<OsString> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let entries = fs::read_dir(folder.join(database)).expect("the migrations");
    entries
        .map(|entry| entry.expect("a migration").file_name())
        .collect()
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    assert_eq!(migrations_for("sqlite"), migrations_for("postgres"));
}

#[test]
fn schema_rs_is_what_the_migrations_make() {
    let (mut connection, _folder) = migrated();
    let source = include_str!("../../src/schema.rs");
    let tables = tables(&mut connection);
    assert_eq!(source.matches("table! {").count(), tables.len());
    for table in tables {
        let wanted = table_macro(&table, &columns(&mut connection, &table));
        assert!(source.contains(&wanted), "schema.rs should say:\n{wanted}");
    }
}

#[test]
fn every_table_knows_whose_its_rows_are_and_finds_them_by_owner() {
    let (mut connection, _folder) = migrated();
    for table in tables(&mut connection) {
        let columns = columns(&mut connection, &table);
        let owner = columns
            .iter()
            .find(|column| column.name == "user_id")
            .expect("a column for the owner");
        assert_eq!((owner.notnull, owner.pk), (1, 1), "in {table}");
        let indexes = texts(
            &mut connection,
            &format!("SELECT name FROM pragma_index_list('{table}')"),
        );
        for index in indexes {
            let first = texts(
                &mut connection,
                &format!("SELECT name FROM pragma_index_info('{index}') WHERE seqno = 0"),
            );
            assert_eq!(first, ["user_id"], "in {index}");
        }
    }
}

const SOUND: [(&str, &str); 10] = [
    ("user_id", "'ann'"),
    ("id", "x'0195f0000000700080000000000000ff'"),
    ("created_at", "1768478400000000"),
    ("updated_at", "1768478400000000"),
    ("version", "1"),
    ("status", "'pending'"),
    ("title", "'title'"),
    ("description", "NULL"),
    ("idempotency_key", "NULL"),
    ("idempotency_fingerprint", "NULL"),
];

/// A row with some columns set otherwise.
fn insertion(changes: &[(&str, &str)]) -> String {
    let value_of = |(column, sound)| {
        let change = changes.iter().find(|(changed, _)| *changed == column);
        change.map_or(sound, |&(_, value)| value)
    };
    let values: Vec<&str> = SOUND.into_iter().map(value_of).collect();
    let names: Vec<&str> = SOUND.into_iter().map(|(column, _)| column).collect();
    format!(
        "INSERT INTO tasks ({}) VALUES ({})",
        names.join(", "),
        values.join(", ")
    )
}

#[test]
fn the_table_refuses_what_the_domain_would() {
    let (mut connection, _folder) = migrated();
    let long_title = format!("'{}'", "é".repeat(256));
    let long_description = format!("'{}'", "é".repeat(10_001));
    let long_owner = format!("'{}'", "😀".repeat(256));
    let long_key = format!("'{}'", "k".repeat(256));
    for (changes, reason) in [
        (vec![("user_id", "''")], "tasks_user_id_check"),
        (vec![("user_id", &*long_owner)], "tasks_user_id_check"),
        (
            vec![("user_id", "NULL")],
            "NOT NULL constraint failed: tasks.user_id",
        ),
        (vec![("id", "x'0195'")], "tasks_id_check"),
        (
            vec![("id", "'0123456789abcdef'")],
            "cannot store TEXT value in BLOB column tasks.id",
        ),
        (
            vec![("created_at", "'noon'")],
            "cannot store TEXT value in INTEGER column tasks.created_at",
        ),
        (vec![("version", "0")], "tasks_version_check"),
        (vec![("status", "'done'")], "tasks_status_check"),
        (vec![("title", "''")], "tasks_title_check"),
        (vec![("title", &*long_title)], "tasks_title_check"),
        (
            vec![("description", &*long_description)],
            "tasks_description_check",
        ),
        (vec![("idempotency_key", "'k'")], "tasks_idempotency_check"),
        (
            vec![("idempotency_fingerprint", "x'00'")],
            "tasks_idempotency_check",
        ),
        (
            vec![
                ("idempotency_key", &*long_key),
                ("idempotency_fingerprint", "x'00'"),
            ],
            "tasks_idempotency_check",
        ),
    ] {
        let error = connection.batch_execute(&insertion(&changes)).expect_err(reason);
        assert!(
            error.to_string().contains(reason),
            "{error} is not about {reason}"
        );
    }
    let longest_owner = format!("'{}'", "😀".repeat(255));
    connection
        .batch_execute(&insertion(&[("user_id", &longest_owner)]))
        .expect("255 characters, whatever their bytes");
    connection.batch_execute(&insertion(&[])).expect("a sound row");
    let error = connection.batch_execute(&insertion(&[])).expect_err("a taken id");
    assert_eq!(
        error.to_string(),
        "UNIQUE constraint failed: tasks.user_id, tasks.id"
    );
}
