//! The settings about tokens.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use adapters_jwt::{
    Algorithms, BetterAuthUrl, KeySetSettings, KeySetTiming, KeySetUrl, Leeway, Party, Scope, SecretsReload,
    SharedSecret, UserIdClaims, VerifierSettings,
};
use secrecy::SecretString;

use super::error::unusable;
use super::{ConfigError, Source};

/// The settings that shared secrets come from.
pub(crate) const SHARED_SECRETS: &str = "BETTER_AUTH_SECRET, BETTER_AUTH_SECRETS";

/// Which tokens are good.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The shared secrets, and what tokens have to say.
    pub rules: VerifierSettings,
    /// Reads the shared secrets anew, if they come from files.
    pub reload: Option<SecretsReload>,
    /// Where the public keys are, if tokens of key pairs are good.
    pub key_set: Option<KeySetSettings>,
}

impl TokenConfig {
    /// Reads every setting about tokens.
    ///
    /// # Errors
    /// The first one that cannot be used; `BETTER_AUTH_SECRET` if there is no key at all.
    pub fn from_source(source: &Source) -> Result<Self, ConfigError> {
        Ok(Self {
            reload: reload(source),
            ..Self::with_secrets(shared_secrets(source)?, source)?
        })
    }

    /// Reads every setting about tokens but the shared secrets.
    ///
    /// # Errors
    /// As [`TokenConfig::from_source`].
    pub fn with_secrets(secrets: Vec<SharedSecret>, source: &Source) -> Result<Self, ConfigError> {
        source.reading(|| {
        let key_set = key_set(source)?;
        let algorithms = algorithms(source)?;
        let rules = VerifierSettings {
            algorithms: algorithms.clone().unwrap_or_default(),
            issuers: source.list("JWT_ISSUER", Party::parse)?,
            audiences: source.list("JWT_AUDIENCE", Party::parse)?,
            required_scope: required_scope(source)?,
            user_id_claims: user_id_claims(source)?,
            leeway: leeway(source)?,
            secrets,
        };
        if rules.secrets.is_empty() && key_set.is_none() {
            let reason = "is not set, nor is BETTER_AUTH_SECRETS, BETTER_AUTH_URL or JWKS_URL: set the secret that the \
                          front end's Better Auth signs with, or its address";
            return Err(ConfigError::new("BETTER_AUTH_SECRET", reason));
        }
        if rules.required_scope.is_some() && rules.audiences.is_empty() {
            let reason = "is set without JWT_AUDIENCE: name the audience that access tokens for this API have";
            return Err(ConfigError::new("JWT_REQUIRED_SCOPE", reason));
        }
        if let Some(algorithms) = &algorithms {
            if algorithms.include_shared_secrets() && rules.secrets.is_empty() {
                let reason = "lists HS256, but there is no shared secret: set BETTER_AUTH_SECRET";
                return Err(ConfigError::new("JWT_ALGORITHMS", reason));
            }
            if algorithms.include_key_pairs() && key_set.is_none() {
                let reason = "lists an algorithm of key pairs, but there are no public keys: set BETTER_AUTH_URL or \
                              JWKS_URL";
                return Err(ConfigError::new("JWT_ALGORITHMS", reason));
            }
        }
        Ok(Self {
            reload: None,
            key_set: key_set.filter(|_| rules.algorithms.include_key_pairs()),
            rules,
        })
    })
    }

    /// Says in the log what works but is less safe than it could be.
    pub fn log_warnings(&self) {
        if self.rules.secrets.iter().any(SharedSecret::is_short) {
            tracing::warn!(
                "a shared secret ({SHARED_SECRETS}) has less than {min} bytes: HS256 asks for {min} at least \
                 (RFC 7518, 3.2), and short secrets can be guessed from a single token",
                min = SharedSecret::MIN_BYTES
            );
        }
        let Some(key_set) = &self.key_set else { return };
        if self.rules.audiences.is_empty() && key_set.origin.is_none() {
            tracing::warn!(
                "tokens of key pairs are accepted for every audience, ID tokens of the same issuer for other \
                 applications too: set BETTER_AUTH_URL or JWT_AUDIENCE"
            );
        }
        if key_set.url.is_open_to_tampering() {
            tracing::warn!(
                url = %key_set.url,
                "the public keys come from another machine over plain HTTP: who controls the network can sign tokens"
            );
        }
    }
}

/// Every shared secret; the first one is the one to sign with.
///
/// # Errors
/// The first setting that cannot be used.
pub fn shared_secrets(source: &Source) -> Result<Vec<SharedSecret>, ConfigError> {
    source.reading(|| {
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
    })
}

/// Reads the secrets anew once one of their files is another one or has other content.
fn reload(source: &Source) -> Option<SecretsReload> {
    let files: Vec<PathBuf> = ["BETTER_AUTH_SECRET_FILE", "BETTER_AUTH_SECRETS_FILE"]
        .into_iter()
        .filter_map(|variable| source.text(variable))
        .map(PathBuf::from)
        .collect();
    if files.is_empty() {
        return None;
    }
    let source = source.clone();
    let seen = Mutex::new(states(&files));
    Some(SecretsReload::with(move || {
        let now = states(&files);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return None;
        }
        *seen = now;
        Some(shared_secrets(&source).map_err(Into::into))
    }))
}

