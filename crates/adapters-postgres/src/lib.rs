//! Keeps tasks in PostgreSQL.
//!
//! ```text
//! DatabaseUrl ── parse, normalise          once, at start
//! PostgresDatabase ── probe, migrate       once per process
//!   ├─ worker() ── Executor                once per worker thread, on that thread
//!   │    ├─ read lane: one shared connection; statements are pipelined on it
//!   │    └─ work lane: a pool; a connection is borrowed for a whole statement
//!   └─ archive()                           for commands of operators: one connection without limits
//! PostgresTaskRepository ── a Call each time, its statements run by Call::run
//! ```
//!
//! Why two lanes: with durable commits the statements of one connection commit one after another, so a read on a
//! connection that also writes waits for other people's commits. Reads that an index bounds share one connection per
//! worker and never wait for a lock or a commit; everything else has a connection to itself.
//!
//! Where to find what: [`DatabaseUrl`] in `url.rs`, connecting and TLS in `connect.rs`, the pools in `lanes.rs`, running
//! a statement within its time limits and perhaps once more in `call.rs` and `budget.rs`, their use in numbers in
//! `stats.rs`, what a failure means in `error.rs`, the statements in `tasks.rs`, `statements.rs` and `archive.rs`, the
//! tables in `schema.rs`, migrations in `migrations.rs`.
//!
//! # Adding a statement
//!
//! Whoever adds one chooses its `Lane` and what a second run of it would do (`Repeat`); both say how to choose. Its text
//! must be fixed, or the test `statements.rs` fails. It names the owner. It is run by `load` or `execute`, which read its
//! answer to the end.

mod archive;
mod budget;
mod call;
mod connect;
mod error;
mod lanes;
mod migrations;
mod schema;
mod search;
mod statements;
mod stats;
mod tasks;
mod url;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use archive::PostgresTaskArchive;
pub use connect::{ConnectError, ServerInfo};
pub use migrations::{MigrateError, SchemaState};
pub use stats::{DatabaseStats, LaneStats, RepeatStats};
pub use tasks::PostgresTaskRepository;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

use call::{Executor, Process};
use connect::Connector;
use lanes::Lanes;
use search::Letters;

/// How to use the database.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Where migrations run, if not there: the direct address behind a pooler.
    pub migration_url: Option<DatabaseUrl>,
    /// How long establishing a connection may take, from the first packet to the last of authentication. `None`
    /// is 2.5 s, and 10 s towards Neon, which may be asleep.
    pub connect_timeout: Option<Duration>,
    /// How long an operation may wait for a connection.
    pub acquire_timeout: Duration,
    /// The most connections of one worker's work lane. Its read lane has one more.
    pub work_lane_size: u32,
    /// The most operations of this process that may use or wait for the database at once.
    pub max_in_flight: usize,
}

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
        let connector = |url: &DatabaseUrl| Arc::new(Connector::new(url, settings.connect_timeout));
        let main = connector(&settings.url);
        Self {
            migration_connector: settings
                .migration_url
                .as_ref()
                .map_or_else(|| Arc::clone(&main), connector),
            connector: main,
            process: Arc::new(Process::new(settings.max_in_flight)),
            letters: Arc::default(),
            settings: Arc::new(settings),
        }
    }

    /// Connects once, runs a query and tells what answered. Workers that are made after this make do with what the
    /// server can.
    ///
    /// # Errors
    /// [`ConnectError::is_refusal`] tells whether trying again can help.
    pub async fn probe(&self) -> Result<ServerInfo, ConnectError> {
        let info = self.connector.probe().await?;
        let letters = if info.has_icu {
            Letters::All
        } else {
            Letters::OfLocale
        };
        self.letters.get_or_init(|| letters);
        Ok(info)
    }

    /// Brings the schema up to date, and answers the names of the migrations that ran. Several processes may do so
    /// at once: one of them works, the others wait. Needs a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// The database is out of reach or a migration failed; nothing is half done then.
    pub async fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        migrations::run(&self.migration_connector).await
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
        let lanes = Lanes::new(&self.connector, &self.settings, &self.process.pools);
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
