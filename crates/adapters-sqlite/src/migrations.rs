//! The migrations, and their run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use domain::Cause;
use thiserror::Error;

use crate::connection::DatabaseFile;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// How long to wait for another process that migrates the same file.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A migration failed, and with it all that were to run; the database is as it was before.
#[derive(Debug, Error)]
#[error("cannot migrate the database {}", path.display())]
pub struct MigrateError {
    path: PathBuf,
    source: Cause,
}

/// How the tables of a database stand to the migrations of this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// The names of the migrations that have not run yet, oldest first.
    pub pending: Vec<String>,
    /// The versions of migrations that have run but that this program does not know: those of a newer one.
    pub unknown: Vec<String>,
}

/// Looks, and leaves everything as it is; diesel's harness would make its table.
pub(crate) fn state(connection: &mut SqliteConnection) -> QueryResult<SchemaState> {
    let tables = "SELECT name FROM sqlite_schema WHERE name = '__diesel_schema_migrations'";
    let is_there = !sql::<Text>(tables).load::<String>(connection)?.is_empty();
    let applied = if is_there {
        sql::<Text>("SELECT version FROM __diesel_schema_migrations ORDER BY version")
            .load::<String>(connection)?
    } else {
        Vec::new()
    };
    // Those that are embedded can always be listed.
    let mut pending: BTreeMap<String, String> = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
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
        .into_iter()
        .filter(|version| pending.remove(version).is_none())
        .collect();
    Ok(SchemaState {
        pending: pending.into_values().collect(),
        unknown,
    })
}

/// Runs what has not run yet and answers the names, oldest first.
pub(crate) fn migrate(file: &DatabaseFile) -> Result<Vec<String>, MigrateError> {
    file.with_busy_timeout(TIMEOUT)
        .connect()
        .map_err(Cause::from)
        .and_then(|mut connection| run_pending(&mut connection))
        .map_err(|source| MigrateError {
            path: file.path().to_owned(),
            source,
        })
}

fn run_pending(connection: &mut SqliteConnection) -> Result<Vec<String>, Cause> {
    // The lock comes first: anyone who waits for it then sees what the other one has done, and does nothing.
    connection.immediate_transaction(|connection| {
        connection
            .pending_migrations(MIGRATIONS)?
            .into_iter()
            .map(|migration| {
                connection.run_migration(&migration)?;
                Ok(migration.name().to_string())
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn a_file() -> (DatabaseFile, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let file = DatabaseFile::find_or_create(&path, Duration::from_secs(2)).unwrap();
        (file, folder)
    }

    fn schema_of(connection: &mut SqliteConnection) -> Vec<String> {
        let query =
            "SELECT sql FROM sqlite_schema WHERE tbl_name = 'tasks' AND sql IS NOT NULL ORDER BY name";
        sql::<Text>(query).load(connection).unwrap()
    }

    #[test]
    fn every_migration_can_run_in_the_one_transaction() {
        for migration in MigrationSource::<Sqlite>::migrations(&MIGRATIONS).unwrap() {
            assert!(migration.metadata().run_in_transaction(), "{}", migration.name());
        }
    }

    #[test]
    fn migrations_run_up_down_and_up_again() {
        let (file, _folder) = a_file();
        let applied = migrate(&file).unwrap();
        assert_eq!(applied.first().unwrap(), "2026-11-23-000000_create_tasks");
        assert_eq!(migrate(&file).unwrap(), Vec::<String>::new());

        let mut connection = file.connect().unwrap();
        let schema = schema_of(&mut connection);
        assert_eq!(schema.len(), 2, "{schema:?}");
        connection.revert_all_migrations(MIGRATIONS).unwrap();
        assert_eq!(schema_of(&mut connection), Vec::<String>::new());
        assert_eq!(migrate(&file).unwrap(), applied);
        assert_eq!(schema_of(&mut connection), schema);
    }

    #[test]
    fn of_many_who_migrate_an_old_database_at_once_one_does() {
        const MIGRATORS: usize = 6;
        for round in 0..10 {
            let (file, _folder) = a_file();
            let all = migrate(&file).unwrap().len();
            // What is left is a database that knows of migrations and lacks them all.
            file.connect().unwrap().revert_all_migrations(MIGRATIONS).unwrap();
            let start = Barrier::new(MIGRATORS);
            let migrator = || {
                start.wait();
                migrate(&file).unwrap().len()
            };
            let applied: usize = thread::scope(|scope| {
                let migrators: Vec<_> = (0..MIGRATORS).map(|_| scope.spawn(migrator)).collect();
                migrators.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(applied, all, "round {round}");
        }
    }
}
