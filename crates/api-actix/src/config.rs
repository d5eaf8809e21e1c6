//! The settings: read once, refused as a whole if one of them cannot be used.
//!
//! A setting is an environment variable or a line of `.env` in the working directory or a parent; the environment
//! counts first, and an empty value counts as none. A secret may also stand in a file of its own, which the variable
//! with `_FILE` behind its name points to. `.env` is shared with the front end, so names that are not ours are passed
//! over. `.env.example` at the root of the repository lists every setting.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use adapters_jwt::{Leeway, Party, SharedSecret, UserIdClaims, VerifierSettings};
use adapters_postgres::DatabaseUrl;
use config::{ConfigError as LayerError, Environment};
use secrecy::SecretString;
use thiserror::Error;

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
    pub tokens: VerifierSettings,
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
}

/// Where tasks are kept.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
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
            tokens: verifier_settings(source)?,
            policy: Policy::from_source(source, Purpose::Serve)?,
            http: HttpConfig::from_source(source)?,
            observe: ObserveConfig::from_source(source)?,
        })
    }
}

impl HttpConfig {
    /// Reads `HOST`, `PORT` and `WORKERS`.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            host: source.text_or("HOST", "127.0.0.1"),
            port: source.number("PORT", 8000, 0..=u16::MAX)?,
            workers: source.number("WORKERS", cores.min(8), 1..=256)?,
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
            .secret("DATABASE_URL", "DATABASE_URL_FILE")?
            .ok_or_else(|| {
                let hint = "is not set (set it, or run `task-api dev` for a local SQLite file)";
                ConfigError::new("DATABASE_URL", hint)
            })?;
        let migration_url = source.secret("DATABASE_MIGRATION_URL", "DATABASE_MIGRATION_URL_FILE")?;
        let location = match url.strip_prefix("sqlite:") {
            Some(path) => DatabaseLocation::Sqlite(sqlite_path(path)?),
            None => DatabaseLocation::Postgres {
                url: database_url("DATABASE_URL", &url)?,
                migration_url: migration_url
                    .map(|url| database_url("DATABASE_MIGRATION_URL", &url))
                    .transpose()?,
            },
        };
        Self::at(location, source)
    }

    /// Reads the settings around a database that is already chosen.
    ///
    /// # Errors
    /// The first one that cannot be used.
    pub fn at(location: DatabaseLocation, source: &Source) -> Result<Self, ConfigError> {
        Ok(Self {
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
fn sqlite_path(path: &str) -> Result<PathBuf, ConfigError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(ConfigError::new("DATABASE_URL", "names no file after sqlite:"));
    }
    if path.starts_with(":memory:") || path.contains('?') {
        let reason =
            "must name a file after sqlite:, without parameters; an in-memory database is not supported";
        return Err(ConfigError::new("DATABASE_URL", reason));
    }
    Ok(PathBuf::from(path))
}

/// Reads which tokens are good.
///
/// # Errors
/// The first setting that cannot be used; `BETTER_AUTH_SECRET` if there is no key at all.
pub fn verifier_settings(source: &Source) -> Result<VerifierSettings, ConfigError> {
    let settings = verifier_rules(source)?;
    if settings.secrets.is_empty() {
        let reason = "is not set, nor is BETTER_AUTH_SECRETS: set the secret that the front end's Better Auth signs with";
        return Err(ConfigError::new("BETTER_AUTH_SECRET", reason));
    }
    Ok(settings)
}

/// Reads which tokens are good, if there is a key for them.
///
/// # Errors
/// The first setting that cannot be used.
pub fn verifier_rules(source: &Source) -> Result<VerifierSettings, ConfigError> {
    Ok(VerifierSettings {
        secrets: secrets(source)?,
        issuers: source.list("JWT_ISSUER", Party::parse)?,
        audiences: source.list("JWT_AUDIENCE", Party::parse)?,
        user_id_claims: user_id_claims(source)?,
        leeway: Leeway::from_secs(source.number("JWT_LEEWAY_SECS", 0, 0..=u64::from(Leeway::MAX_SECS))?)
            .map_err(|error| unusable("JWT_LEEWAY_SECS", error))?,
    })
}

/// Every shared secret; the first one is the one to sign with.
fn secrets(source: &Source) -> Result<Vec<SharedSecret>, ConfigError> {
    let mut secrets = Vec::new();
    if let Some(secret) = source.secret("BETTER_AUTH_SECRET", "BETTER_AUTH_SECRET_FILE")? {
        let secret = SharedSecret::new(SecretString::from(secret));
        secrets.push(secret.map_err(|error| unusable("BETTER_AUTH_SECRET", error))?);
    }
    if let Some(list) = source.secret("BETTER_AUTH_SECRETS", "BETTER_AUTH_SECRETS_FILE")? {
        let listed = SharedSecret::parse_versioned(&list);
        secrets.extend(listed.map_err(|error| unusable("BETTER_AUTH_SECRETS", error))?);
    }
    Ok(secrets)
}

fn user_id_claims(source: &Source) -> Result<UserIdClaims, ConfigError> {
    let names = source.text_or("JWT_USER_ID_CLAIM", "user_id,sub");
    UserIdClaims::parse(names.split(',').map(str::trim)).map_err(|error| unusable("JWT_USER_ID_CLAIM", error))
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
        let filter = source.text_or("LOG_LEVEL", "info,actix_server=warn");
        match LogLevel::parse(&filter) {
            Ok(_) => Ok(Self { filter, format }),
            Err(error) => Err(ConfigError::new("LOG_LEVEL", error.to_string())),
        }
    }
}

