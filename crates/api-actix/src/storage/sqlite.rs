//! SQLite: opening its file, what its adapter says in our words.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use adapters_sqlite::{DatabaseStats, LaneStats, SqliteDatabase, SqliteSettings};

use super::DatabaseInfo;
use domain::chain;

use crate::config::ConfigError;
use crate::failure::Failure;
use adapters_http::observe::snapshot::{PoolMetrics, Snapshot};

/// Opens the file, or creates it.
pub(super) fn open(
    variable: &'static str,
    path: &Path,
    max_in_flight: usize,
) -> Result<(Arc<SqliteDatabase>, DatabaseInfo), Failure> {
    let settings = SqliteSettings {
        max_in_flight,
        ..SqliteSettings::default()
    };
    let database = SqliteDatabase::open(path, settings).map_err(|error| {
        let reason = format!("cannot be used: {}", chain(&error));
        Failure::of_config(&ConfigError::new(variable, reason))
    })?;
    let info = DatabaseInfo {
        kind: "sqlite",
        host: None,
        name: path.display().to_string(),
        version: database.version().to_owned(),
        tls: None,
        pending_migrations: database.schema().pending.clone(),
        unknown_migrations: database.schema().unknown.clone(),
        missing_limits: Vec::new(),
    };
    Ok((Arc::new(database), info))
}

/// Brings the schema up to date.
pub(super) async fn migrate(database: &Arc<SqliteDatabase>) -> Result<Vec<String>, Failure> {
    let database = Arc::clone(database);
    let migrated = tokio::task::spawn_blocking(move || database.migrate()).await;
    migrated
        .map_err(|error| Failure::unavailable(error.to_string()))?
        .map_err(|error| Failure::unavailable(chain(&error)))
}

/// How long closing may take: the whole stop shall take less than 10 seconds.
const CLOSING: Duration = Duration::from_secs(3);

/// Closes the file in a thread of its own: one of the runtime would be waited for even if it never ended.
pub(super) async fn close(database: &Arc<SqliteDatabase>) {
    let database = Arc::clone(database);
    let (done, closed) = tokio::sync::oneshot::channel();
    let closing = thread::Builder::new()
        .name("sqlite-close".to_owned())
        .spawn(move || {
            database.close();
            // The wait may be over already.
            let _ = done.send(());
        });
    let closed = async { closing.is_ok() && closed.await.is_ok() };
    if tokio::time::timeout(CLOSING, closed).await != Ok(true) {
        tracing::warn!(
            "the SQLite file could not be closed in time: a copy of the database needs the -wal file beside it"
        );
    }
}

/// The metrics of the adapter.
pub(super) fn snapshot(stats: DatabaseStats) -> Snapshot {
    let pool = |name, lane: LaneStats| PoolMetrics {
        name,
        connections: None,
        max: u32::try_from(lane.connections).unwrap_or(u32::MAX),
        waiting: lane.waiting,
        timeouts: lane.timeouts,
    };
    Snapshot {
        pools: vec![pool("read", stats.reads), pool("work", stats.writes)],
        in_flight: Some((stats.in_flight, stats.max_in_flight)),
        ..Snapshot::default()
    }
}
