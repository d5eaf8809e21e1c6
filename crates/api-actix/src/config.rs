//! The settings: read once, refused as a whole if one of them cannot be used.
//!
//! A setting is an environment variable or a line of `.env` in the working directory or a parent; the environment
//! counts first, and an empty value counts as none. `.env` is shared with the front end, so names that are not ours
//! are passed over. `.env.example` at the root of the repository lists every setting.

mod tokens;

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use adapters_postgres::DatabaseUrl;
use config::{ConfigError as LayerError, Environment};
use thiserror::Error;

pub use tokens::{TokenConfig, shared_secrets};

use crate::policy::{Policy, Purpose};

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
            host: source.text("HOST").unwrap_or_else(|| "127.0.0.1".to_owned()),
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
        let url = source.secret("DATABASE_URL").ok_or_else(|| {
            let hint = "is not set (set it, or run `task-api dev` for a local SQLite file)";
            ConfigError::new("DATABASE_URL", hint)
        })?;
        let direct_url = source.secret("DATABASE_MIGRATION_URL");
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
            startup_timeout: source
                .duration("DB_STARTUP_TIMEOUT")?
                .unwrap_or(Duration::from_secs(10)),
            acquire_timeout: source
                .duration("DB_POOL_ACQUIRE_TIMEOUT")?
                .unwrap_or(Duration::from_secs(2)),
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
            _ => false,
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
        let format = match source.text("LOG_FORMAT").as_deref() {
            None => default_format,
            Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(_) => return Err(ConfigError::new("LOG_FORMAT", "must be json or text")),
        };
        let filter = source
            .text("LOG_LEVEL")
            .unwrap_or_else(|| "info,actix_server=warn,actix_http::h1=off".to_owned());
        if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
            let reason =
                "must be error, warn, info, debug, trace, or directives such as info,adapters_postgres=debug";
            return Err(ConfigError::new("LOG_LEVEL", reason));
        }
        Ok(Self { filter, format })
    }
}

fn unusable(variable: &'static str, error: impl Display) -> ConfigError {
    ConfigError::new(variable, format!("cannot be used: {error}"))
}

/// Where settings come from. Built from maps, so that tests never touch the environment of their process.
pub struct Source {
    layers: config::Config,
    asked: Mutex<BTreeSet<&'static str>>,
}

impl Source {
    /// The environment over the nearest `.env`, if there is one.
    ///
    /// # Errors
    /// The environment cannot be read.
    pub fn of_process() -> Result<Self, ConfigError> {
        // Values that are no Unicode belong to somebody else.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let file = std::env::current_dir()
            .ok()
            .and_then(|folder| nearest_dotenv(&folder));
        Self::of_layers(
            file.map(|file| dotenv_values(&file)).unwrap_or_default(),
            environment,
        )
    }

    /// Values of `.env` under values of the environment.
    ///
    /// # Errors
    /// The values cannot be layered.
    pub fn of_layers(
        dotenv: HashMap<String, String>,
        environment: HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        // The layers do not tell `PORT` from `port`; we do. Values stay text: a secret of digits is no number.
        let is_ours = |name: &str| !name.contains(char::is_lowercase);
        let layer = |values: HashMap<String, String>| {
            let values = values
                .into_iter()
                .filter(|(name, value)| is_ours(name) && !value.trim().is_empty());
            Environment::default()
                .try_parsing(false)
                .source(Some(values.collect()))
        };
        let layers = config::Config::builder()
            .add_source(layer(dotenv))
            .add_source(layer(environment))
            .build();
        let layers =
            layers.map_err(|error: LayerError| ConfigError::new("the environment", error.to_string()))?;
        Ok(Self {
            layers,
            asked: Mutex::default(),
        })
    }

    /// The names of all settings that were asked for so far.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A value exactly as it was given; `None` if it is blank.
    pub(crate) fn secret(&self, variable: &'static str) -> Option<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(variable);
        self.layers.get_string(&variable.to_lowercase()).ok()
    }

    pub(crate) fn text(&self, variable: &'static str) -> Option<String> {
        self.secret(variable).map(|value| value.trim().to_owned())
    }

