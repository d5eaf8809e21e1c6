//! Servers that cannot do all that a search needs.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use crate::support::{migrated, settings, stored};
use adapters_postgres::{PostgresDatabase, PostgresTaskRepository};
use domain::task::{SearchTerm, TaskFilter, TaskRepository};
use domain::testing::an_owner;

/// How many tasks of ours a search finds.
async fn found(repository: &PostgresTaskRepository, term: &str) -> u64 {
    let filter = TaskFilter {
        search: Some(SearchTerm::parse(term).expect("a valid term")),
        ..TaskFilter::default()
    };
    repository.count(&an_owner(), &filter).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_server_without_icu_says_so_and_searches_with_the_letters_of_its_locale() {
    let database = test_postgres::fresh_database().await;
    let adapter = migrated(database.url()).await;
    assert!(adapter.probe().await.expect("an answer").has_icu);
    let repository = adapter.worker();
    stored(&repository, &an_owner(), "CAFÉ").await;
    assert_eq!(found(&repository, "café").await, 1);

    let without = "SET allow_system_table_mods = on; DELETE FROM pg_collation WHERE collname = 'und-x-icu'";
    let client = database.client().await;
    client.batch_execute(without).await.expect("a server without ICU");
    let adapter = PostgresDatabase::new(settings(database.url()));
    assert!(!adapter.probe().await.expect("an answer").has_icu);
    let repository = adapter.worker();
    assert_eq!(found(&repository, "caf").await, 1);
    // The locale of the tests is C, which knows the capitals of ASCII.
    assert_eq!(found(&repository, "café").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_encoding_of_a_database_is_told() {
    let database = test_postgres::fresh_database().await;
    let adapter = PostgresDatabase::new(settings(database.url()));
    assert_eq!(adapter.probe().await.expect("an answer").encoding, "UTF8");

    let name = format!("{}_latin", database.name());
    let client = database.client().await;
    let create = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    client.batch_execute(&create).await.expect("a database");
    let url = database.url().replacen(database.name(), &name, 1);
    let info = PostgresDatabase::new(settings(&url)).probe().await;
    assert_eq!(info.expect("an answer").encoding, "LATIN1");
    client
        .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
        .expect("an end");
}
