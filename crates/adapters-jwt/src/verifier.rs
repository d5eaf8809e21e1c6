//! The four steps, one after the other.

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::Clock;
use domain::identity::{AuthError, Caller, Refusal, RefusalReason, TokenVerifier};

use crate::algorithm::Algorithm;
use crate::claims::{self, AccessRules, Parties};
use crate::header::{Header, TokenType};
use crate::jwks::{KeySetSource, PublishedKeys};
use crate::keys::SharedSecret;
use crate::secrets::{Secrets, SecretsReload};
use crate::settings::{KeySetSettings, Party, VerifierSettings};
use crate::stats::KeySetStats;
use crate::token::CompactToken;
use crate::token_cache::{TokenCache, TokenDigest};

const NO_KEY_SET_HINT: &str = "the token is signed with a key pair; set BETTER_AUTH_URL or JWKS_URL";
const ACCESS_TOKEN_HINT: &str = "an OAuth access token; set JWT_AUDIENCE and JWT_REQUIRED_SCOPE";
/// A token that lives longer is probably a mistake.
const FAR_AWAY: TimeDelta = TimeDelta::days(3_653);
const NO_SECRET_HINT: &str = "the token is signed with a shared secret; set BETTER_AUTH_SECRET";

/// Verifies the JSON Web Tokens of Better Auth. Share it between threads.
pub struct JwtVerifier {
    settings: VerifierSettings,
    key_pairs: Option<KeyPairs>,
    clock: Arc<dyn Clock>,
    secrets: Arc<Secrets>,
    /// Whether a token that lives for too long has been told of.
    has_warned: AtomicBool,
}

/// The means to verify tokens of key pairs.
struct KeyPairs {
    keys: PublishedKeys,
    origin: Option<Party>,
    cache: TokenCache,
}

