//! Migrations: there and back, many at once, all or nothing.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::time::Duration;

use crate::support::{migrated, settings, stored, timed, unavailable};
use adapters_postgres::{DatabaseUrl, MigrateError, PostgresDatabase, SchemaState};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::health::StorageHealth;
use domain::testing::an_owner;
use futures_util::future::join_all;
use test_postgres::TestDatabase;
use tokio_postgres::Client;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The advisory lock that is held by a migration.
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'7461736b2d617069'::bigint)";

/// Everything that migrations can make, as text.
async fn made(client: &Client) -> Vec<String> {
    let made = "SELECT format('%s %s', relkind, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION SELECT format('%s.%s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull,
                            pg_get_expr(adbin, adrelid))
            FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) AND attnum > 0
        UNION SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
        UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
        ORDER BY 1";
    let rows = client.query(made, &[]).await.expect("the catalogue");
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    names
        .into_iter()
        .filter(|name| !name.contains("__diesel_schema_migrations"))
        .collect()
}

async fn revert_all(database: &TestDatabase) {
    let connection = AsyncPgConnection::establish(database.url())
        .await
        .expect("a connection");
    let mut harness = AsyncMigrationHarness::new(connection);
    harness
        .revert_all_migrations(MIGRATIONS)
        .expect("reverted migrations");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn migrations_go_up_and_down_and_up_again() {
    let database = test_postgres::fresh_database().await;
    let client = database.client().await;
    let repository = migrated(database.url()).await.worker();
    stored(&repository, &an_owner(), "title").await;
    let up = made(&client).await;
    assert!(up.iter().any(|name| name == "r tasks"), "{up:#?}");

    revert_all(&database).await;
    assert_eq!(made(&client).await, [""; 0], "down leaves nothing");

    migrated(database.url()).await;
    assert_eq!(made(&client).await, up);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_second_run_applies_nothing() {
    let database = test_postgres::fresh_database().await;
    let adapter = PostgresDatabase::new(settings(database.url()));
    assert!(!adapter.migrate().await.expect("migrations").is_empty());
    assert_eq!(adapter.migrate().await.expect("migrations"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn of_eight_servers_that_start_at_once_exactly_one_migrates_and_none_fails() {
    for _ in 0..3 {
        let database = test_postgres::fresh_database().await;
        let runs = (0..8).map(|_| {
            let adapter = PostgresDatabase::new(settings(database.url()));
            tokio::spawn(async move { adapter.migrate().await })
        });
        let applied: Vec<_> = join_all(runs)
            .await
            .into_iter()
            .map(|run| run.expect("no panic").expect("migrations").len())
            .collect();
        assert_eq!(
            applied.iter().filter(|count| **count > 0).count(),
            1,
            "{applied:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_migration_that_fails_leaves_nothing_half_done() {
    let database = test_postgres::fresh_database().await;
    let client = database.client().await;
    // In the way of the second statement of the migration: what the first one made must go too.
    let obstacle = "CREATE TABLE elsewhere (n int); CREATE INDEX tasks_idempotency_key ON elsewhere (n)";
    client.batch_execute(obstacle).await.expect("an obstacle");
    let adapter = PostgresDatabase::new(settings(database.url()));

    let error = adapter.migrate().await.expect_err("a failure");
    let MigrateError::Failed(_) = &error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains("already exists"), "{error}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let count: i64 = client.query_one(tables, &[]).await.expect("a count").get(0);
    assert_eq!(count, 1, "only the obstacle, not even the table of migrations");

    client.batch_execute("DROP TABLE elsewhere").await.expect("a way");
    assert!(!adapter.migrate().await.expect("migrations").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn limits_that_an_operator_set_for_the_api_do_not_stop_migrations() {
    let database = test_postgres::fresh_database().await;
    let mut client = database.client().await;
    let limits = format!(
        "ALTER DATABASE {0} SET lock_timeout = '50ms'; ALTER DATABASE {0} SET statement_timeout = '100ms'",
        database.name()
    );
    client.batch_execute(&limits).await.expect("limits");
    // Another process migrates for longer than that.
    let transaction = client.transaction().await.expect("a transaction");
    transaction.batch_execute(LOCK).await.expect("a lock");
    let adapter = PostgresDatabase::new(settings(database.url()));
    let migration = tokio::spawn(async move { timed(adapter.migrate()).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    transaction.commit().await.expect("a commit");

    let (applied, seconds) = migration.await.expect("no panic");
    assert!(!applied.expect("migrations").is_empty());
    assert!(seconds > 0.2, "it did not wait for the lock: {seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn migrations_run_on_the_url_that_is_given_for_them() {
    let used = test_postgres::fresh_database().await;
    let migrated = test_postgres::fresh_database().await;
    let mut settings = settings(used.url());
    settings.migration_url = Some(DatabaseUrl::parse(migrated.url()).expect("a valid URL"));
    let adapter = PostgresDatabase::new(settings);
    assert!(!adapter.migrate().await.expect("migrations").is_empty());
    assert!(made(&used.client().await).await.is_empty());
    assert!(!made(&migrated.client().await).await.is_empty());
    assert_eq!(adapter.probe().await.expect("an answer").database, used.name());
}

async fn schema_of(adapter: &PostgresDatabase) -> SchemaState {
    adapter.probe().await.expect("an answer").schema
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn looking_at_the_schema_tells_what_is_missing_and_what_is_new_and_makes_nothing() {
    let database = test_postgres::fresh_database().await;
    let client = database.client().await;
    let adapter = PostgresDatabase::new(settings(database.url()));
    let empty = schema_of(&adapter).await;
    assert_eq!(empty.unknown, [""; 0]);
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let count: i64 = client.query_one(tables, &[]).await.expect("a count").get(0);
    assert_eq!(count, 0);

    assert_eq!(adapter.migrate().await.expect("migrations"), empty.pending);
    assert_eq!(schema_of(&adapter).await, SchemaState::default());

    // A newer program runs its migrations; this one goes on.
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000');
        ALTER TABLE tasks ADD mood text";
    client.batch_execute(newer).await.expect("a newer schema");
    let ahead = SchemaState {
        unknown: vec!["29991231000000".to_owned()],
        ..SchemaState::default()
    };
    assert_eq!(schema_of(&adapter).await, ahead);
    assert_eq!(adapter.migrate().await.expect("migrations"), [""; 0]);
    let repository = adapter.worker();
    stored(&repository, &an_owner(), "title").await;
    repository.check().await.expect("a table that we can use");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_role_that_may_use_the_tasks_alone_is_enough_to_serve() {
    let database = test_postgres::fresh_database().await;
    migrated(database.url()).await;
    let client = database.client().await;
    let name = format!("clerk_of_{}", database.name());
    let role = format!("CREATE ROLE {name} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON tasks TO {name}");
    client.batch_execute(&role).await.expect("a role");
    let url = database.url().replacen("postgres@", &format!("{name}@"), 1);
    let adapter = PostgresDatabase::new(settings(&url));
    assert_eq!(
        schema_of(&adapter).await,
        SchemaState::default(),
        "it cannot know"
    );
    let repository = adapter.worker();
    repository.check().await.expect("a table that we can use");
    stored(&repository, &an_owner(), "title").await;
    let end = format!("DROP OWNED BY {name}; DROP ROLE {name}");
    client.batch_execute(&end).await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_we_reach_but_cannot_work_with_is_not_there_for_us() {
    let database = test_postgres::fresh_database().await;
    let repository = PostgresDatabase::new(settings(database.url())).worker();
    assert_eq!(
        unavailable(repository.check().await),
        "the table of tasks cannot be used (run `task-api migrate`): SQLSTATE 42P01: relation \"tasks\" does not exist"
    );
    migrated(database.url()).await;
    repository.check().await.expect("a table");
    let older = "ALTER TABLE tasks DROP COLUMN idempotency_fingerprint CASCADE";
    database
        .client()
        .await
        .batch_execute(older)
        .await
        .expect("an older schema");
    let cause = unavailable(repository.check().await);
    assert!(
        cause.ends_with("column \"idempotency_fingerprint\" does not exist"),
        "{cause}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_out_of_reach_is_told_apart_from_a_migration_that_fails() {
    let unused = format!("postgresql://u@127.0.0.1:{}/d", test_postgres::a_free_port());
    let error = PostgresDatabase::new(settings(&unused))
        .migrate()
        .await
        .expect_err("nothing listens");
    let MigrateError::Connect(error) = &error else {
        panic!("{error:?}");
    };
    assert!(!error.is_refusal(), "{error}");
}
