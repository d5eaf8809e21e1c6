//! Bringing the schema up to date.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use diesel::QueryResult;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{
    AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error as ThisError;
use tokio::time::{Instant, sleep};

use crate::connect::Connector;
use crate::connect_error::ConnectError;
use crate::inquiry::Inquiry;
use crate::sqlstate;

/// Those of this program.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Names our lock among the advisory locks of the database: the ASCII text `task-api`.
const LOCK: i64 = 0x7461_736b_2d61_7069;

/// The SQLSTATE of what a role may not do.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

type Transactions = <AsyncPgConnection as AsyncConnection>::TransactionManager;

/// How long a migration may wait for a lock at once. Other users of the table queue behind it for as long, so this is
/// less than the time limits of statements and of locks that requests have.
const LOCK_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long requests have the table to themselves after the first attempt in vain; then twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Runs what is pending, all of it or nothing, and returns the names. Tries for as long as it may wait.
///
/// A migration that waits for a lock on the table makes all wait that come after it, however short the locks of
/// those are that it waits for: one long reader would stop all requests. So it steps back soon, and tries again.
pub(crate) async fn run(
    connector: &Connector,
    source: &impl MigrationSource<Pg>,
    wait: Duration,
) -> Result<Vec<String>, MigrateError> {
    let deadline = Instant::now() + wait;
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt(connector, source).await {
            Err(MigrateError::Locked(lock, _)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(MigrateError::Locked(lock, wait));
                }
                let pause_now = pause.min(left);
                tracing::warn!(
                    pause_ms = pause_now.as_millis(),
                    "{lock}; the migrations were rolled back and try again"
                );
                sleep(pause_now).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// diesel's harness takes no lock and commits each migration alone. Begun inside our transaction its migrations
/// become savepoints, and its own table is made under the lock too. A lock of the transaction, unlike one of the
/// session, also works through a transaction pooler.
async fn attempt(
    connector: &Connector,
    source: &impl MigrationSource<Pg>,
) -> Result<Vec<String>, MigrateError> {
    let mut connection = connector.connect_without_limits().await?.into_connection();
    Transactions::begin_transaction(&mut connection).await?;
    set_limits(&mut connection).await?;
    if let Err(error) = lock(&mut connection).await {
        return Err(if is_lock(&error.to_string()) {
            MigrateError::Locked(Lock::OfMigrations, Duration::ZERO)
        } else {
            error.into()
        });
    }
    let (mut connection, outcome) = run_pending(connection, source);
    match outcome {
        Ok(names) => {
            Transactions::commit_transaction(&mut connection).await?;
            Ok(names)
        }
        Err(error) => {
            // The connection is dropped next, so the server rolls back whatever this cannot.
            let _ = Transactions::rollback_transaction(&mut connection).await;
            Err(error)
        }
    }
}

/// An operator may have set limits on the role; they are meant for statements of the API.
async fn set_limits(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    let lock_timeout = LOCK_TIMEOUT.as_millis();
    let statements = format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {lock_timeout}");
    connection.batch_execute(&statements).await
}

async fn lock(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(connection)
        .await
        .map(drop)
}

fn run_pending(
    connection: AsyncPgConnection,
    source: &impl MigrationSource<Pg>,
) -> (AsyncPgConnection, Result<Vec<String>, MigrateError>) {
    let mut harness = AsyncMigrationHarness::new(connection);
    let outcome = run_each_pending(&mut harness, source).map_err(|error| {
        if is_lock(&error.to_string()) {
            MigrateError::Locked(Lock::OfTables, Duration::ZERO)
        } else if sqlstate::find(&error.to_string()) == Some(INSUFFICIENT_PRIVILEGE) {
            MigrateError::Forbidden(error)
        } else {
            MigrateError::Failed(error)
        }
    });
    (harness.into_inner(), outcome)
}

/// diesel would have the source itself.
struct Borrowed<'a, S>(&'a S);

impl<S: MigrationSource<Pg>> MigrationSource<Pg> for Borrowed<'_, S> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}

fn run_each_pending(
    harness: &mut AsyncMigrationHarness<AsyncPgConnection>,
    source: &impl MigrationSource<Pg>,
) -> diesel::migration::Result<Vec<String>> {
    harness
        .pending_migrations(Borrowed(source))?
        .into_iter()
        .map(|migration| {
            harness.run_migration(&migration)?;
            Ok(migration.name().to_string())
        })
        .collect()
}

/// Whether a statement gave up waiting for a lock. diesel's harness shows nothing of an error but its text.
fn is_lock(error: &str) -> bool {
    sqlstate::find(error) == Some("55P03")
}

/// The resource that a migration could not have in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Another process migrates the same database.
    OfMigrations,
    /// The tables are in use.
    OfTables,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfMigrations => "another process migrates the database",
            Self::OfTables => "the tables are in use by a long transaction (a dump, an open session)",
        })
    }
}

