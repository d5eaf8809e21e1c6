//! The settings about the database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters_postgres::{DatabaseUrl, InvalidDatabaseUrl, Reload, TlsFiles};

use super::source::value_of_file;
use super::{ConfigError, Source};

/// Where tasks are kept.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The setting that names it, for errors.
    pub variable: &'static str,
    /// Which database.
    pub location: DatabaseLocation,
    /// Reads the address anew, if it comes from a file.
    pub reload: Option<Reload>,
    /// Whether `serve` brings the schema up to date before it listens.
    pub migrate_on_start: bool,
    /// How long to wait for the database at start.
    pub startup_timeout: Duration,
    /// How long to wait for a connection while serving.
    pub acquire_timeout: Duration,
    /// How long establishing one may take; `None` for the default of the address.
    pub connect_timeout: Option<Duration>,
    /// The most connections of the work lanes of all workers together, but each has at least two.
    pub pool_size: u32,
    /// The most requests that may use or wait for the database at once.
    pub max_in_flight: usize,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseLocation {
    /// A PostgreSQL server.
    Postgres {
        /// Its address.
        url: Box<DatabaseUrl>,
        /// Its direct address for migrations, if the other is a pooler's.
        migration_url: Option<Box<DatabaseUrl>>,
    },
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl DatabaseConfig {
    /// Reads `DATABASE_URL` and the settings around it.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        source.reading(|| {
            let files = tls_files(source);
            // Judged first and even if it is not used: `check-config` shows what is good.
            let direct_url = source
                .value_or_file("DATABASE_MIGRATION_URL", "DATABASE_MIGRATION_URL_FILE")?
                .map(|url| DatabaseUrl::parse_with(&url, &files))
                .transpose()
                .map_err(|error| unusable_url("DATABASE_MIGRATION_URL", &error))?;
            let url = source
                .value_or_file("DATABASE_URL", "DATABASE_URL_FILE")?
                .ok_or_else(|| {
                    let hint = "is not set (set it, or run `task-api dev` for a local SQLite file)";
                    ConfigError::new("DATABASE_URL", hint)
                })?;
            let mut location = DatabaseLocation::parse("DATABASE_URL", &url, source)?;
            if let DatabaseLocation::Postgres { migration_url, .. } = &mut location {
                *migration_url = direct_url.map(Box::new);
            }
            Ok(Self {
                reload: reload(source),
                ..Self::at("DATABASE_URL", location, source)?
            })
        })
    }

    /// Reads the settings around a database that is already chosen, by that setting.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn at(
        variable: &'static str,
        location: DatabaseLocation,
        source: &Source,
    ) -> Result<Self, ConfigError> {
        source.reading(|| {
            Ok(Self {
                variable,
                location,
                reload: None,
                migrate_on_start: source.flag("MIGRATE_ON_START", true)?,
                startup_timeout: source.duration_or("DB_STARTUP_TIMEOUT", Duration::from_secs(10))?,
                acquire_timeout: source.duration_or("DB_POOL_ACQUIRE_TIMEOUT", Duration::from_secs(2))?,
                connect_timeout: source.duration("DB_CONNECT_TIMEOUT")?,
                pool_size: source.number("DB_POOL_SIZE", 16, 1..=10_000)?,
                max_in_flight: source.number("DB_MAX_IN_FLIGHT", 512, 1..=1_000_000)?,
            })
        })
    }
}

impl DatabaseConfig {
    /// For what only looks at a database: opening SQLite's would make its file.
    ///
    /// # Errors
    /// There is no such file.
    pub(crate) fn require_file(&self) -> Result<(), ConfigError> {
        match &self.location {
            DatabaseLocation::Sqlite(path) if !path.exists() => Err(ConfigError::new(
                self.variable,
                "names a file that does not exist",
            )),
            _ => Ok(()),
        }
    }
}

