//! `task-api check-config`: the settings that `serve` would work with, where each comes from, and everything that is
//! wrong with them. No secret is shown.

use std::path::PathBuf;

use crate::commands::output::print;
use crate::config::{
    self, ConfigError, DatabaseConfig, DatabaseLocation, LogConfig, LogFormat, ObserveConfig, Purpose,
    Source, TokenConfig, unknown,
};
use crate::failure::Failure;

/// Prints the settings, then fails if one of them cannot be used.
pub(crate) fn run(source: &Source) -> Result<(), Failure> {
    let errors = all_errors(source);
    for line in settings(source, &errors) {
        print(&line)?;
    }
    for note in source.dotenv_notes() {
        print(&format!("\nwarning: {note}"))?;
    }
    for unknown in unknown::settings(source) {
        print(&format!("\nwarning: {unknown}"))?;
    }
    // An error has said it already.
    let odd = source.odd().into_iter();
    for (_, sentence) in odd.filter(|(variable, _)| errors.iter().all(|error| error.variable() != *variable))
    {
        print(&format!("\nwarning: {sentence}"))?;
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::of_config_errors(&errors))
    }
}

type Read = fn(&Source) -> Result<(), ConfigError>;

/// Everything that `serve` reads. The settings around a database are read once more, for a database that cannot be
/// used hides them.
const READ: [Read; 7] = [
    |source| DatabaseConfig::from_source(source).map(drop),
    |source| DatabaseConfig::at("DATABASE_URL", DatabaseLocation::Sqlite(PathBuf::new()), source).map(drop),
    |source| TokenConfig::from_source(source).map(drop),
    |source| config::policy(source, Purpose::Serve).map(drop),
    |source| config::server(source).map(drop),
    |source| ObserveConfig::from_source(source).map(drop),
    |source| LogConfig::from_source(source, LogFormat::for_servers()).map(drop),
];

/// Reading stops at the first error; so each setting that is wrong is removed and the rest is read again.
fn all_errors(source: &Source) -> Vec<ConfigError> {
    let mut errors: Vec<ConfigError> = Vec::new();
    let mut rest = source.clone();
    for read in READ {
        while let Err(error) = read(&rest) {
            let variable = error.variable();
            // `BETTER_AUTH_SECRET` is missing because `BETTER_AUTH_SECRETS` or a file of it was removed.
            if errors.iter().any(|known| known.variable().starts_with(variable)) {
                break;
            }
            errors.push(error);
            if !rest.forget(variable) {
                break;
            }
        }
    }
    errors
}

/// A line for each setting: its name, where it comes from, its value.
fn settings(source: &Source, errors: &[ConfigError]) -> Vec<String> {
    let asked = source.asked();
    let width = asked.keys().map(|name| name.len()).max().unwrap_or_default();
    let line = |(name, default): (&'static str, Option<String>)| {
        let file = asked
            .keys()
            .find(|other| other.strip_suffix("_FILE") == Some(name));
        let is_wrong = errors.iter().any(|error| error.variable() == name);
        let is_in_file = file.is_some_and(|file| source.found(file).is_some());
        let (origin, value) = match source.found(name) {
            None if is_in_file => ("file", Some("***".to_owned())),
            None => ("default", default),
            Some((origin, value)) => (origin, Some(value.to_owned())),
        };
        let value = match value {
            _ if is_wrong => "cannot be used".to_owned(),
            Some(_) if source.is_secret(name) => "***".to_owned(),
            Some(value) => without_credentials(value.trim()),
            None => "-".to_owned(),
        };
        format!("{name:width$}  {origin:11}  {value}")
    };
    asked.clone().into_iter().map(line).collect()
}

