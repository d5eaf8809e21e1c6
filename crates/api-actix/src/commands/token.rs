//! `task-api token`: a token for development.

use std::time::Duration;

use adapters_jwt::{DevelopmentClaims, VerifierSettings, sign_development_token};
use chrono::TimeDelta;
use clap::Args;
use domain::clock::Clock;
use domain::identity::Owner;

use crate::clock_and_ids::SystemClock;
use crate::commands::arguments::parse_owner;
use crate::commands::dev_folder::DevFolder;
use crate::commands::output::print;
use crate::config::{ConfigError, Source, TokenConfig, parse_duration, shared_secrets};
use crate::failure::Failure;

const MAX_TTL: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// The user id that the token carries
    #[arg(long, value_name = "ID", value_parser = parse_owner)]
    user: Owner,
    /// How long it is good for: 300s, 15m, 1h
    #[arg(long, default_value = "15m", value_parser = parse_ttl)]
    ttl: Duration,
}

/// Prints a token.
pub(crate) fn run(source: &Source, TokenArguments { user, ttl }: TokenArguments) -> Result<(), Failure> {
    let mut secrets = shared_secrets(source)?;
    if secrets.is_empty() {
        secrets.extend(DevFolder::here().secret());
    }
    if secrets.is_empty() {
        return Err(no_secret().into());
    }
    let tokens = TokenConfig::with_secrets(secrets, source)?;
    print(&development_token(&tokens.rules, user, ttl)?)
}

/// There is nothing to sign with: mostly because `dev` runs in another folder.
fn no_secret() -> ConfigError {
    let folder = DevFolder::here();
    let reason = format!(
        "is not set, and the folder {} of `task-api dev` is not here: run this command in the folder where `task-api dev` was \
         started, or set the secret that the server verifies with",
        folder.path().display()
    );
    ConfigError::new("BETTER_AUTH_SECRET", reason)
}

/// A token that our own verifier lets pass.
pub(crate) fn development_token(
    rules: &VerifierSettings,
    user: Owner,
    ttl: Duration,
) -> Result<String, Failure> {
    if !rules.algorithms.include_shared_secrets() {
        let reason = "leaves out HS256, with which tokens for development are signed";
        return Err(ConfigError::new("JWT_ALGORITHMS", reason).into());
    }
    let secret = rules.secrets.first().ok_or_else(|| {
        ConfigError::new(
            "BETTER_AUTH_SECRET",
            "is not set, so there is nothing to sign with",
        )
    })?;
    let issued_at = SystemClock.now();
    let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
    let claims = DevelopmentClaims {
        user_id: user,
        user_id_claims: rules.user_id_claims.clone(),
        issuer: rules.issuers.first().cloned(),
        audience: rules.audiences.first().cloned(),
        issued_at,
        expires_at: issued_at.checked_add_signed(ttl).unwrap_or(issued_at),
    };
    Ok(sign_development_token(secret, &claims))
}

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let ttl = parse_duration(text).filter(|ttl| !ttl.is_zero() && *ttl <= MAX_TTL);
    ttl.ok_or_else(|| "a duration such as 300s, 15m or 1h, at most 366 days".to_owned())
}
