//! Puts the parts together: the only file that builds adapters.
//!
//! A process has one [`Backend`]; each worker thread gets an [`App`] of its own from it, because the connections to
//! PostgreSQL live on the worker that uses them.

use std::sync::Arc;
use std::time::Duration;

use adapters_jwt::{HttpKeySet, JwtVerifier};
use adapters_postgres::{
    ConnectError, DatabaseUrl, MigrateError, PostgresDatabase, PostgresSettings, ServerInfo,
};
use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskArchive, TaskRepository, TaskService};
use serde::Serialize;

use crate::app::{App, Lifecycle};
use crate::config::{ConfigError, DatabaseConfig, DatabaseLocation, TokenConfig};
use crate::failure::{Failure, chain};
use crate::observe::Observers;
use crate::observe::snapshot::{PoolFigures, RetryFigures, Snapshot};
use crate::observe::traced::Traced;
use crate::policy::Policy;
use crate::routes::health::Readiness;
use crate::system::{RandomTaskIds, SystemClock};
use crate::time_limits::TimeLimits;

/// The database of the process.
#[derive(Clone)]
pub enum Backend {
    /// A PostgreSQL server.
    Postgres(PostgresDatabase),
    /// A SQLite file.
    Sqlite(Arc<SqliteDatabase>),
}

/// What answered at the other end, for logs and `task-api check`.
#[derive(Debug, Serialize)]
pub struct DatabaseInfo {
    kind: &'static str,
    host: Option<String>,
    name: String,
    version: String,
    tls: Option<bool>,
    pending_migrations: Vec<String>,
    unknown_migrations: Vec<String>,
}

impl Backend {
    /// Opens the database, waiting for it as long as the settings say.
    ///
    /// # Errors
    /// It is out of reach, or it refuses us.
    pub async fn open(config: &DatabaseConfig, workers: usize) -> Result<(Self, DatabaseInfo), Failure> {
        match &config.location {
            DatabaseLocation::Sqlite(path) => {
                let database = SqliteDatabase::open(path, SqliteSettings::default()).map_err(|error| {
                    let reason = format!("cannot be used: {}", chain(&error));
                    Failure::of_config(&ConfigError::new(config.variable, reason))
                })?;
                let info = DatabaseInfo {
                    kind: "sqlite",
                    host: None,
                    name: path.display().to_string(),
                    version: database.version().to_owned(),
                    tls: None,
                    pending_migrations: database.schema().pending.clone(),
                    unknown_migrations: database.schema().unknown.clone(),
                };
                Ok((Self::Sqlite(Arc::new(database)), info))
            }
            DatabaseLocation::Postgres { url, migration_url } => {
                warn_about_dropped_parameters(config.variable, url);
                if let Some(url) = migration_url {
                    warn_about_dropped_parameters("DATABASE_MIGRATION_URL", url);
                }
                let database = PostgresDatabase::new(PostgresSettings {
                    url: DatabaseUrl::clone(url),
                    migration_url: migration_url.as_deref().cloned(),
                    connect_timeout: config.connect_timeout,
                    acquire_timeout: config.acquire_timeout,
                    work_lane_size: share_of_worker(config.pool_size, workers),
                    max_in_flight: config.max_in_flight,
                });
                let info = wait_for(&database, &url.hosts(), config).await?;
                check_texts(config.variable, &info)?;
                Ok((Self::Postgres(database), info.into()))
            }
        }
    }

    /// Brings the schema up to date and answers the names of the migrations that ran.
    ///
    /// # Errors
    /// A migration failed; nothing is half done then.
    pub async fn migrate(&self) -> Result<Vec<String>, Failure> {
        match self {
            Self::Postgres(database) => database.migrate().await.map_err(|error| match error {
                // The database of DATABASE_URL has let us in before.
                MigrateError::Connect(error) if error.is_refusal() => {
                    Failure::of_config(&refused("DATABASE_MIGRATION_URL", &error))
                }
                error => Failure::unavailable(chain(&error)),
            }),
            Self::Sqlite(database) => {
                let database = Arc::clone(database);
                let migrated = tokio::task::spawn_blocking(move || database.migrate()).await;
                migrated
                    .map_err(|error| Failure::unavailable(error.to_string()))?
                    .map_err(|error| Failure::unavailable(chain(&error)))
            }
        }
    }

