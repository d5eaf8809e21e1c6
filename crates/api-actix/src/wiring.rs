//! Puts the parts together: the only file that names the adapters of the database.
//!
//! A process has one [`Backend`]; each worker thread gets an [`App`] of its own from it, because the connections to
//! PostgreSQL live on the worker that uses them.

use std::sync::Arc;
use std::time::Duration;

use adapters_jwt::{JwtVerifier, VerifierSettings};
use adapters_postgres::{
    ConnectError, DatabaseUrl, MigrateError, PostgresDatabase, PostgresSettings, ServerInfo,
};
use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskRepository, TaskService};
use serde::Serialize;

use crate::app::{App, Lifecycle};
use crate::config::{ConfigError, DatabaseConfig, DatabaseLocation};
use crate::failure::{Failure, chain};
use crate::observe::Observers;
use crate::observe::metrics::{DatabaseFigures, PoolFigures};
use crate::observe::traced::Traced;
use crate::policy::Policy;
use crate::system::{RandomTaskIds, SystemClock};

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
                    Failure::of_config(&ConfigError::new("DATABASE_URL", reason))
                })?;
                let info = DatabaseInfo {
                    kind: "sqlite",
                    host: None,
                    name: path.display().to_string(),
                    version: database.version().to_owned(),
                    tls: None,
                };
                Ok((Self::Sqlite(Arc::new(database)), info))
            }
            DatabaseLocation::Postgres { url, migration_url } => {
                warn_about_dropped_parameters("DATABASE_URL", url);
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
                let info = wait_for(&database, &url.hosts(), config.startup_timeout).await?;
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

    /// How the database is used right now.
    #[must_use]
    pub fn figures(&self) -> DatabaseFigures {
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
                DatabaseFigures {
                    pools: vec![pool("read", stats.read), pool("work", stats.work)],
                    in_flight: Some((stats.in_flight, stats.max_in_flight)),
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
                DatabaseFigures {
                    pools: vec![pool("read", stats.reads), pool("work", stats.writes)],
                    in_flight: None,
                }
            }
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
    tokens: Arc<dyn TokenVerifier>,
    ids: Arc<RandomTaskIds>,
    lifecycle: Arc<Lifecycle>,
    policy: Policy,
    observers: Observers,
}

impl Wiring {
    /// Puts a database, the rules for tokens and those for requests together.
    #[must_use]
    pub fn new(
        backend: Backend,
        tokens: VerifierSettings,
        policy: Policy,
        lifecycle: Arc<Lifecycle>,
    ) -> Self {
        Self {
            backend,
            tokens: Arc::new(JwtVerifier::new(tokens, Arc::new(SystemClock))),
            ids: Arc::default(),
            lifecycle,
            policy,
            observers: Observers::default(),
        }
    }

    /// Tells these about requests.
    #[must_use]
    pub fn observed_by(self, observers: Observers) -> Self {
        Self { observers, ..self }
    }

    /// How the database is used right now.
    #[must_use]
    pub fn database_figures(&self) -> DatabaseFigures {
        self.backend.figures()
    }

    /// The application of the worker that calls this.
    #[must_use]
    pub fn app(&self) -> App {
        let (mut repository, storage) = self.backend.worker();
        let mut tokens = Arc::clone(&self.tokens);
        if self.observers.want_calls() {
            repository = Arc::new(Traced::new(repository));
            tokens = Arc::new(Traced::new(tokens));
        }
        App {
            tasks: TaskService::new(repository, Arc::new(SystemClock), Arc::clone(&self.ids) as _),
            tokens,
            storage,
            lifecycle: Arc::clone(&self.lifecycle),
            policy: self.policy.clone(),
            observers: self.observers.clone(),
        }
    }
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
    patience: Duration,
) -> Result<ServerInfo, Failure> {
    let mut reason = "no answer".to_owned();
    let attempts = async {
        let mut pause = Duration::from_millis(100);
        loop {
            match database.probe().await {
                Ok(info) => return Ok(info),
                Err(error) if error.is_refusal() => {
                    return Err(Failure::of_config(&refused("DATABASE_URL", &error)));
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
    if let Ok(outcome) = tokio::time::timeout(patience, attempts).await {
        return outcome;
    }
    let waited = humantime::format_duration(patience);
    Err(Failure::unavailable(format!(
        "DATABASE_URL: the database at {hosts} could not be reached for {waited}: {reason}"
    )))
}

fn refused(variable: &'static str, error: &ConnectError) -> ConfigError {
    ConfigError::new(variable, format!("was refused by the server: {error}"))
}

impl From<ServerInfo> for DatabaseInfo {
    fn from(info: ServerInfo) -> Self {
        let ServerInfo {
            hosts,
            database,
            version,
            tls,
        } = info;
        Self {
            kind: "postgresql",
            host: Some(hosts),
            name: database,
            version,
            tls: Some(tls),
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
        } = self;
        tracing::info!(kind, host, database = name, version, tls, "database connected");
    }
}
