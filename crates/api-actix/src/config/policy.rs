//! The rules of a deployment for requests.

use std::time::Duration;

use crate::config::{ConfigError, Source};
use adapters_http::context::base_path::BasePath;
use adapters_http::policy::Policy;
use adapters_http::policy::client_address::{TrustedProxies, parse_network};
use adapters_http::policy::origins::{AllowedOrigins, Origin};
use adapters_http::policy::rate_limit::{Rate, RateLimits};
use adapters_http::policy::time_limits::TimeLimits;
use adapters_http::policy::unsent::Unsent;

/// The purpose of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Production.
    Serve,
    /// A developer's own machine: the usual addresses of front ends may read responses.
    Develop,
}

const ORIGINS: &str = "CORS_ALLOWED_ORIGINS";

/// Reads `BASE_PATH`, `CORS_ALLOWED_ORIGINS`, `REQUIRE_IF_MATCH`, `RATE_LIMIT_USER`, `RATE_LIMIT_IP_UNAUTH`,
/// `MAX_UNSENT`, `KEEP_ALIVE` and `TRUSTED_PROXIES`.
///
/// # Errors
/// The first one that cannot be used.
pub fn policy(source: &Source, purpose: Purpose) -> Result<Policy, ConfigError> {
    source.reading(|| {
        let networks = source.list("TRUSTED_PROXIES", parse_network)?;
        Ok(Policy {
            allowed_origins: allowed_origins(source, purpose)?,
            origins_setting: Some(ORIGINS),
            requires_if_match: source.flag("REQUIRE_IF_MATCH", false)?,
            rate_limits: RateLimits::new(
                rate(source, "RATE_LIMIT_USER")?,
                rate(source, "RATE_LIMIT_IP_UNAUTH")?,
            ),
            unsent: Unsent::limited_to(source.size("MAX_UNSENT", Unsent::DEFAULT, Unsent::MIN)?),
            trusted_proxies: TrustedProxies::new(networks),
            base_path: base_path(source)?,
            time_limits: TimeLimits {
                keep_alive: source.duration_in(
                    "KEEP_ALIVE",
                    TimeLimits::default().keep_alive,
                    Duration::from_secs(1)..=Duration::from_secs(3_600),
                )?,
                ..TimeLimits::default()
            },
            docs_token: None,
            docs_host: None,
        })
    })
}

fn base_path(source: &Source) -> Result<Option<BasePath>, ConfigError> {
    let path = source.text("BASE_PATH").filter(|path| path != "/");
    let path = path.map(|path| BasePath::parse(&path)).transpose();
    path.map_err(|error| ConfigError::new("BASE_PATH", error.to_string()))
}

fn allowed_origins(source: &Source, purpose: Purpose) -> Result<AllowedOrigins, ConfigError> {
    let is_development = purpose == Purpose::Develop;
    match source.text(ORIGINS).as_deref() {
        None if is_development => Ok(AllowedOrigins::These(vec![Origin::loopback()])),
        None => Ok(AllowedOrigins::None),
        Some("*") if is_development => Ok(AllowedOrigins::Any),
        Some("*") => Err(ConfigError::new(
            ORIGINS,
            "may be * with `task-api dev` only; list the origins instead",
        )),
        Some(list) => {
            let origins = list.split(',').enumerate().map(|(index, origin)| {
                Origin::parse(origin.trim()).map_err(|error| {
                    let reason = format!("cannot be used: {error} (origin {} of the list)", index + 1);
                    ConfigError::new(ORIGINS, reason)
                })
            });
            origins.collect::<Result<_, _>>().map(AllowedOrigins::These)
        }
    }
}

fn rate(source: &Source, variable: &'static str) -> Result<Option<Rate>, ConfigError> {
    let rate = source.text(variable).map(|text| text.parse::<Rate>()).transpose();
    rate.map_err(|error| ConfigError::new(variable, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str, purpose: Purpose) -> Result<Policy, ConfigError> {
        policy(&Source::of_environment(&[(name, value)]), purpose)
    }

    #[test]
    fn cors_is_off_in_production_and_on_for_local_front_ends_in_development() {
        assert!(!read("PORT", "1", Purpose::Serve).unwrap().allowed_origins.is_on());
        let local = read("PORT", "1", Purpose::Develop).unwrap().allowed_origins;
        assert_eq!(local, AllowedOrigins::These(vec![Origin::loopback()]));
    }

    #[test]
    fn every_origin_may_read_in_development_only() {
        let any = read("CORS_ALLOWED_ORIGINS", "*", Purpose::Develop)
            .unwrap()
            .allowed_origins;
        assert_eq!(any, AllowedOrigins::Any);
        let error = read("CORS_ALLOWED_ORIGINS", "*", Purpose::Serve).unwrap_err();
        assert!(
            error.to_string().starts_with("CORS_ALLOWED_ORIGINS may be *"),
            "{error}"
        );
    }

    #[test]
    fn an_origin_that_cannot_be_used_is_told_by_its_place_in_the_list_and_the_reason() {
        let list = "https://a.example,https://hunter2.example/path";
        let error = read("CORS_ALLOWED_ORIGINS", list, Purpose::Serve).unwrap_err();
        assert_eq!(
            error.to_string(),
            "CORS_ALLOWED_ORIGINS cannot be used: an origin ends behind the host or the port: write it without a path \
             (origin 2 of the list)"
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (name, value) in [
            ("CORS_ALLOWED_ORIGINS", "https://a.example/path"),
            ("RATE_LIMIT_USER", "fast"),
            ("RATE_LIMIT_IP_UNAUTH", "0/s:1"),
            ("MAX_UNSENT", "1023KiB"),
            ("MAX_UNSENT", "much"),
            ("TRUSTED_PROXIES", "10.0.0.0/33"),
            ("REQUIRE_IF_MATCH", "perhaps"),
        ] {
            let error = read(name, value, Purpose::Serve).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}
