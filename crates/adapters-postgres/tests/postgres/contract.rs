//! The contracts of the ports, on a real server.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use adapters_postgres::{PostgresTaskArchive, PostgresTaskRepository};
use test_postgres::TestDatabase;

domain::task_repository_contract!(
    #[ignore = "needs PostgreSQL"]
    fresh
);

async fn fresh() -> (TestDatabase, PostgresTaskRepository) {
    let database = test_postgres::fresh_database().await;
    let repository = crate::support::migrated(database.url()).await.worker();
    (database, repository)
}

domain::task_archive_contract!(
    #[ignore = "needs PostgreSQL"]
    fresh_archive
);

async fn fresh_archive() -> (TestDatabase, PostgresTaskRepository, PostgresTaskArchive) {
    let database = test_postgres::fresh_database().await;
    let opened = crate::support::migrated(database.url()).await;
    let archive = opened.archive().await.expect("a connection");
    (database, opened.worker(), archive)
}
