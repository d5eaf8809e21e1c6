//! The repository contract, on a real server.

mod support;

use adapters_postgres::PostgresTaskRepository;
use test_postgres::TestDatabase;

domain::task_repository_contract!(
    #[ignore = "needs PostgreSQL"]
    fresh
);

async fn fresh() -> (TestDatabase, PostgresTaskRepository) {
    let database = test_postgres::fresh_database().await;
    let repository = support::migrated(database.url()).await.worker();
    (database, repository)
}