/// The state of a file that changes when it is written or replaced: its identity, its length and its times. Nothing for
/// one that is not there.
fn states(files: &[PathBuf]) -> Vec<Option<FileState>> {
    files.iter().map(|file| state(file)).collect()
}

type FileState = (u64, u64, Option<SystemTime>);

fn state(file: &Path) -> Option<FileState> {
    let metadata = fs::metadata(file).ok()?;
    #[cfg(unix)]
    let identity = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let identity = 0;
    Some((identity, metadata.len(), metadata.modified().ok()))
}

/// `BETTER_AUTH_URL` names the place of the keys and who issues tokens to whom; `JWKS_URL` names another place, or
/// none.
fn key_set(source: &Source) -> Result<Option<KeySetSettings>, ConfigError> {
    let better_auth = source.text("BETTER_AUTH_URL");
    let url = source.text("JWKS_URL");
    let timing = key_set_timing(source)?;
    // Judged even if it is not used: `check-config` shows what is good.
    let better_auth = better_auth.map(|text| BetterAuthUrl::parse(&text)).transpose();
    let better_auth = better_auth.map_err(|error| unusable("BETTER_AUTH_URL", error))?;
    if url.as_deref() == Some("off") {
        return Ok(None);
    }
    let url = url.map(|text| KeySetUrl::parse(&text)).transpose();
    let url = url.map_err(|error| unusable("JWKS_URL", error))?;
    let derived = || {
        better_auth
            .as_ref()
            .map(|better_auth| better_auth.key_set().clone())
    };
    Ok(url.or_else(derived).map(|url| KeySetSettings {
        url,
        origin: better_auth
            .as_ref()
            .map(|better_auth| better_auth.origin().clone()),
        timing,
    }))
}

fn key_set_timing(source: &Source) -> Result<KeySetTiming, ConfigError> {
    let refresh_every = source.number("JWKS_REFRESH_SECS", 600, 10..=86_400)?;
    let max_stale = source.number("JWKS_MAX_STALE_SECS", 86_400, 60..=604_800)?;
    if max_stale < 2 * refresh_every {
        let reason = "must be at least twice JWKS_REFRESH_SECS";
        return Err(ConfigError::new("JWKS_MAX_STALE_SECS", reason));
    }
    Ok(KeySetTiming {
        refresh_every: Duration::from_secs(refresh_every),
        max_stale: Duration::from_secs(max_stale),
        timeout: Duration::from_millis(source.number("JWKS_TIMEOUT_MS", 3_000, 100..=5_000)?),
    })
}

fn algorithms(source: &Source) -> Result<Option<Algorithms>, ConfigError> {
    let names = source.text("JWT_ALGORITHMS");
    let algorithms = names.map(|names| Algorithms::parse(names.split(',').map(str::trim)));
    algorithms
        .transpose()
        .map_err(|error| unusable("JWT_ALGORITHMS", error))
}

fn user_id_claims(source: &Source) -> Result<UserIdClaims, ConfigError> {
    let names = source.text_or("JWT_USER_ID_CLAIM", "user_id,sub");
    UserIdClaims::parse(names.split(',').map(str::trim)).map_err(|error| unusable("JWT_USER_ID_CLAIM", error))
}

fn required_scope(source: &Source) -> Result<Option<Scope>, ConfigError> {
    let scope = source
        .text("JWT_REQUIRED_SCOPE")
        .map(|scope| Scope::parse(&scope));
    scope
        .transpose()
        .map_err(|error| unusable("JWT_REQUIRED_SCOPE", error))
}

