//! What a deployment allows requests.

use crate::config::{ConfigError, Source};
use adapters_http::policy::Policy;
use adapters_http::policy::client_address::{TrustedProxies, parse_network};
use adapters_http::policy::origins::{AllowedOrigins, Origin};
use adapters_http::policy::rate_limit::{Rate, RateLimits};
use adapters_http::policy::time_limits::TimeLimits;
use adapters_http::policy::unsent::Unsent;

/// What the process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Production.
    Serve,
    /// Somebody's own machine: the usual addresses of front ends may read answers.
    Develop,
}

/// Where front ends are served during development: Next.js and Vite.
const DEVELOPMENT_ORIGINS: &str =
    "http://localhost:3000,http://127.0.0.1:3000,http://localhost:5173,http://127.0.0.1:5173";

/// Reads `CORS_ALLOWED_ORIGINS`, `REQUIRE_IF_MATCH`, `RATE_LIMIT_USER`, `RATE_LIMIT_IP_UNAUTH`,
/// `MAX_UNSENT` and `TRUSTED_PROXIES`.
///
/// # Errors
/// The first one that cannot be used.
pub fn policy(source: &Source, purpose: Purpose) -> Result<Policy, ConfigError> {
    source.reading(|| {
        let networks = source.list("TRUSTED_PROXIES", parse_network)?;
        Ok(Policy {
            allowed_origins: allowed_origins(source, purpose)?,
            requires_if_match: source.flag("REQUIRE_IF_MATCH", false)?,
            rate_limits: RateLimits::new(
                rate(source, "RATE_LIMIT_USER")?,
                rate(source, "RATE_LIMIT_IP_UNAUTH")?,
            ),
            unsent: Unsent::limited_to(source.size("MAX_UNSENT", Unsent::DEFAULT, Unsent::MIN)?),
            trusted_proxies: TrustedProxies::new(networks),
            time_limits: TimeLimits::default(),
            docs_token: None,
            docs_host: None,
        })
    })
}

fn allowed_origins(source: &Source, purpose: Purpose) -> Result<AllowedOrigins, ConfigError> {
    const VARIABLE: &str = "CORS_ALLOWED_ORIGINS";
    let is_development = purpose == Purpose::Develop;
    let default = is_development.then(|| DEVELOPMENT_ORIGINS.to_owned());
    match source.text(VARIABLE).or(default).as_deref() {
        None => Ok(AllowedOrigins::None),
        Some("*") if is_development => Ok(AllowedOrigins::Any),
        Some("*") => Err(ConfigError::new(
            VARIABLE,
            "may be * with `task-api dev` only; list the origins instead",
        )),
        Some(list) => {
            let origins = list
                .split(',')
                .map(|origin| Origin::parse(origin.trim()))
                .collect::<Result<_, _>>();
            origins
                .map(AllowedOrigins::These)
                .map_err(|error| ConfigError::new(VARIABLE, format!("cannot be used: {error}")))
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
        let AllowedOrigins::These(origins) = read("PORT", "1", Purpose::Develop).unwrap().allowed_origins
        else {
            panic!("no list")
        };
        assert!(origins.contains(&Origin::parse("http://localhost:3000").unwrap()));
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