fn unusable(variable: &'static str, error: impl Display) -> ConfigError {
    ConfigError::new(variable, format!("cannot be used: {error}"))
}

/// Where settings come from. Built from maps, so that tests never touch the environment of their process.
pub struct Source {
    layers: config::Config,
    /// The names in the environment, and those in `.env`.
    given: [BTreeSet<String>; 2],
    /// The settings that were asked for so far, each with its default.
    asked: Mutex<BTreeMap<&'static str, Option<String>>>,
    /// Settings that count as not set.
    ignored: BTreeSet<&'static str>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// The environment.
    Environment,
    /// `.env`.
    Dotenv,
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
        let is_ours =
            |(name, value): &(String, String)| !name.contains(char::is_lowercase) && !value.trim().is_empty();
        let ours = |values: HashMap<String, String>| -> HashMap<_, _> {
            values.into_iter().filter(is_ours).collect()
        };
        let (dotenv, environment) = (ours(dotenv), ours(environment));
        let given = [&environment, &dotenv].map(|values| values.keys().cloned().collect());
        let layer =
            |values: HashMap<String, String>| Environment::default().try_parsing(false).source(Some(values));
        let layers = config::Config::builder()
            .add_source(layer(dotenv))
            .add_source(layer(environment))
            .build();
        let layers =
            layers.map_err(|error: LayerError| ConfigError::new("the environment", error.to_string()))?;
        Ok(Self {
            layers,
            given,
            asked: Mutex::default(),
            ignored: BTreeSet::new(),
        })
    }

    /// The names of all settings that were asked for so far, each with its default as text if it has one.
    #[must_use]
    pub fn asked(&self) -> BTreeMap<&'static str, Option<String>> {
        self.lock_asked().clone()
    }

    /// All names that somebody has set, ours and others'.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> = self.given.iter().flatten().map(String::as_str).collect();
        names.into_iter()
    }

    /// Where the value of a setting comes from.
    #[must_use]
    pub fn origin(&self, variable: &str) -> Origin {
        let [environment, dotenv] = &self.given;
        if environment.contains(variable) {
            Origin::Environment
        } else if dotenv.contains(variable) {
            Origin::Dotenv
        } else {
            Origin::Default
        }
    }

    /// From now on the setting counts as not set. Answers whether that changes anything.
    pub(crate) fn ignore(&mut self, variable: &'static str) -> bool {
        self.origin(variable) != Origin::Default && self.ignored.insert(variable)
    }

    fn lock_asked(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<String>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, variable: &'static str, default: Option<String>) {
        self.lock_asked().insert(variable, default);
    }

    /// A value exactly as it was given; `None` if it is blank.
    pub(crate) fn value(&self, variable: &'static str) -> Option<String> {
        self.lock_asked().entry(variable).or_default();
        if self.ignored.contains(variable) {
            return None;
        }
        self.layers.get_string(&variable.to_lowercase()).ok()
    }

    /// A secret, from its variable or from its file. The line break at the end of a file does not count.
    ///
    /// # Errors
    /// Both are set, or the file cannot be read or is blank.
    pub(crate) fn secret(
        &self,
        variable: &'static str,
        file_variable: &'static str,
    ) -> Result<Option<String>, ConfigError> {
        let (value, file) = (self.value(variable), self.text(file_variable));
        let Some(file) = file else { return Ok(value) };
        if value.is_some() {
            let reason = format!("is set, and so is {variable}: keep one of them");
            return Err(ConfigError::new(file_variable, reason));
        }
        let text = std::fs::read_to_string(file).map_err(|error| {
            ConfigError::new(
                file_variable,
                format!("names a file that cannot be read: {error}"),
            )
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(ConfigError::new(file_variable, "names a file that is blank"));
        }
        Ok(Some(text.to_owned()))
    }

    pub(crate) fn text(&self, variable: &'static str) -> Option<String> {
        self.value(variable).map(|value| value.trim().to_owned())
    }

    pub(crate) fn text_or(&self, variable: &'static str, default: &str) -> String {
        self.remember(variable, Some(default.to_owned()));
        self.text(variable).unwrap_or_else(|| default.to_owned())
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
        self.remember(variable, Some(default.to_string()));
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
        self.remember(variable, Some(default.to_string()));
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

    fn duration_or(&self, variable: &'static str, default: Duration) -> Result<Duration, ConfigError> {
        self.remember(variable, Some(humantime::format_duration(default).to_string()));
        Ok(self.duration(variable)?.unwrap_or(default))
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
            source(&[secret]).value("BETTER_AUTH_SECRET").as_deref(),
            Some(secret.1)
        );
    }

    #[test]
    fn secrets_may_be_rotated() {
        let config = read(&[URL, SECRET, ("BETTER_AUTH_SECRETS", "2:new-secret,1:old-secret")]).unwrap();
        assert_eq!(config.tokens.secrets.len(), 3);
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
