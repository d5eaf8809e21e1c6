//! The settings: read once, refused as a whole if one of them cannot be used.
//!
//! A setting is an environment variable or a line of `.env` in the working directory or a parent; the environment
//! counts first, and an empty value counts as none. A secret may also stand in a file of its own, which the variable
//! with `_FILE` behind its name points to. `.env` is shared with the front end, so names that are not ours are passed
//! over. `.env.example` at the root of the repository lists every setting.

mod dotenv;
mod source;
mod tokens;
pub(crate) mod unknown;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adapters_postgres::DatabaseUrl;
use thiserror::Error;

pub use source::Source;
pub(crate) use source::parse_duration;
pub use tokens::{TokenConfig, shared_secrets};

use crate::observe::settings::ObserveConfig;
use crate::policy::{Policy, Purpose};
use crate::telemetry::LogLevel;

/// Everything that `serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how to listen.
    pub http: HttpConfig,
    /// Where tasks are kept.
    pub database: DatabaseConfig,
    /// Which tokens are good.
    pub tokens: TokenConfig,
    /// Which requests are let through.
    pub policy: Policy,
    /// What is recorded about them.
    pub observe: ObserveConfig,
}

/// Where and how to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address or name to listen on.
    pub host: String,
    /// The port; 0 is any free one.
    pub port: u16,
    /// How many threads handle requests.
    pub workers: usize,
    /// How long to serve on, as not ready, after having been told to stop.
    pub shutdown_delay: Duration,
}

/// Where tasks are kept.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The setting that names it, for errors.
    pub variable: &'static str,
    /// Which database.
    pub location: DatabaseLocation,
    /// Whether `serve` brings the schema up to date before it listens.
    pub migrate_on_start: bool,
    /// How long to wait for the database at start.
    pub startup_timeout: Duration,
    /// How long to wait for a connection while serving.
    pub acquire_timeout: Duration,
    /// How long establishing one may take; `None` for the default of the address.
    pub connect_timeout: Option<Duration>,
    /// The most connections of the work lanes of all workers together.
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

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// What to log: a level, or directives of tracing's `EnvFilter`.
    pub filter: String,
    /// In which form.
    pub format: LogFormat,
}

/// In which form to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One readable line, for people.
    Text,
}

/// A setting that cannot be used. Names the variable, never its value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{variable} {reason}")]
pub struct ConfigError {
    variable: &'static str,
    reason: String,
}

impl ConfigError {
    /// What is wrong with a variable: the rest of a sentence that begins with its name.
    pub fn new(variable: &'static str, reason: impl Into<String>) -> Self {
        Self {
            variable,
            reason: reason.into(),
        }
    }

    /// Which variable it is.
    #[must_use]
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

impl Config {
    /// Reads every setting.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        Ok(Self {
            database: DatabaseConfig::from_source(source)?,
            tokens: TokenConfig::from_source(source)?,
            policy: Policy::from_source(source, Purpose::Serve)?,
            http: HttpConfig::from_source(source)?,
            observe: ObserveConfig::from_source(source)?,
        })
    }
}

impl HttpConfig {
    /// Reads `HOST`, `PORT`, `WORKERS` and `SHUTDOWN_DELAY`.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            host: source.text_or("HOST", "127.0.0.1"),
            port: source.number("PORT", 8000, 0..=u16::MAX)?,
            workers: source.number("WORKERS", cores.min(8), 1..=256)?,
            shutdown_delay: source.delay("SHUTDOWN_DELAY", Duration::from_millis(250))?,
        })
    }
}

impl DatabaseConfig {
    /// Reads `DATABASE_URL` and the settings around it.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        let url = source
            .value_or_file("DATABASE_URL", "DATABASE_URL_FILE")?
            .ok_or_else(|| {
                let hint = "is not set (set it, or run `task-api dev` for a local SQLite file)";
                ConfigError::new("DATABASE_URL", hint)
            })?;
        let direct_url = source.value_or_file("DATABASE_MIGRATION_URL", "DATABASE_MIGRATION_URL_FILE")?;
        let mut location = DatabaseLocation::parse("DATABASE_URL", &url)?;
        if let (DatabaseLocation::Postgres { migration_url, .. }, Some(url)) = (&mut location, direct_url) {
            *migration_url = Some(database_url("DATABASE_MIGRATION_URL", &url)?);
        }
        Self::at("DATABASE_URL", location, source)
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
        Ok(Self {
            variable,
            location,
            migrate_on_start: source.flag("MIGRATE_ON_START", true)?,
            startup_timeout: source.duration_or("DB_STARTUP_TIMEOUT", Duration::from_secs(10))?,
            acquire_timeout: source.duration_or("DB_POOL_ACQUIRE_TIMEOUT", Duration::from_secs(2))?,
            connect_timeout: source.duration("DB_CONNECT_TIMEOUT")?,
            pool_size: source.number("DB_POOL_SIZE", 16, 1..=10_000)?,
            max_in_flight: source.number("DB_MAX_IN_FLIGHT", 512, 1..=1_000_000)?,
        })
    }
}

