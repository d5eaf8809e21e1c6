//! Puts the parts together: the only file that names the adapters of the database.
//!
//! A process has one [`Backend`]; each worker thread gets an [`App`] of its own from it, because the connections to
//! PostgreSQL live on the worker that uses them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_jwt::{JwtVerifier, VerifierSettings};
use adapters_postgres::{ConnectError, DatabaseUrl, PostgresDatabase, PostgresSettings, ServerInfo};
use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskRepository, TaskService};
use serde::Serialize;

use crate::app::{App, Lifecycle};
use crate::config::{ConfigError, DatabaseConfig, DatabaseLocation};
use crate::failure::{Failure, chain};
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
                let database = SqliteDatabase::open(path, SqliteSettings::default())
                    .map_err(|error| Failure::of_config(&ConfigError::new("DATABASE_URL", chain(&error))))?;
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
                for parameter in url.dropped_parameters() {
                    tracing::warn!(
                        parameter,
                        "DATABASE_URL has a parameter that is not known here; it is ignored"
                    );
                }
                let database = PostgresDatabase::new(PostgresSettings {
                    url: DatabaseUrl::clone(url),
                    migration_url: migration_url.as_deref().cloned(),
                    connect_timeout: config.connect_timeout,
                    acquire_timeout: config.acquire_timeout,
                    work_lane_size: share_of_worker(config.pool_size, workers),
                    max_in_flight: config.max_in_flight,
                });
                let info = wait_for(&database, config.startup_timeout).await?;
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
            Self::Postgres(database) => database
                .migrate()
                .await
                .map_err(|error| Failure::unavailable(chain(&error))),
            Self::Sqlite(database) => {
                let database = Arc::clone(database);
                let migrated = tokio::task::spawn_blocking(move || database.migrate()).await;
                migrated
                    .map_err(|error| Failure::unavailable(error.to_string()))?
                    .map_err(|error| Failure::unavailable(chain(&error)))
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
}

impl Wiring {
    /// Puts a database and the rules for tokens together.
    #[must_use]
    pub fn new(backend: Backend, tokens: VerifierSettings, lifecycle: Arc<Lifecycle>) -> Self {
        Self {
            backend,
            tokens: Arc::new(JwtVerifier::new(tokens, Arc::new(SystemClock))),
            ids: Arc::default(),
            lifecycle,
        }
    }

    /// The application of the worker that calls this.
    #[must_use]
    pub fn app(&self) -> App {
        let (repository, storage) = self.backend.worker();
        App {
            tasks: TaskService::new(repository, Arc::new(SystemClock), Arc::clone(&self.ids) as _),
            tokens: Arc::clone(&self.tokens),
            storage,
            lifecycle: Arc::clone(&self.lifecycle),
        }
    }
}

/// Each worker's part of the work lanes; at least two, so that one slow statement does not stop a worker.
fn share_of_worker(pool_size: u32, workers: usize) -> u32 {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    (pool_size / workers).max(2)
}

/// Asks again and again, with growing pauses, because a database may be starting or waking up; gives up at once if
/// it refuses us.
async fn wait_for(database: &PostgresDatabase, patience: Duration) -> Result<ServerInfo, Failure> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        match database.probe().await {
            Ok(info) => return Ok(info),
            Err(error) if error.is_refusal() => return Err(Failure::of_config(&refused(&error))),
            Err(error) if started.elapsed() + pause >= patience => {
                let waited = started.elapsed().as_secs_f32();
                let reason = format!("the database cannot be reached ({waited:.1} s tried): {error}");
                return Err(Failure::unavailable(reason));
            }
            Err(error) => {
                tracing::warn!(%error, "the database does not answer yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn refused(error: &ConnectError) -> ConfigError {
    ConfigError::new("DATABASE_URL", format!("was refused by the server: {error}"))
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
        tracing::info!(kind, host, name, version, tls, "database connected");
    }
}
