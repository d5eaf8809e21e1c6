//! The four steps, one after the other.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use domain::clock::Clock;
use domain::identity::{AuthError, Caller, Refusal, RefusalReason, TokenVerifier};

use crate::claims;
use crate::header::{Header, KeyFamily};
use crate::settings::VerifierSettings;
use crate::token::CompactToken;

const NO_KEY_PAIR_HINT: &str = "only the shared secret is configured; it verifies HS256 and nothing else";
const NO_SECRET_HINT: &str = "no shared secret is configured, so HS256 cannot be verified";

/// Verifies the JSON Web Tokens of Better Auth. Holds no state beyond its settings; share it between threads.
pub struct JwtVerifier {
    settings: VerifierSettings,
    clock: Arc<dyn Clock>,
}

impl JwtVerifier {
    /// A verifier with these settings. Without any key it refuses every token.
    #[must_use]
    pub fn new(settings: VerifierSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock }
    }

    fn judge(&self, token: &str) -> Result<Caller, Refusal> {
        let token = CompactToken::split(token)?;
        let header = Header::read(&token.header)?;
        self.judge_parts(&token, &header)
            .map_err(|refusal| header.describe(refusal))
    }

    fn judge_parts(&self, token: &CompactToken<'_>, header: &Header) -> Result<Caller, Refusal> {
        let family = header.check()?;
        self.check_signature(family, token)?;
        claims::judge(&token.claims, &self.settings, self.clock.now())
    }

    /// HS256 never looks at `kid`: a secret has none, so each secret is tried.
    fn check_signature(&self, family: KeyFamily, token: &CompactToken<'_>) -> Result<(), Refusal> {
        let secrets = &self.settings.secrets;
        match family {
            KeyFamily::KeyPair => Err(Refusal::new(RefusalReason::NoKeySource).with_hint(NO_KEY_PAIR_HINT)),
            KeyFamily::SharedSecret if secrets.is_empty() => {
                Err(Refusal::new(RefusalReason::NoKeySource).with_hint(NO_SECRET_HINT))
            }
            KeyFamily::SharedSecret => secrets
                .iter()
                .any(|secret| secret.verifies(token.signed, token.signature))
                .then_some(())
                .ok_or(Refusal::new(RefusalReason::BadSignature)),
        }
    }
}

#[async_trait]
impl TokenVerifier for JwtVerifier {
    async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        self.judge(token).map_err(|refusal| {
            if refusal.reason == RefusalReason::Expired {
                AuthError::Expired(refusal)
            } else {
                AuthError::Invalid(refusal)
            }
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