impl DatabaseLocation {
    /// Reads a URL, given the setting that it comes from.
    ///
    /// # Errors
    /// It leads to no database that we can use.
    pub fn parse(variable: &'static str, url: &str) -> Result<Self, ConfigError> {
        match url.strip_prefix("sqlite:") {
            Some(path) => sqlite_path(variable, path).map(Self::Sqlite),
            None => Ok(Self::Postgres {
                url: database_url(variable, url)?,
                migration_url: None,
            }),
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

fn database_url(variable: &'static str, text: &str) -> Result<Box<DatabaseUrl>, ConfigError> {
    DatabaseUrl::parse(text)
        .map(Box::new)
        .map_err(|error| match error {
            adapters_postgres::InvalidDatabaseUrl::Scheme => {
                ConfigError::new(variable, "must begin with postgresql://, postgres:// or sqlite:")
            }
            error => ConfigError::new(variable, format!("is not a usable PostgreSQL URL: {error}")),
        })
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

impl LogConfig {
    /// Reads `LOG_LEVEL` and `LOG_FORMAT`.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source, default_format: LogFormat) -> Result<Self, ConfigError> {
        let default_format = match default_format {
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        };
        let format = match source.text_or("LOG_FORMAT", default_format).as_str() {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => return Err(ConfigError::new("LOG_FORMAT", "must be json or text")),
        };
        let filter = source.text_or("LOG_LEVEL", "info,actix_server=warn,actix_http::h1=off");
        match LogLevel::parse(&filter) {
            Ok(_) => Ok(Self { filter, format }),
            Err(error) => Err(ConfigError::new("LOG_LEVEL", error.to_string())),
        }
    }
}

fn unusable(variable: &'static str, error: impl Display) -> ConfigError {
    ConfigError::new(variable, format!("cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const URL: (&str, &str) = ("DATABASE_URL", "postgresql://u:hunter2@localhost/db");
    const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "0123456789-0123456789-0123456789");

    fn read(values: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_source(&Source::of_environment(values))
    }

    fn message(values: &[(&str, &str)]) -> String {
        read(values).unwrap_err().to_string()
    }

    #[test]
    fn two_settings_are_enough() {
        let config = read(&[URL, SECRET]).unwrap();
        assert_eq!(config.http.host, "127.0.0.1");
        assert_eq!(config.http.port, 8000);
        assert_eq!(config.database.acquire_timeout, Duration::from_secs(2));
        assert!(config.database.migrate_on_start);
    }

    #[test]
    fn edge_case_a_missing_database_url_is_named_and_never_replaced() {
        let wanted = "DATABASE_URL is not set (set it, or run `task-api dev` for a local SQLite file)";
        assert_eq!(message(&[SECRET]), wanted);
        assert_eq!(message(&[SECRET, ("DATABASE_URL", "")]), wanted);
        assert_eq!(message(&[SECRET, ("DATABASE_URL", "  ")]), wanted);
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
            let message = message(&[SECRET, ("DATABASE_URL", url)]);
            assert!(message.starts_with("DATABASE_URL "), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn edge_case_a_missing_secret_is_named() {
        for values in [&[URL][..], &[URL, ("BETTER_AUTH_SECRET", " ")]] {
            assert!(message(values).starts_with("BETTER_AUTH_SECRET is not set"));
        }
    }

    #[test]
    fn the_published_default_of_better_auth_is_no_secret() {
        let message = message(&[
            URL,
            ("BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890"),
        ]);
        assert!(
            message.starts_with("BETTER_AUTH_SECRET cannot be used"),
            "{message}"
        );
    }

    #[test]
    fn secrets_may_be_rotated() {
        let config = read(&[URL, SECRET, ("BETTER_AUTH_SECRETS", "2:new-secret,1:old-secret")]).unwrap();
        assert_eq!(config.tokens.rules.secrets.len(), 3);
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_range_and_not_its_value() {
        for (variable, value) in [
            ("PORT", "70000"),
            ("PORT", "http"),
            ("WORKERS", "0"),
            ("DB_POOL_SIZE", "-1"),
            ("DB_POOL_ACQUIRE_TIMEOUT", "soon"),
            ("DB_STARTUP_TIMEOUT", "0"),
            ("SHUTDOWN_DELAY", "-1s"),
            ("MIGRATE_ON_START", "maybe"),
            ("JWT_LEEWAY_SECS", "61"),
            ("JWT_USER_ID_CLAIM", "email"),
        ] {
            let message = message(&[URL, SECRET, (variable, value)]);
            assert!(message.starts_with(variable), "{message}");
            assert!(
                value.len() < 3 || value == "email" || !message.contains(value),
                "{message}"
            );
        }
    }

    #[test]
    fn sqlite_is_chosen_by_its_scheme_alone() {
        for (url, wanted) in [
            ("sqlite:tasks.db", "tasks.db"),
            ("sqlite:/data/tasks.db", "/data/tasks.db"),
            ("sqlite:///data/tasks.db", "/data/tasks.db"),
        ] {
            let config = read(&[SECRET, ("DATABASE_URL", url)]).unwrap();
            let DatabaseLocation::Sqlite(path) = config.database.location else {
                panic!("{url}")
            };
            assert_eq!(path, Path::new(wanted));
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let text = format!("{:?}", read(&[URL, SECRET]).unwrap());
        assert!(!text.contains("hunter2") && !text.contains(SECRET.1), "{text}");
    }
}
