//! The database of the process, whichever it is. A new kind gets a variant and a file here.

mod info;
mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use adapters_postgres::PostgresDatabase;
use adapters_sqlite::SqliteDatabase;
use domain::health::StorageHealth;
use domain::task::{TaskArchive, TaskRepository};

pub(crate) use self::info::DatabaseInfo;

use domain::chain;

use crate::config::{DatabaseConfig, DatabaseLocation};
use crate::failure::Failure;
use adapters_http::observe::snapshot::Snapshot;

/// The database of the process.
#[derive(Clone)]
pub(crate) enum Storage {
    /// A PostgreSQL server.
    Postgres(PostgresDatabase),
    /// A SQLite file.
    Sqlite(Arc<SqliteDatabase>),
}

impl Storage {
    /// Opens the database, waiting for it as long as the settings say.
    ///
    /// # Errors
    /// It is out of reach, or it refuses us.
    pub(crate) async fn open(
        config: &DatabaseConfig,
        workers: usize,
    ) -> Result<(Self, DatabaseInfo), Failure> {
        match &config.location {
            DatabaseLocation::Postgres { url, migration_url } => {
                let (database, info) = postgres::open(config, url, migration_url.as_deref(), workers).await?;
                Ok((Self::Postgres(database), info))
            }
            DatabaseLocation::Sqlite(path) => {
                let (database, info) = sqlite::open(config.variable, path, config.max_in_flight)?;
                Ok((Self::Sqlite(database), info))
            }
        }
    }

    /// Brings the schema up to date and returns the names of the migrations that ran. Waits up to `wait` for other
    /// users of the tables of PostgreSQL; for a SQLite file it waits half a minute.
    ///
    /// # Errors
    /// A migration failed, or it was blocked by another user of the tables all the time; nothing is half done then.
    pub(crate) async fn migrate(&self, wait: Duration) -> Result<Vec<String>, Failure> {
        match self {
            Self::Postgres(database) => postgres::migrate(database, wait).await,
            Self::Sqlite(database) => sqlite::migrate(database).await,
        }
    }

    /// Ends the use of it: a SQLite file is one file then, even if repositories are still held.
    pub(crate) async fn close(&self) {
        if let Self::Sqlite(database) = self {
            sqlite::close(database).await;
        }
    }

    /// How it is used right now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Postgres(database) => postgres::snapshot(database.stats()),
            Self::Sqlite(database) => sqlite::snapshot(database.stats()),
        }
    }

    /// The archive of operators.
    ///
    /// # Errors
    /// There is no connection to be had.
    pub(crate) async fn archive(&self) -> Result<Box<dyn TaskArchive>, Failure> {
        match self {
            Self::Postgres(database) => match database.archive().await {
                Ok(archive) => Ok(Box::new(archive)),
                Err(error) => Err(Failure::unavailable(chain(&error))),
            },
            Self::Sqlite(database) => Ok(Box::new(database.archive())),
        }
    }

    /// The ports of one worker.
    #[must_use]
    pub(crate) fn worker(&self) -> (Arc<dyn TaskRepository>, Arc<dyn StorageHealth>) {
        match self {
            Self::Postgres(database) => ports(database.worker()),
            Self::Sqlite(database) => ports(database.tasks()),
        }
    }
}

fn ports<T: TaskRepository + StorageHealth + 'static>(
    tasks: T,
) -> (Arc<dyn TaskRepository>, Arc<dyn StorageHealth>) {
    let tasks = Arc::new(tasks);
    (Arc::clone(&tasks) as _, tasks)
}
