//! Bringing the schema up to date.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::{
    AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    TransactionManager,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error;

use crate::connect::{ConnectError, Connector};
use crate::probe::Inquiry;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Names our lock among the advisory locks of the database: the ASCII text `task-api`.
const LOCK: i64 = 0x7461_736b_2d61_7069;

type Transactions = <AsyncPgConnection as AsyncConnection>::TransactionManager;

/// Runs what is pending, all of it or nothing, and answers the names.
///
/// diesel's harness takes no lock and commits each migration alone. Begun inside our transaction its migrations
/// become savepoints, and its own table is made under the lock too. A lock of the transaction, unlike one of the
/// session, also works through a transaction pooler.
pub(crate) async fn run(connector: &Connector) -> Result<Vec<String>, MigrateError> {
    let mut connection = connector.connect_without_limits().await?.into_connection();
    Transactions::begin_transaction(&mut connection).await?;
    lift_limits(&mut connection).await?;
    lock(&mut connection).await?;
    let (mut connection, outcome) = run_pending(connection);
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
async fn lift_limits(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    let statements = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
    connection.batch_execute(statements).await
}

async fn lock(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<diesel::sql_types::BigInt, _>(LOCK)
        .execute(connection)
        .await
        .map(drop)
}

fn run_pending(connection: AsyncPgConnection) -> (AsyncPgConnection, Result<Vec<String>, MigrateError>) {
    let mut harness = AsyncMigrationHarness::new(connection);
    let outcome = run_each_pending(&mut harness).map_err(MigrateError::Failed);
    (harness.into_inner(), outcome)
}

fn run_each_pending(
    harness: &mut AsyncMigrationHarness<AsyncPgConnection>,
) -> diesel::migration::Result<Vec<String>> {
    harness
        .pending_migrations(MIGRATIONS)?
        .into_iter()
        .map(|migration| {
            harness.run_migration(&migration)?;
            Ok(migration.name().to_string())
        })
        .collect()
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
#[derive(Debug, Error)]
pub enum MigrateError {
    /// There was no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The transaction around the migrations failed.
    #[error("the transaction around the migrations failed")]
    Transaction(#[from] diesel::result::Error),
    /// A migration failed.
    #[error("a migration failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_can_run_in_the_one_transaction() {
        for migration in MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap() {
            assert!(migration.metadata().run_in_transaction(), "{}", migration.name());
        }
    }
}