impl JwtVerifier {
    /// A verifier with these settings and without public keys. Without any key it refuses every token.
    #[must_use]
    pub fn new(settings: VerifierSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            secrets: Secrets::new(&settings.secrets, None),
            settings,
            key_pairs: None,
            clock,
            has_warned: AtomicBool::new(false),
        }
    }

    /// Adds public keys, and fetches them in a task on the runtime that calls this. The task ends with the verifier;
    /// the runtime should live as long. Other runtimes may use the verifier too.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use adapters_jwt::{
    /// #     BetterAuthUrl, HttpKeySet, JwtVerifier, KeySetSettings, KeySetTiming, VerifierSettings,
    /// # };
    /// # use domain::testing::{FixedClock, noon};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tls_config = rustls::ClientConfig::builder()
    /// #     .with_root_certificates(rustls::RootCertStore::empty())
    /// #     .with_no_client_auth();
    /// # let clock = Arc::new(FixedClock::at(noon()));
    /// let front_end = BetterAuthUrl::parse("https://app.example")?;
    /// let source = HttpKeySet::at(front_end.key_set().clone(), tls_config)?;
    /// let key_set = KeySetSettings {
    ///     url: front_end.key_set().clone(),
    ///     origin: Some(front_end.origin().clone()),
    ///     timing: KeySetTiming::default(),
    /// };
    /// let verifier = JwtVerifier::new(VerifierSettings::default(), clock).with_key_set(key_set, source);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn with_key_set(self, settings: KeySetSettings, source: impl KeySetSource) -> Self {
        let key_pairs = KeyPairs {
            origin: settings.origin.clone(),
            keys: PublishedKeys::fetched_from(source, settings),
            cache: TokenCache::default(),
        };
        Self {
            key_pairs: Some(key_pairs),
            ..self
        }
    }

    /// Reads the shared secrets anew while the process runs.
    #[must_use]
    pub fn with_changing_secrets(self, reload: SecretsReload) -> Self {
        Self {
            secrets: Secrets::new(&self.settings.secrets, Some(reload)),
            ..self
        }
    }

    /// How it is with the public keys; `None` if there is no key set.
    #[must_use]
    pub fn key_set_stats(&self) -> Option<KeySetStats> {
        Some(self.key_pairs.as_ref()?.keys.stats())
    }

    async fn judge(&self, token: &CompactToken<'_>, header: &Header) -> Result<Caller, AuthError> {
        let (algorithm, token_type) = header.check(&self.settings.algorithms)?;
        let access = self.access_rules(algorithm, token_type)?;
        match (algorithm, &self.key_pairs) {
            (Algorithm::Hs256, _) => {
                self.check_secret(token).await?;
                let parties = self.parties(None);
                let now = self.clock.now();
                let verified = claims::validate(&token.claims, &self.settings, parties, access, now)?;
                self.warn_of_milliseconds(&verified.caller, now);
                Ok(verified.caller)
            }
            (_, None) => Err(Refusal::new(RefusalReason::NoKeySource)
                .with_hint(NO_KEY_SET_HINT)
                .into()),
            (algorithm, Some(key_pairs)) => {
                self.judge_key_pair(token, header, algorithm, key_pairs, access)
                    .await
            }
        }
    }

    /// The rules for an access token, if this is one. They are for those who run an authorization server: its clients
    /// get them for many audiences, so ours and a scope have to be asked for. A secret of two parties signs none.
    fn access_rules(
        &self,
        algorithm: Algorithm,
        token_type: TokenType,
    ) -> Result<Option<AccessRules<'_>>, Refusal> {
        match (token_type, &self.settings.required_scope) {
            (TokenType::Jwt, _) => Ok(None),
            (TokenType::Access, Some(scope))
                if algorithm != Algorithm::Hs256 && !self.settings.audiences.is_empty() =>
            {
                Ok(Some(AccessRules { scope }))
            }
            (TokenType::Access, _) => Err(Refusal::new(RefusalReason::BadType).with_hint(ACCESS_TOKEN_HINT)),
        }
    }

    /// JavaScript counts milliseconds: such an `exp` is thousands of years away.
    fn warn_of_milliseconds(&self, caller: &Caller, now: DateTime<Utc>) {
        let latest = now
            .checked_add_signed(FAR_AWAY)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        if caller.expires_at > latest && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a token expires more than ten years from now; `exp` is in seconds (RFC 7519, 2), not in milliseconds"
            );
        }
    }

    /// HS256 never looks at `kid`: a secret has none, so each secret is tried.
    async fn check_secret(&self, token: &CompactToken<'_>) -> Result<(), Refusal> {
        let secrets = self.secrets.of_now().await;
        if secrets.is_empty() {
            return Err(Refusal::new(RefusalReason::NoKeySource).with_hint(NO_SECRET_HINT));
        }
        let is_verified = |secrets: &[SharedSecret]| {
            secrets
                .iter()
                .any(|secret| secret.verifies(token.signed, &token.signature_bytes))
        };
        if is_verified(&secrets) {
            return Ok(());
        }
        // It may be of a secret that has just come.
        self.secrets.look().await;
        is_verified(&self.secrets.current())
            .then_some(())
            .ok_or(Refusal::new(RefusalReason::BadSignature))
    }

    async fn judge_key_pair(
        &self,
        token: &CompactToken<'_>,
        header: &Header,
        algorithm: Algorithm,
        key_pairs: &KeyPairs,
        access: Option<AccessRules<'_>>,
    ) -> Result<Caller, AuthError> {
        let KeyPairs { keys, origin, cache } = key_pairs;
        let digest = TokenDigest::of(token.text);
        let known = keys
            .generation()
            .and_then(|generation| cache.get(&digest, generation, self.clock.now(), self.settings.leeway));
        if let Some(caller) = known {
            return Ok(caller);
        }
        let generation = keys.check(algorithm, header.key_id(), token).await?;
        // The clock is asked after the waiting.
        let now = self.clock.now();
        let parties = self.parties(origin.as_ref());
        let accepted = claims::validate(&token.claims, &self.settings, parties, access, now)?;
        self.warn_of_milliseconds(&accepted.caller, now);
        cache.insert(digest, generation, accepted.clone());
        Ok(accepted.caller)
    }

    /// The parties of the settings count for every token; the origin of a key set stands in for what they leave out.
    fn parties<'s>(&'s self, origin: Option<&'s Party>) -> Parties<'s> {
        let or_origin = |configured: &'s [Party]| match origin {
            Some(origin) if configured.is_empty() => slice::from_ref(origin),
            _ => configured,
        };
        Parties {
            issuers: or_origin(&self.settings.issuers),
            audiences: or_origin(&self.settings.audiences),
        }
    }
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        let token = CompactToken::split(token)?;
        let header = Header::read(&token.header)?;
        let verdict = self.judge(&token, &header).await;
        verdict.map_err(|error| match error {
            AuthError::Invalid(refusal) => AuthError::Invalid(header.describe(refusal)),
            AuthError::Expired(refusal) => AuthError::Expired(header.describe(refusal)),
            AuthError::KeysUnavailable(cause) => AuthError::KeysUnavailable(cause),
        })
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::{FixedClock, a_caller, noon};

    use super::*;
    use crate::claims::Verified;
    use crate::jwks::FetchFailed;
    use crate::settings::{KeySetTiming, KeySetUrl};

    /// Publishes the key of RFC 8037 A.2.
    struct OneKey;

    #[async_trait]
    impl KeySetSource for OneKey {
        async fn fetch(&self) -> Result<Vec<u8>, FetchFailed> {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            Ok(format!(r#"{{"keys":[{{"kid":"a","kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#).into_bytes())
        }
    }

    #[tokio::test]
    async fn the_signature_of_a_remembered_token_is_not_checked_again() {
        let verifier = JwtVerifier::new(VerifierSettings::default(), Arc::new(FixedClock::at(noon())));
        let key_set = KeySetSettings {
            url: KeySetUrl::parse("https://app.example/api/auth/jwks").unwrap(),
            origin: None,
            timing: KeySetTiming::default(),
        };
        let verifier = verifier.with_key_set(key_set, OneKey);
        // {"alg":"EdDSA","kid":"a"}, no claims, and three zeros that are no signature.
        let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.e30.AAAA";
        assert!(verifier.verify(token).await.is_err());
        let accepted = Verified {
            caller: a_caller(),
            not_before: noon(),
        };
        let cache = &verifier.key_pairs.as_ref().unwrap().cache;
        cache.insert(TokenDigest::of(token), 0, accepted);
        assert_eq!(verifier.verify(token).await.unwrap(), a_caller());
    }
}