    fn number<N>(
        &self,
        variable: &'static str,
        default: N,
        range: RangeInclusive<N>,
    ) -> Result<N, ConfigError>
    where
        N: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let (min, max) = range.into_inner();
        match text.parse() {
            Ok(number) if number >= min && number <= max => Ok(number),
            _ => Err(ConfigError::new(
                variable,
                format!("must be a whole number from {min} to {max}"),
            )),
        }
    }

    pub(crate) fn flag(&self, variable: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.text(variable).as_deref() {
            None => Ok(default),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            Some(_) => Err(ConfigError::new(variable, "must be true or false")),
        }
    }

    fn duration(&self, variable: &'static str) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(None);
        };
        let invalid = || ConfigError::new(variable, DURATION_RULE);
        let duration = parse_duration(&text).ok_or_else(invalid)?;
        if duration.is_zero() {
            Err(invalid())
        } else {
            Ok(Some(duration))
        }
    }

    /// A duration that may be nothing.
    fn delay(&self, variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(default);
        };
        let invalid = || ConfigError::new(variable, "must be a duration such as 300ms, 10s or 15m");
        parse_duration(&text).ok_or_else(invalid)
    }

    pub(crate) fn list<T, E: Display>(
        &self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, ConfigError> {
        let Some(text) = self.text(variable) else {
            return Ok(Vec::new());
        };
        text.split(',')
            .map(|item| parse(item.trim()).map_err(|error| unusable(variable, error)))
            .collect()
    }
}

/// What a duration looks like, as the end of a sentence.
pub(crate) const DURATION_RULE: &str = "must be a duration such as 300ms, 10s or 15m, longer than nothing";

/// `300ms`, `10s`, `15m`; a bare number means seconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

fn nearest_dotenv(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|folder| folder.join(".env"))
        .find(|file| file.is_file())
}

/// The values of a `.env`. Lines that we cannot read belong to somebody else's program; they are passed over, because
/// a message about them might quote a secret.
fn dotenv_values(file: &Path) -> HashMap<String, String> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let readable: Vec<_> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| stands_alone(line))
        .collect();
    // All of them at once, because a value may mention those above it.
    dotenvy::from_read_iter(readable.join("\n").as_bytes())
        .filter_map(Result::ok)
        .collect()
}

/// Whether a line is readable by itself. The apostrophe of `TITLE=Alice's` would else swallow the lines below it; none
/// of our values has several lines.
fn stands_alone(line: &str) -> bool {
    dotenvy::from_read_iter(line.as_bytes()).all(|value| value.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = ("DATABASE_URL", "postgresql://u:hunter2@localhost/db");
    const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "0123456789-0123456789-0123456789");

    fn source(values: &[(&str, &str)]) -> Source {
        let owned = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Source::of_layers(HashMap::new(), owned).unwrap()
    }

    fn read(values: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_source(&source(values))
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
    fn a_secret_of_digits_stays_the_text_that_it_is() {
        let secret = ("BETTER_AUTH_SECRET", "00123456789012345678901234567890");
        assert_eq!(
            source(&[secret]).secret("BETTER_AUTH_SECRET").as_deref(),
            Some(secret.1)
        );
    }

    #[test]
    fn secrets_may_be_rotated() {
        let config = read(&[URL, SECRET, ("BETTER_AUTH_SECRETS", "2:new-secret,1:old-secret")]).unwrap();
        assert_eq!(config.tokens.rules.secrets.len(), 3);
    }

    #[test]
    fn the_environment_counts_before_the_file() {
        let map = |value: &str| HashMap::from([("PORT".to_owned(), value.to_owned())]);
        let source = Source::of_layers(map("1"), map("2")).unwrap();
        assert_eq!(source.number("PORT", 0, 0..=9), Ok(2));
        let source = Source::of_layers(map("1"), map("")).unwrap();
        assert_eq!(source.number("PORT", 0, 0..=9), Ok(1));
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
    fn durations_have_units_and_a_bare_number_means_seconds() {
        assert_eq!(parse_duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(parse_duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("15m"), Some(Duration::from_secs(900)));
        assert_eq!(parse_duration("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse_duration("-7"), None);
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

    #[test]
    fn a_line_of_dotenv_that_we_cannot_read_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "A=1\nNEXT_PUBLIC_NAME=two words\n# note\nB='x y'\n").unwrap();
        let values = dotenv_values(&file);
        assert_eq!(values.get("A").map(String::as_str), Some("1"));
        assert_eq!(values.get("B").map(String::as_str), Some("x y"));
    }

    #[test]
    fn a_quote_that_nobody_closes_swallows_no_other_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(
            &file,
            "\u{feff}A=1\nTITLE=Alice's tasks\n# don't\nTEXT=\"open\nB=${A}2\nC='3'",
        )
        .unwrap();
        let values = dotenv_values(&file);
        let value = |name: &str| values.get(name).map(String::as_str);
        assert_eq!(
            [value("A"), value("B"), value("C")],
            [Some("1"), Some("12"), Some("3")]
        );
    }

    #[test]
    fn a_name_in_other_letters_is_another_name() {
        for _ in 0..16 {
            let source = source(&[("PORT", "1"), ("port", "2"), ("Port", "3")]);
            assert_eq!(source.number("PORT", 0, 0..=9), Ok(1));
        }
    }

    #[test]
    fn dotenv_is_found_in_a_parent() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "A=1").unwrap();
        assert_eq!(nearest_dotenv(&inner), Some(file));
    }
}
