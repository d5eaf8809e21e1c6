//! PostgreSQL: waiting for it, what it must be able to do, what its adapter says in our words.

use std::time::Duration;

use adapters_postgres::{
    ConnectError, DatabaseStats, DatabaseUrl, LaneStats, MigrateError, PostgresDatabase, PostgresSettings,
    ServerInfo,
};

use super::DatabaseInfo;
use domain::chain;

use crate::config::tls;
use crate::config::{ConfigError, DatabaseConfig};
use crate::failure::Failure;
use adapters_http::observe::snapshot::{PoolMetrics, RetryMetrics, Snapshot};

/// Connects, waiting for the server as long as the settings say.
pub(super) async fn open(
    config: &DatabaseConfig,
    url: &DatabaseUrl,
    migration_url: Option<&DatabaseUrl>,
    workers: usize,
) -> Result<(PostgresDatabase, DatabaseInfo), Failure> {
    warn_about_dropped_parameters(config.variable, url);
    if let Some(url) = migration_url {
        warn_about_dropped_parameters("DATABASE_MIGRATION_URL", url);
    }
    let database = PostgresDatabase::new(PostgresSettings {
        url: url.clone(),
        migration_url: migration_url.cloned(),
        reload: config.reload.clone(),
        authorities: tls::authorities,
        connect_timeout: config.connect_timeout,
        acquire_timeout: config.acquire_timeout,
        work_lane_size: share_of_worker(config.pool_size, workers),
        max_in_flight: config.max_in_flight,
    });
    let info = wait_for(&database, &url.hosts(), config).await?;
    check_texts(config.variable, &info)?;
    Ok((database, info.into()))
}

/// Brings the schema up to date.
pub(super) async fn migrate(database: &PostgresDatabase, wait: Duration) -> Result<Vec<String>, Failure> {
    database.migrate_within(wait).await.map_err(|error| match error {
        // The database of DATABASE_URL has let us in before.
        MigrateError::Connect(error) if error.is_refusal() => {
            Failure::of_config(&refused("DATABASE_MIGRATION_URL", &error))
        }
        error => Failure::unavailable(chain(&error)),
    })
}

/// The metrics of the adapter.
pub(super) fn snapshot(stats: DatabaseStats) -> Snapshot {
    let pool = |name, lane: LaneStats| PoolMetrics {
        name,
        connections: Some((lane.idle, lane.used)),
        max: lane.max,
        waiting: lane.waiting,
        timeouts: lane.timeouts,
    };
    Snapshot {
        pools: vec![pool("read", stats.read), pool("work", stats.work)],
        in_flight: Some((stats.in_flight, stats.max_in_flight)),
        retries: Some(RetryMetrics {
            run: stats.repeats.done,
            denied: stats.repeats.denied,
            budget: stats.repeats.left,
        }),
        ..Snapshot::default()
    }
}

/// Each worker's part of the work lanes; at least two, so that one slow statement does not stop a worker.
fn share_of_worker(pool_size: u32, workers: usize) -> u32 {
    let workers = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    (pool_size / workers).max(2)
}

fn warn_about_dropped_parameters(variable: &'static str, url: &DatabaseUrl) {
    // Not their names: they may be part of a password whose question mark was not escaped.
    let parameters = url.dropped_parameters().len();
    if parameters > 0 {
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
    let mut reason: Option<String> = None;
    let attempts = async {
        let mut pause = Duration::from_millis(100);
        loop {
            match database.probe().await {
                Ok(info) => return Ok(info),
                Err(error) if error.is_refusal() => {
                    return Err(Failure::of_config(&refused(config.variable, &error)));
                }
                Err(error) => {
                    // Once for each reason: there are many attempts.
                    if reason.replace(error.to_string()).as_deref() != Some(&error.to_string()) {
                        tracing::warn!(%error, "the database does not answer yet");
                    }
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
    let reason = reason.as_deref().unwrap_or("no answer");
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
            missing_limits,
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
            missing_limits,
        }
    }
}