/// How the schema of a database stands to the migrations of this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// The names of the migrations that have not run yet, oldest first.
    pub pending: Vec<String>,
    /// The versions of migrations that have run but that this program does not know: those of a newer one.
    pub unknown: Vec<String>,
}

/// Looks, and leaves everything as it is; diesel's harness would make its table. A role that may not read that table
/// cannot tell, and finds nothing to complain about.
pub(crate) async fn state(inquiry: &Inquiry) -> Result<SchemaState, ConnectError> {
    let readable = "SELECT has_table_privilege(to_regclass('__diesel_schema_migrations'), 'SELECT')";
    let answer = inquiry.ask(readable).await?;
    let applied = match answer.iter().find_map(|row| row.get(0)) {
        Some("t") => {
            inquiry
                .ask("SELECT version FROM __diesel_schema_migrations ORDER BY version")
                .await?
        }
        Some(_) => return Ok(SchemaState::default()),
        None => Vec::new(),
    };
    // Those that are embedded can always be listed.
    let mut pending: BTreeMap<String, String> = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .unwrap_or_default()
        .iter()
        .map(|migration| {
            (
                migration.name().version().to_string(),
                migration.name().to_string(),
            )
        })
        .collect();
    let unknown = applied
        .iter()
        .filter_map(|row| row.get(0))
        .filter(|version| pending.remove(*version).is_none())
        .map(str::to_owned)
        .collect();
    Ok(SchemaState {
        pending: pending.into_values().collect(),
        unknown,
    })
}

/// Why the schema was not brought up to date. The transaction was rolled back.
#[derive(Debug, ThisError)]
pub enum MigrateError {
    /// There was no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The transaction around the migrations failed.
    #[error("the transaction around the migrations failed")]
    Transaction(#[from] diesel::result::Error),
    /// Others were in the way for as long as we waited.
    #[error("{0}, and has done so for {1:?}")]
    Locked(Lock, Duration),
    /// The role may not do what a migration does.
    #[error(
        "a migration failed: {0}. Since PostgreSQL 15 only the owner of a database may create tables in its schema public: \
         GRANT CREATE ON SCHEMA public TO the role of the URL, or ALTER DATABASE ... OWNER TO it"
    )]
    Forbidden(Box<dyn std::error::Error + Send + Sync>),
    /// A migration failed.
    #[error("a migration failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "measurements are printed")]
mod tests {
    use diesel_migrations::FileBasedMigrations;
    use domain::task::{Expected, TaskChange, TaskRepository};
    use domain::testing::{a_task, an_owner, noon};
    use tempfile::TempDir;
    use test_postgres::TestDatabase;
    use tokio::task::JoinSet;

    use super::*;
    use crate::{DatabaseUrl, PostgresDatabase, PostgresSettings};

    #[test]
    fn every_migration_can_run_in_the_one_transaction() {
        for migration in MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap() {
            assert!(migration.metadata().run_in_transaction(), "{}", migration.name());
        }
    }

    /// A database with tasks, and a migration to come that needs the table for itself.
    struct Bench {
        database: TestDatabase,
        adapter: PostgresDatabase,
        next: FileBasedMigrations,
        _folder: TempDir,
    }

