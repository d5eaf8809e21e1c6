//! The settings: read once, refused as a whole if one of them cannot be used.
//!
//! A setting is an environment variable or a line of `.env` in the working directory or a parent; the environment
//! counts first, and an empty value counts as none. A secret may also stand in a file of its own, which the variable
//! with `_FILE` behind its name points to. `.env` is shared with the front end, so names that are not ours are passed
//! over. `.env.example` at the root of the repository lists every setting.

mod database;
mod dotenv;
mod error;
mod http;
mod log;
mod names;
mod observe;
mod oddity;
mod policy;
mod source;
pub(crate) mod tls;
mod tokens;
pub(crate) mod unknown;

pub use database::{DatabaseConfig, DatabaseLocation};
pub use error::ConfigError;
pub(crate) use http::parse_host;
pub use http::server;
pub use names::SETTINGS;
pub use observe::ObserveConfig;
pub use policy::{Purpose, policy};
pub use source::Source;
pub(crate) use source::parse_duration;
pub(crate) use tokens::SHARED_SECRETS;
pub use tokens::{TokenConfig, shared_secrets};

pub use crate::telemetry::{LogConfig, LogFormat};

use adapters_http::policy::Policy;
use adapters_http::server::ServerSettings;

/// Everything that `serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where and how to listen.
    pub http: ServerSettings,
    /// Where tasks are kept.
    pub database: DatabaseConfig,
    /// Which tokens are good.
    pub tokens: TokenConfig,
    /// Which requests are let through.
    pub policy: Policy,
    /// The records that are kept about them.
    pub observe: ObserveConfig,
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
            policy: policy(source, Purpose::Serve)?,
            http: server(source)?,
            observe: ObserveConfig::from_source(source)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert_eq!(config.policy.time_limits.keep_alive, Duration::from_secs(75));
        assert_eq!(config.database.acquire_timeout, Duration::from_secs(2));
        assert!(config.database.migrate_on_start);
    }

    #[test]
    fn connections_may_stay_open_for_a_second_to_an_hour() {
        for (value, seconds) in [
            ("1s", 1),
            ("1000ms", 1),
            ("610", 610),
            ("10m 10s", 610),
            ("1h", 3_600),
        ] {
            let config = read(&[URL, SECRET, ("KEEP_ALIVE", value)]).unwrap();
            assert_eq!(
                config.policy.time_limits.keep_alive,
                Duration::from_secs(seconds),
                "{value}"
            );
        }
        for value in ["0", "999ms", "3601", "2h", "off", "-1"] {
            let wanted = "KEEP_ALIVE must be a duration from 1s to 1h, such as 75s or 10m";
            assert_eq!(message(&[URL, SECRET, ("KEEP_ALIVE", value)]), wanted, "{value}");
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
            ("HOST", "http://localhost"),
            ("KEEP_ALIVE", "999ms"),
            ("KEEP_ALIVE", "61m"),
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
    fn the_error_about_a_value_in_quotation_marks_says_so() {
        let said = " (it is in quotation marks, and they are a part of it: remove them)";
        for (variable, value) in [
            ("DATABASE_URL", "\"postgresql://u:hunter2@h/d\""),
            ("DATABASE_URL", "'sqlite:tasks.db'"),
            ("DATABASE_MIGRATION_URL", "`postgresql://u:hunter2@h/d`"),
            ("BETTER_AUTH_SECRETS", "\"2:hunter2\""),
            ("BETTER_AUTH_URL", "\"https://hunter2.example\""),
            ("JWKS_URL", "'off'"),
            ("JWT_ALGORITHMS", "\"HS256\""),
            ("PORT", " \"8000\" "),
            ("SHUTDOWN_DELAY", "'1s'"),
            ("DB_POOL_SIZE", "\"16\""),
            ("MIGRATE_ON_START", "\"true\""),
            ("MAX_UNSENT", "\"64MiB\""),
            ("CORS_ALLOWED_ORIGINS", "\"https://app.example\""),
            ("TRUSTED_PROXIES", "\"10.0.0.0/8\""),
            ("ADMIN_ADDR", "\"127.0.0.1:9090\""),
            ("ACCESS_LOG", "\"all\""),
        ] {
            let given = [URL, SECRET];
            let others = given.into_iter().filter(|(name, _)| *name != variable);
            let values: Vec<_> = others.chain([(variable, value)]).collect();
            let message = message(&values);
            assert!(
                message.starts_with(variable) && message.ends_with(said),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert!(!message(&[URL, SECRET, ("PORT", "\"8000")]).contains("quotation"));
    }

    #[test]
    fn the_error_about_a_url_in_quotation_marks_in_a_file_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\"postgresql://u:hunter2@h/d\"\n").unwrap();
        let message = message(&[SECRET, ("DATABASE_URL_FILE", file.path().to_str().unwrap())]);
        assert_eq!(
            message,
            "DATABASE_URL must begin with postgresql://, postgres:// or sqlite: (it is in quotation marks, and they \
             are a part of it: remove them)"
        );
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let text = format!("{:?}", read(&[URL, SECRET]).unwrap());
        assert!(!text.contains("hunter2") && !text.contains(SECRET.1), "{text}");
    }
}
