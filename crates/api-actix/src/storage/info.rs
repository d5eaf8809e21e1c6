//! The database at the other end.

use serde::Serialize;

use crate::config::ConfigError;

/// The database that replied at the other end, for logs and `task-api check`.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseInfo {
    /// As the semantic conventions of OpenTelemetry call it.
    pub(crate) kind: &'static str,
    pub(super) host: Option<String>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) tls: Option<bool>,
    pub(super) pending_migrations: Vec<String>,
    pub(super) unknown_migrations: Vec<String>,
    /// Statements for an administrator: limits that the role should have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missing_limits: Vec<String>,
}

impl DatabaseInfo {
    /// Says in the log what the server works with.
    pub(crate) fn log(&self) {
        let Self {
            kind,
            host,
            name,
            version,
            tls,
            pending_migrations: _,
            unknown_migrations,
            missing_limits,
        } = self;
        tracing::info!(kind, host, database = name, version, tls, "database connected");
        if !unknown_migrations.is_empty() {
            tracing::warn!(
                versions = unknown_migrations.join(", "),
                "the schema is newer than this program: migrations have run that it does not know"
            );
        }
        if !missing_limits.is_empty() {
            tracing::warn!(
                run = missing_limits.join("; "),
                "the database refuses start-up options, and the role has no limits of its own: a statement that takes \
                 too long is cancelled by us alone"
            );
        }
    }

    /// Makes sure that the tables have everything that this program asks them for.
    ///
    /// # Errors
    /// They are missing or older.
    pub(crate) fn require_schema(&self, variable: &'static str) -> Result<(), ConfigError> {
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
    pub(crate) fn refuse_newer_schema(&self, variable: &'static str) -> Result<(), ConfigError> {
        if self.unknown_migrations.is_empty() {
            return Ok(());
        }
        let reason = "leads to a database whose schema is newer than this program: use the `task-api` that migrated it";
        Err(ConfigError::new(variable, reason))
    }

    /// Says in the log what is left to do if nothing is going to migrate.
    pub(crate) fn warn_about_pending_migrations(&self) {
        if !self.pending_migrations.is_empty() {
            tracing::warn!(
                migrations = self.pending_migrations.join(", "),
                "the schema is older than this program: run `task-api migrate`"
            );
        }
    }
}