    impl Bench {
        async fn new() -> Self {
            let database = test_postgres::fresh_database().await;
            let adapter = PostgresDatabase::new(PostgresSettings {
                url: DatabaseUrl::parse(database.url()).unwrap(),
                migration_url: None,
                reload: None,
                authorities: || unreachable!("the address demands no TLS"),
                connect_timeout: None,
                acquire_timeout: Duration::from_secs(2),
                work_lane_size: 8,
                max_in_flight: 512,
            });
            adapter.migrate().await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let migration = folder.path().join("29990101000000_add_mood");
            std::fs::create_dir(&migration).unwrap();
            std::fs::write(migration.join("up.sql"), "ALTER TABLE tasks ADD mood text").unwrap();
            std::fs::write(migration.join("down.sql"), "ALTER TABLE tasks DROP mood").unwrap();
            Self {
                next: FileBasedMigrations::from_path(folder.path()).unwrap(),
                database,
                adapter,
                _folder: folder,
            }
        }

        async fn run_next(&self, wait: Duration) -> Result<Vec<String>, MigrateError> {
            run(&self.adapter.migration_connector, &self.next, wait).await
        }

        /// Requests of a few users, until this is dropped: how long each took, in seconds.
        fn requests(&self) -> JoinSet<Vec<f64>> {
            let mut users = JoinSet::new();
            for _ in 0..8 {
                let repository = self.adapter.worker();
                users.spawn(async move {
                    let task = a_task(&an_owner(), "title");
                    repository.insert(&task, None).await.unwrap();
                    let mut took = Vec::new();
                    let end = Instant::now() + Duration::from_secs(6);
                    while Instant::now() < end {
                        let since = Instant::now();
                        repository.find(task.owner(), task.id()).await.unwrap();
                        took.push(since.elapsed().as_secs_f64());
                        let since = Instant::now();
                        let change = TaskChange::default();
                        let update =
                            repository.update(task.owner(), task.id(), &change, &Expected::Any, noon());
                        update.await.unwrap();
                        took.push(since.elapsed().as_secs_f64());
                        sleep(Duration::from_millis(5)).await;
                    }
                    took
                });
            }
            users
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs PostgreSQL"]
    async fn behind_a_long_reader_a_migration_steps_back_and_requests_go_on() {
        let bench = Bench::new().await;
        let mut client = bench.database.client().await;
        let reader = client.transaction().await.unwrap();
        reader.batch_execute("SELECT FROM tasks").await.unwrap();

        let requests = bench.requests();
        let (applied, ()) = tokio::join!(bench.run_next(Duration::from_secs(30)), async {
            sleep(Duration::from_secs(4)).await;
            reader.commit().await.unwrap();
        });
        assert_eq!(applied.unwrap(), ["29990101000000_add_mood"]);
        let took = requests.join_all().await.concat();
        let longest = took.iter().copied().fold(0.0, f64::max);
        println!(
            "{} requests, none refused, the longest took {longest:.2} s",
            took.len()
        );
        assert!((1.0..2.5).contains(&longest), "{longest} s");
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs PostgreSQL"]
    async fn a_migration_gives_up_when_its_time_is_up_and_says_who_was_in_the_way() {
        let bench = Bench::new().await;
        let mut client = bench.database.client().await;
        for (lock, statement, text) in [
            (
                Lock::OfTables,
                "SELECT FROM tasks",
                "the tables are in use by a long transaction",
            ),
            (
                Lock::OfMigrations,
                "SELECT pg_advisory_xact_lock(x'7461736b2d617069'::bigint)",
                "another process migrates the database",
            ),
        ] {
            let other = client.transaction().await.unwrap();
            other.batch_execute(statement).await.unwrap();
            let since = Instant::now();
            let error = bench.run_next(Duration::from_secs(2)).await.unwrap_err();
            assert!(
                (2.0..5.0).contains(&since.elapsed().as_secs_f64()),
                "{:?}",
                since.elapsed()
            );
            assert!(
                matches!(&error, MigrateError::Locked(met, _) if *met == lock),
                "{error:?}"
            );
            assert!(error.to_string().starts_with(text), "{error}");
            other.rollback().await.unwrap();
        }
        assert_eq!(
            bench.run_next(Duration::ZERO).await.unwrap().len(),
            1,
            "nothing was left behind"
        );
    }

    #[test]
    fn a_lock_that_was_not_had_is_told_by_its_code_in_every_language() {
        assert!(is_lock(
            "Failed to run 1 with: SQLSTATE 55P03: storniere Anfrage wegen einer Sperre"
        ));
        assert!(!is_lock(
            "Failed to run 1 with: SQLSTATE 42501: keine Berechtigung"
        ));
        assert!(!is_lock("canceling statement due to lock timeout"));
    }
}