/// The value with `***` for the user and the password of a URL, and for what its parameters keep secret.
fn without_credentials(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    // A password may hold any character, unescaped by mistake, so everything before the last `@` goes.
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let Some((address, parameters)) = rest.split_once('?') else {
        return format!("{scheme}://{rest}");
    };
    let shown = parameters
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _))
                if ["key", "pass", "secret", "token"]
                    .iter()
                    .any(|word| plain(name).contains(word)) =>
            {
                format!("{name}=***")
            }
            _ => parameter.to_owned(),
        });
    format!("{scheme}://{address}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// The name of a parameter without escapes, in small letters.
fn plain(name: &str) -> String {
    let read = form_urlencoded::parse(name.as_bytes()).next();
    read.map_or_else(String::new, |(name, _)| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(values: &[(&str, &str)]) -> Vec<&'static str> {
        let errors = all_errors(&Source::of_environment(values));
        errors.iter().map(ConfigError::variable).collect()
    }

    #[test]
    fn every_setting_that_is_wrong_is_found() {
        let wrong = [
            ("DATABASE_URL", "mysql://h/d"),
            ("DB_POOL_SIZE", "-1"),
            ("DB_STARTUP_TIMEOUT", "soon"),
            ("BETTER_AUTH_SECRETS", "no versions"),
            ("JWT_ISSUER", "/"),
            ("JWT_LEEWAY_SECS", "61"),
            ("RATE_LIMIT_USER", "fast"),
            ("PORT", "http"),
            ("WORKERS", "0"),
            ("ADMIN_ADDR", "9090"),
            ("LOG_LEVEL", "a=b=c"),
            ("LOG_FORMAT", "yaml"),
        ];
        let mut wanted = wrong.map(|(name, _)| name);
        let mut found = errors(&wrong);
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn whatever_is_read_as_a_secret_is_hidden() {
        let source = Source::of_environment(&[("KEY_OF_THE_CELLAR", "hunter2"), ("COLOUR", "red")]);
        source
            .secret("KEY_OF_THE_CELLAR", "KEY_OF_THE_CELLAR_FILE")
            .unwrap();
        source.text("COLOUR");
        let lines = settings(&source, &[]);
        assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("***")), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("red")), "{lines:?}");
    }

    #[test]
    fn an_address_that_is_not_used_is_judged_too_so_that_nothing_in_it_is_shown() {
        let migrations = ("DATABASE_MIGRATION_URL", "host=db password=hunter2");
        let front_end = ("BETTER_AUTH_URL", "porter:hunter2@app.example");
        for (values, wrong) in [
            (
                &[("DATABASE_URL", "host=db password=hunter2"), migrations][..],
                migrations,
            ),
            (
                &[("DATABASE_URL_FILE", "/nonexistent/file"), migrations],
                migrations,
            ),
            (&[("DATABASE_URL", "sqlite:tasks.db"), migrations], migrations),
            (&[migrations], migrations),
            (&[("JWKS_URL", "off"), front_end], front_end),
        ] {
            let source = Source::of_environment(values);
            let errors = all_errors(&source);
            let lines = settings(&source, &errors);
            assert!(
                errors.iter().any(|error| error.variable() == wrong.0),
                "{errors:?}"
            );
            assert!(lines.iter().all(|line| !line.contains("hunter2")), "{lines:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_once() {
        assert_eq!(errors(&[]), ["DATABASE_URL", "BETTER_AUTH_SECRET"]);
    }

    #[test]
    fn a_secret_that_is_missing_because_its_file_is_wrong_is_not_named_as_well() {
        let missing = "/nonexistent/file";
        let values = [
            ("DATABASE_URL_FILE", missing),
            ("BETTER_AUTH_SECRET_FILE", missing),
        ];
        assert_eq!(errors(&values), ["DATABASE_URL_FILE", "BETTER_AUTH_SECRET_FILE"]);
    }

    #[test]
    fn credentials_are_hidden_wherever_a_url_has_them() {
        for (value, shown) in [
            (
                "postgresql://u:hunter2@h:1/d?sslmode=require",
                "postgresql://***@h:1/d?sslmode=require",
            ),
            ("postgresql://u:hunter@2@h/d", "postgresql://***@h/d"),
            ("postgresql://u:hunter/2?@h/d", "postgresql://***@h/d"),
            (
                "postgresql:///d?user=u&password=hunter2&host=/tmp",
                "postgresql:///d?user=u&password=***&host=/tmp",
            ),
            (
                "postgresql://h/d?PASSWORD=hunter2&Pass%57ord=hunter2",
                "postgresql://h/d?PASSWORD=***&Pass%57ord=***",
            ),
            (
                "https://u:hunter2@h/jwks?token=hunter2",
                "https://***@h/jwks?token=***",
            ),
            ("sqlite:/data/tasks.db", "sqlite:/data/tasks.db"),
            (
                "https://a.example,https://b.example",
                "https://a.example,https://b.example",
            ),
        ] {
            assert_eq!(without_credentials(value), shown);
        }
    }
}