    /// Which kind of database it is, as the semantic conventions of OpenTelemetry call it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgresql",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// How it is used right now.
    fn snapshot(&self) -> Snapshot {
        match self {
            Self::Postgres(database) => {
                let stats = database.stats();
                let pool = |name, lane: adapters_postgres::LaneStats| PoolFigures {
                    name,
                    connections: Some((lane.idle, lane.used)),
                    max: lane.max,
                    waiting: lane.waiting,
                    timeouts: lane.timeouts,
                };
                Snapshot {
                    pools: vec![pool("read", stats.read), pool("work", stats.work)],
                    in_flight: Some((stats.in_flight, stats.max_in_flight)),
                    retries: Some(RetryFigures {
                        run: stats.repeats.done,
                        denied: stats.repeats.denied,
                        budget: stats.repeats.left,
                    }),
                    keys: None,
                }
            }
            Self::Sqlite(database) => {
                let stats = database.stats();
                let pool = |name, lane: adapters_sqlite::LaneStats| PoolFigures {
                    name,
                    connections: None,
                    max: u32::try_from(lane.connections).unwrap_or(u32::MAX),
                    waiting: lane.waiting,
                    timeouts: lane.timeouts,
                };
                Snapshot {
                    pools: vec![pool("read", stats.reads), pool("work", stats.writes)],
                    ..Snapshot::default()
                }
            }
        }
    }

    /// The archive of operators.
    ///
    /// # Errors
    /// There is no connection to be had.
    pub async fn archive(&self) -> Result<Box<dyn TaskArchive>, Failure> {
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
    pub fn worker(&self) -> (Arc<dyn TaskRepository>, Arc<dyn StorageHealth>) {
        match self {
            Self::Postgres(database) => {
                let tasks = Arc::new(database.worker());
                (Arc::clone(&tasks) as _, tasks)
            }
            Self::Sqlite(database) => {
                let tasks = Arc::new(database.tasks());
                (Arc::clone(&tasks) as _, tasks)
            }
        }
    }
}

/// Everything that workers share.
#[derive(Clone)]
pub struct Wiring {
    backend: Backend,
    tokens: Arc<JwtVerifier>,
    ids: Arc<RandomTaskIds>,
    lifecycle: Arc<Lifecycle>,
    policy: Policy,
    observers: Observers,
}

impl Wiring {
    /// Puts a database, the rules for tokens and those for requests together. Public keys are fetched on the runtime
    /// that calls this, which is to live as long as the process.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        backend: Backend,
        tokens: TokenConfig,
        policy: Policy,
        lifecycle: Arc<Lifecycle>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            backend,
            tokens: Arc::new(verifier(tokens)?),
            ids: Arc::default(),
            lifecycle,
            policy,
            observers: Observers::default(),
        })
    }

    /// How long everything may take.
    pub(crate) fn time_limits(&self) -> TimeLimits {
        self.policy.time_limits
    }

    /// Tells these about requests.
    #[must_use]
    pub fn observed_by(self, observers: Observers) -> Self {
        Self { observers, ..self }
    }

    /// How the database and the public keys are used right now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            keys: self.tokens.key_set_stats(),
            ..self.backend.snapshot()
        }
    }

    /// The application of the worker that calls this.
    #[must_use]
    pub fn app(&self) -> App {
        let (mut repository, storage) = self.backend.worker();
        let mut tokens: Arc<dyn TokenVerifier> = self.tokens.clone();
        if self.observers.want_calls() {
            repository = Arc::new(Traced::new(repository));
            tokens = Arc::new(Traced::new(tokens));
        }
        App {
            tasks: TaskService::new(repository, Arc::new(SystemClock), Arc::clone(&self.ids) as _),
            tokens,
            storage,
            readiness: Readiness::default(),
            lifecycle: Arc::clone(&self.lifecycle),
            policy: self.policy.clone(),
            observers: self.observers.clone(),
        }
    }
}

fn verifier(tokens: TokenConfig) -> Result<JwtVerifier, Failure> {
    let verifier = JwtVerifier::new(tokens.rules, Arc::new(SystemClock));
    let Some(key_set) = tokens.key_set else {
        return Ok(verifier);
    };
    let source = HttpKeySet::at(key_set.url.clone()).map_err(|error| Failure::unavailable(chain(&error)))?;
    Ok(verifier.with_key_set(key_set, source))
}

