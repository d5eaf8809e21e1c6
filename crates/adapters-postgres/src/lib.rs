//! Keeps tasks in PostgreSQL: the adapter for a database server.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use adapters_postgres::{DatabaseUrl, PostgresDatabase, PostgresSettings};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let database = PostgresDatabase::new(PostgresSettings {
//!     url: DatabaseUrl::parse("postgresql://app@localhost/tasks")?,
//!     migration_url: None,
//!     authorities: rustls::RootCertStore::empty, // the public ones, and those of the machine
//!     reload: None,
//!     connect_timeout: None,
//!     acquire_timeout: Duration::from_secs(2),
//!     work_lane_size: 8,
//!     max_in_flight: 512,
//! });
//! let server = database.probe().await?; // the first connection: the server and its tables
//! let applied = database.migrate().await?;
//! let tasks = database.worker(); // one per worker thread; a `TaskRepository` and a `StorageHealth`
//! # Ok(())
//! # }
//! ```
//!
//! # How a call travels
//!
//! ```text
//! PostgresTaskRepository ──> Executor::begin ──> Call::run ──> the read lane   one shared connection, pipelined
//!                            a place, a deadline   a turn   └─> the work lane  a pool; borrowed for one statement
//! ```
//!
//! Each worker thread has its own lanes; the queue in which users take turns, statistics and the budget of repeats
//! belong to the process (`docs/decisions/0015-users-take-turns.md`). Reads
//! that an index bounds share one connection and never wait for a lock or a commit; everything else has a connection to
//! itself. Why two: `docs/decisions/0001-two-lanes.md`. `Call::run` is the one place
//! that runs a statement within its time limits, and perhaps once more. The archive of operators has one connection
//! outside of the lanes, without the limits of requests.
//!
//! # Where things are
//!
//! | File | What lives there |
//! |---|---|
//! | `tasks.rs` | the ports: which statements each call is, and in which lane |
//! | `tasks/statements.rs`, `tasks/lists.rs` | the statements with one fixed text, and those about many tasks |
//! | `tasks/archive.rs` | the port of operators and its statements |
//! | `tasks/row.rs` | the way from rows to tasks |
//! | `search.rs` | the rules of a search in SQL |
//! | `schema.rs` | the tables as diesel sees them; the truth is in `migrations/postgres` |
//! | `call.rs`, `retry.rs` | running a statement, and what may run a second time |
//! | `error.rs` | what a failure means: the one way from diesel's errors to the port's |
//! | `turns.rs` | whose turn it is |
//! | `lanes.rs`, `stats.rs` | the pools, how a statement gets a connection, and their use in numbers |
//! | `settings.rs` | what an operator decides |
//! | `trust.rs` | which certificates a server may have, and the one that we show |
//! | `url.rs`, `connect.rs`, `handle.rs` | the address, establishing a connection, and what is known of its health |
//! | `connect_error.rs` | why no connection is to be had |
//! | `inquiry.rs` | a few questions outside of the lanes |
//! | `probe.rs`, `migrations.rs` | the server at the other end, and bringing its tables up to date |
//!
//! # Adding a statement
//!
//! To add one, choose its `Lane` and what a second run of it would do (`Repeat`); both say how to choose. Its text
//! must be fixed, or one of a few that depend on no value: the test `statements.rs` fails otherwise. It names the
//! owner. It is run by `load` or `execute`, which read its answer to the end.

mod call;
mod connect;
mod connect_error;
mod error;
mod handle;
mod health;
mod inquiry;
mod lanes;
mod migrations;
mod probe;
mod retry;
mod schema;
mod search;
mod settings;
mod sqlstate;
mod stats;
mod tasks;
mod transport;
mod trust;
mod turns;
mod url;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use connect_error::ConnectError;
pub use migrations::{Lock, MigrateError, SchemaState};
pub use probe::ServerInfo;
pub use settings::{PostgresSettings, Reload};
pub use stats::{DatabaseStats, LaneStats, RepeatStats};
pub use tasks::{PostgresTaskArchive, PostgresTaskRepository};
pub use trust::{TlsFileError, TlsFiles};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

use call::{Executor, Process};
use connect::Connector;
use lanes::Lanes;
use search::Letters;

/// The database of this process. Each worker takes its own connections with [`PostgresDatabase::worker`].
#[derive(Clone)]
pub struct PostgresDatabase {
    connector: Arc<Connector>,
    migration_connector: Arc<Connector>,
    settings: Arc<PostgresSettings>,
    process: Arc<Process>,
    letters: Arc<OnceLock<Letters>>,
}

impl PostgresDatabase {
    /// Prepares to use the database; does not connect yet.
    #[must_use]
    pub fn new(settings: PostgresSettings) -> Self {
        let connector = |url: &DatabaseUrl, reload| {
            Arc::new(Connector::new(
                url,
                reload,
                settings.authorities,
                settings.connect_timeout,
            ))
        };
        let main = connector(&settings.url, settings.reload.clone());
        Self {
            migration_connector: settings
                .migration_url
                .as_ref()
                .map_or_else(|| Arc::clone(&main), |url| connector(url, None)),
            connector: main,
            process: Arc::new(Process::new(settings.max_in_flight)),
            letters: Arc::default(),
            settings: Arc::new(settings),
        }
    }

    /// Connects once, runs a query and describes the server. Workers that are made after this make do with what the
    /// server can.
    ///
    /// # Errors
    /// [`ConnectError::is_refusal`] tells whether trying again can help.
    pub async fn probe(&self) -> Result<ServerInfo, ConnectError> {
        let info = probe::probe(&self.connector).await?;
        let letters = if info.has_icu {
            Letters::All
        } else {
            Letters::OfLocale
        };
        self.letters.get_or_init(|| letters);
        Ok(info)
    }

    /// [`PostgresDatabase::migrate_within`] ten seconds.
    ///
    /// # Errors
    /// As there.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        self.migrate_within(Duration::from_secs(10)).await
    }

    /// Brings the schema up to date, and returns the names of the migrations that ran. Several processes may do so
    /// at once: one of them works, the others wait. Other users of the tables meanwhile wait for less than two seconds:
    /// a migration that cannot have its locks is rolled back and tried again until the time is up. Needs a
    /// multi-threaded tokio runtime.
    ///
    /// # Errors
    /// The database is out of reach, a migration failed or others were in the way for all that time; nothing is half
    /// done then.
    pub async fn migrate_within(&self, wait: Duration) -> Result<Vec<String>, MigrateError> {
        migrations::run(&self.migration_connector, &migrations::MIGRATIONS, wait).await
    }

    /// How the connections are used right now. Never touches the database.
    #[must_use]
    pub fn stats(&self) -> DatabaseStats {
        self.process.stats()
    }

    /// The repository of one worker thread. Its connections live on the runtime that calls this; nothing connects
    /// before the first operation.
    #[must_use]
    pub fn worker(&self) -> PostgresTaskRepository {
        let lanes = Lanes::new(&self.connector, &self.settings, &self.process.turns);
        self.process.pools.count(&lanes);
        let letters = self.letters.get().copied().unwrap_or(Letters::All);
        PostgresTaskRepository::new(Executor::new(lanes, &self.process), letters)
    }

    /// The archive of operators. Its one connection lives on the runtime that calls this.
    ///
    /// # Errors
    /// There is no connection to be had.
    pub async fn archive(&self) -> Result<PostgresTaskArchive, ConnectError> {
        self.connector
            .connect_without_limits()
            .await
            .map(PostgresTaskArchive::over)
    }
}