fn leeway(source: &Source) -> Result<Leeway, ConfigError> {
    let secs = source.number("JWT_LEEWAY_SECS", 0, 0..=u64::from(Leeway::MAX_SECS))?;
    Leeway::from_secs(secs).map_err(|error| unusable("JWT_LEEWAY_SECS", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("BETTER_AUTH_SECRET", "0123456789-0123456789-0123456789");
    const FRONT_END: (&str, &str) = ("BETTER_AUTH_URL", "https://app.example/api/auth");

    fn read(values: &[(&str, &str)]) -> Result<TokenConfig, ConfigError> {
        TokenConfig::from_source(&Source::of_environment(values))
    }

    fn key_set_of(values: &[(&str, &str)]) -> Option<KeySetSettings> {
        read(values).unwrap().key_set
    }

    fn message(values: &[(&str, &str)]) -> String {
        read(values).unwrap_err().to_string()
    }

    #[test]
    fn a_secret_alone_means_no_key_set() {
        assert!(key_set_of(&[SECRET]).is_none());
    }

    #[test]
    fn the_address_of_better_auth_alone_names_place_issuer_and_audience() {
        let key_set = key_set_of(&[FRONT_END]).unwrap();
        assert_eq!(key_set.url.to_string(), "https://app.example/api/auth/jwks");
        assert_eq!(key_set.origin.unwrap().as_str(), "https://app.example");
        assert_eq!(key_set.timing, KeySetTiming::default());
    }

    #[test]
    fn the_address_of_keys_alone_names_no_issuer() {
        let key_set = key_set_of(&[("JWKS_URL", "http://localhost:3000/keys")]).unwrap();
        assert_eq!(key_set.url.to_string(), "http://localhost:3000/keys");
        assert_eq!(key_set.origin, None);
    }

    #[test]
    fn the_address_of_keys_counts_before_the_derived_one() {
        let key_set = key_set_of(&[FRONT_END, ("JWKS_URL", "https://keys.example/jwks")]).unwrap();
        assert_eq!(key_set.url.to_string(), "https://keys.example/jwks");
        assert_eq!(key_set.origin.unwrap().as_str(), "https://app.example");
    }

    #[test]
    fn off_means_no_key_set_wherever_the_front_end_is() {
        assert!(key_set_of(&[SECRET, FRONT_END, ("JWKS_URL", "off")]).is_none());
    }

    #[test]
    fn edge_case_without_any_key_all_that_could_be_set_is_named() {
        for values in [&[][..], &[("JWKS_URL", "off"), FRONT_END]] {
            let message = message(values);
            for name in [
                "BETTER_AUTH_SECRET",
                "BETTER_AUTH_SECRETS",
                "BETTER_AUTH_URL",
                "JWKS_URL",
            ] {
                assert!(message.contains(name), "{message}");
            }
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_named_and_not_shown() {
        for variable in ["BETTER_AUTH_URL", "JWKS_URL"] {
            for value in ["hunter2", "ftp://hunter2", "https://user:hunter2@app.example/"] {
                let message = message(&[SECRET, (variable, value)]);
                assert!(
                    message.starts_with(&format!("{variable} cannot be used: ")),
                    "{message}"
                );
                assert!(!message.contains("hunter2"), "{message}");
            }
        }
    }

    #[test]
    fn times_of_a_key_set_have_limits() {
        for (variable, value) in [
            ("JWKS_REFRESH_SECS", "9"),
            ("JWKS_REFRESH_SECS", "10m"),
            ("JWKS_MAX_STALE_SECS", "59"),
            ("JWKS_MAX_STALE_SECS", "604801"),
            ("JWKS_TIMEOUT_MS", "99"),
            ("JWKS_TIMEOUT_MS", "5001"),
        ] {
            let message = message(&[FRONT_END, (variable, value)]);
            assert!(
                message.starts_with(&format!("{variable} must be a whole number from ")),
                "{message}"
            );
        }
        let message = message(&[
            FRONT_END,
            ("JWKS_REFRESH_SECS", "300"),
            ("JWKS_MAX_STALE_SECS", "599"),
        ]);
        assert_eq!(
            message,
            "JWKS_MAX_STALE_SECS must be at least twice JWKS_REFRESH_SECS"
        );
        let values = [
            ("JWKS_REFRESH_SECS", "300"),
            ("JWKS_MAX_STALE_SECS", "600"),
            ("JWKS_TIMEOUT_MS", "1500"),
        ];
        let timing = key_set_of(&[&[FRONT_END][..], &values].concat()).unwrap().timing;
        assert_eq!(timing.refresh_every, Duration::from_secs(300));
        assert_eq!(timing.max_stale, Duration::from_secs(600));
        assert_eq!(timing.timeout, Duration::from_millis(1500));
    }

    #[test]
    fn algorithms_can_be_narrowed_to_one_family() {
        let config = read(&[SECRET, FRONT_END, ("JWT_ALGORITHMS", "HS256")]).unwrap();
        assert!(config.key_set.is_none(), "nothing to fetch");
        assert!(!config.rules.algorithms.include_key_pairs());
        let config = read(&[SECRET, FRONT_END, ("JWT_ALGORITHMS", " EdDSA , ES256 ")]).unwrap();
        assert!(config.key_set.is_some());
        assert!(!config.rules.algorithms.include_shared_secrets());
    }

    #[test]
    fn algorithms_without_a_key_are_refused() {
        let no_secret = message(&[FRONT_END, ("JWT_ALGORITHMS", "EdDSA,HS256")]);
        assert!(
            no_secret.starts_with("JWT_ALGORITHMS lists HS256, but"),
            "{no_secret}"
        );
        let no_keys = message(&[SECRET, ("JWT_ALGORITHMS", "EdDSA,HS256")]);
        assert!(
            no_keys.starts_with("JWT_ALGORITHMS lists an algorithm of key pairs, but"),
            "{no_keys}"
        );
    }

    #[test]
    fn algorithms_that_are_never_accepted_are_refused() {
        for value in ["none", "RS384", "HS256,hunter2", "HS256,,EdDSA", "*"] {
            let message = message(&[SECRET, FRONT_END, ("JWT_ALGORITHMS", value)]);
            assert!(
                message.starts_with("JWT_ALGORITHMS cannot be used: "),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn debug_output_shows_no_query_of_an_address() {
        let config = read(&[("JWKS_URL", "https://keys.example/jwks?key=hunter2")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