/// Each worker's part of the work lanes; at least two, so that one slow statement does not stop a worker.
fn share_of_worker(pool_size: u32, workers: usize) -> u32 {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    (pool_size / workers).max(2)
}

fn warn_about_dropped_parameters(variable: &'static str, url: &DatabaseUrl) {
    let parameters = url.dropped_parameters().join(", ");
    if !parameters.is_empty() {
        tracing::warn!(
            parameters,
            "{variable} has parameters that are not known here; they are ignored"
        );
    }
}

/// Asks again and again, with growing pauses, because a database may be starting or waking up; gives up at once if
/// it refuses us.
async fn wait_for(
    database: &PostgresDatabase,
    hosts: &str,
    config: &DatabaseConfig,
) -> Result<ServerInfo, Failure> {
    let mut reason = "no answer".to_owned();
    let attempts = async {
        let mut pause = Duration::from_millis(100);
        loop {
            match database.probe().await {
                Ok(info) => return Ok(info),
                Err(error) if error.is_refusal() => {
                    return Err(Failure::of_config(&refused(config.variable, &error)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the database does not answer yet");
                    reason = error.to_string();
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    };
    if let Ok(outcome) = tokio::time::timeout(config.startup_timeout, attempts).await {
        return outcome;
    }
    let variable = config.variable;
    let waited = humantime::format_duration(config.startup_timeout);
    Err(Failure::unavailable(format!(
        "{variable}: the database at {hosts} could not be reached for {waited}: {reason}"
    )))
}

fn refused(variable: &'static str, error: &ConnectError) -> ConfigError {
    ConfigError::new(variable, format!("was refused by the server: {error}"))
}

/// Whether the database can hold every text, and search every one.
fn check_texts(variable: &'static str, info: &ServerInfo) -> Result<(), ConfigError> {
    if info.encoding != "UTF8" {
        let reason = format!(
            "leads to a database with the encoding {}, which cannot hold every text: create it with ENCODING 'UTF8'",
            info.encoding
        );
        return Err(ConfigError::new(variable, reason));
    }
    if !info.has_icu {
        tracing::warn!(
            "the server was built without ICU: searches miss capital letters that the locale of the database does not \
             know"
        );
    }
    Ok(())
}

impl From<ServerInfo> for DatabaseInfo {
    fn from(info: ServerInfo) -> Self {
        let ServerInfo {
            hosts,
            database,
            version,
            tls,
            schema,
            encoding: _,
            has_icu: _,
        } = info;
        Self {
            kind: "postgresql",
            host: Some(hosts),
            name: database,
            version,
            tls: Some(tls),
            pending_migrations: schema.pending,
            unknown_migrations: schema.unknown,
        }
    }
}

impl DatabaseInfo {
    /// Says in the log what the server works with.
    pub fn log(&self) {
        let Self {
            kind,
            host,
            name,
            version,
            tls,
            pending_migrations: _,
            unknown_migrations,
        } = self;
        tracing::info!(kind, host, database = name, version, tls, "database connected");
        if !unknown_migrations.is_empty() {
            tracing::warn!(
                versions = unknown_migrations.join(", "),
                "the schema is newer than this program: migrations have run that it does not know"
            );
        }
    }

    /// Makes sure that the tables have everything that this program asks them for.
    ///
    /// # Errors
    /// They are missing or older.
    pub fn require_schema(&self, variable: &'static str) -> Result<(), ConfigError> {
        if self.pending_migrations.is_empty() {
            return Ok(());
        }
        let reason =
            "leads to a database whose schema is older than this program: run `task-api migrate` on it";
        Err(ConfigError::new(variable, reason))
    }

    /// Makes sure that the tables have nothing that this program does not know and would leave behind.
    ///
    /// # Errors
    /// They are newer.
    pub fn refuse_newer_schema(&self, variable: &'static str) -> Result<(), ConfigError> {
        if self.unknown_migrations.is_empty() {
            return Ok(());
        }
        let reason = "leads to a database whose schema is newer than this program: use the `task-api` that migrated it";
        Err(ConfigError::new(variable, reason))
    }

    /// Says in the log what is left to do if nothing is going to migrate.
    pub fn warn_about_pending_migrations(&self) {
        if !self.pending_migrations.is_empty() {
            tracing::warn!(
                migrations = self.pending_migrations.join(", "),
                "the schema is older than this program: run `task-api migrate`"
            );
        }
    }
}