impl DatabaseLocation {
    /// Reads a URL, given the setting that it comes from; `PGSSLROOTCERT`, `PGSSLCERT` and `PGSSLKEY` stand in for what
    /// it does not say, as for libpq.
    ///
    /// # Errors
    /// It leads to no database that we can use.
    pub fn parse(variable: &'static str, url: &str, source: &Source) -> Result<Self, ConfigError> {
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite_path(variable, path).map(Self::Sqlite),
            None => match DatabaseUrl::parse_with(url, &tls_files(source)) {
                Ok(url) => Ok(Self::Postgres {
                    url: Box::new(url),
                    migration_url: None,
                }),
                Err(InvalidDatabaseUrl::Scheme) => {
                    let reason = "must begin with postgresql://, postgres:// or sqlite:";
                    Err(ConfigError::new(variable, reason))
                }
                Err(error) => Err(unusable_url(variable, &error)),
            },
        }
    }

    /// Whether both certainly lead to one database. Two names of one server are taken for two.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sqlite(one), Self::Sqlite(other)) => {
                let real = |path: &Path| path.canonicalize().ok();
                real(one).is_some_and(|one| Some(one) == real(other))
            }
            (Self::Postgres { url: one, .. }, Self::Postgres { url: other, .. }) => {
                one.is_same_database_as(other)
            }
            (Self::Sqlite(_), Self::Postgres { .. }) | (Self::Postgres { .. }, Self::Sqlite(_)) => false,
        }
    }
}

fn tls_files(source: &Source) -> TlsFiles {
    TlsFiles {
        root_certificates: source.text("PGSSLROOTCERT").map(PathBuf::from),
        certificate: source.text("PGSSLCERT").map(PathBuf::from),
        key: source.text("PGSSLKEY").map(PathBuf::from),
    }
}

/// The password in the file may change while the process runs: a hosting service may rotate it, or be asked to.
fn reload(source: &Source) -> Option<Reload> {
    let file = PathBuf::from(source.text("DATABASE_URL_FILE")?);
    let tls_files = tls_files(source);
    Some(Reload::with(move || {
        let text = value_of_file("DATABASE_URL_FILE", &file)?;
        Ok(DatabaseUrl::parse_with(&text, &tls_files)?)
    }))
}

fn unusable_url(variable: &'static str, error: &InvalidDatabaseUrl) -> ConfigError {
    ConfigError::new(variable, format!("is not a usable PostgreSQL URL: {error}"))
}

/// `sqlite:tasks.db`, `sqlite:/data/tasks.db`, and the same with the `//` that other programs write before a path.
fn sqlite_path(variable: &'static str, path: &str) -> Result<PathBuf, ConfigError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(ConfigError::new(variable, "names no file after sqlite:"));
    }
    if path.starts_with(":memory:") || path.contains('?') {
        let reason =
            "must name a file after sqlite:, without parameters; an in-memory database is not supported";
        return Err(ConfigError::new(variable, reason));
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<DatabaseConfig, ConfigError> {
        DatabaseConfig::from_source(&Source::of_environment(values))
    }

    fn message(values: &[(&str, &str)]) -> String {
        read(values).unwrap_err().to_string()
    }

    #[test]
    fn edge_case_a_missing_database_url_is_named_and_never_replaced() {
        let wanted = "DATABASE_URL is not set (set it, or run `task-api dev` for a local SQLite file)";
        assert_eq!(message(&[]), wanted);
        assert_eq!(message(&[("DATABASE_URL", "")]), wanted);
        assert_eq!(message(&[("DATABASE_URL", "  ")]), wanted);
    }

    #[test]
    fn edge_case_a_malformed_database_url_is_named_without_its_value() {
        for url in [
            "mysql://u:hunter2@h/d",
            "hunter2",
            "postgresql://u:hunter2@h:port/d",
            "sqlite:",
            "sqlite::memory:",
        ] {
            let message = message(&[("DATABASE_URL", url)]);
            assert!(message.starts_with("DATABASE_URL "), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn sqlite_is_chosen_by_its_scheme_alone() {
        for (url, wanted) in [
            ("sqlite:tasks.db", "tasks.db"),
            ("sqlite:/data/tasks.db", "/data/tasks.db"),
            ("sqlite:///data/tasks.db", "/data/tasks.db"),
        ] {
            let config = read(&[("DATABASE_URL", url)]).unwrap();
            let DatabaseLocation::Sqlite(path) = config.location else {
                panic!("{url}")
            };
            assert_eq!(path, Path::new(wanted));
        }
    }
}
