//! The tokens of users: fake ones for an application in this process, signed ones for the real binary.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::clock::Clock;
use domain::testing::{FakeTokenVerifier, Verdict, a_caller_named};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::clock::SystemClock;

/// Makes the tokens that a running API knows, or refuses.
pub trait Tokens: Send + Sync {
    /// A good token of that user.
    fn good(&self, user: &str) -> String;

    /// Another good token of that user, as after a new log-in.
    fn another(&self, user: &str) -> String;

    /// A token of that user which was good until a second ago.
    fn expired(&self, user: &str) -> String;

    /// A token that names that user and was made by someone else.
    fn forged(&self, user: &str) -> String;
}

/// Those of an application whose verifier this is.
pub(crate) struct FakeTokens(pub(crate) Arc<FakeTokenVerifier>);

impl FakeTokens {
    fn told(&self, token: String, verdict: Verdict) -> String {
        self.0.tell(&token, verdict);
        token
    }
}

impl Tokens for FakeTokens {
    fn good(&self, user: &str) -> String {
        FakeTokenVerifier::token_for(user)
    }

    fn another(&self, user: &str) -> String {
        let token = format!("another.{}", self.good(user));
        self.told(token, Verdict::Accepted(a_caller_named(user)))
    }

    fn expired(&self, user: &str) -> String {
        let token = format!("expired.{}", self.good(user));
        self.told(token, Verdict::Expired)
    }

    fn forged(&self, user: &str) -> String {
        format!("forged.{}", self.good(user))
    }
}

/// JSON Web Tokens that are signed with [`SECRET`], as the front end signs them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignedTokens;

impl Tokens for SignedTokens {
    fn good(&self, user: &str) -> String {
        token_for(user)
    }

    fn another(&self, user: &str) -> String {
        token_signed_with(SECRET, user, TimeDelta::minutes(3))
    }

    fn expired(&self, user: &str) -> String {
        token_signed_with(SECRET, user, TimeDelta::seconds(-1))
    }

    fn forged(&self, user: &str) -> String {
        let another_user = "a secret of somebody else, 0123456789abcdef";
        token_signed_with(another_user, user, TimeDelta::minutes(1))
    }
}

/// The secret that every binary of the tests shares with its front end.
pub const SECRET: &str = "the-secret-of-the-tests-0123456789abcdef";

/// A good signed token of that user.
#[must_use]
pub fn token_for(user: &str) -> String {
    token_signed_with(SECRET, user, TimeDelta::minutes(15))
}

/// A token of that user, signed with that secret, that expires so much later (or earlier) than now.
#[must_use]
pub fn token_signed_with(secret: &str, user: &str, expires_in: TimeDelta) -> String {
    let now = SystemClock.now();
    let claims = json!({
        "user_id": user,
        "sub": user,
        "iat": now.timestamp(),
        "exp": (now + expires_in).timestamp(),
    });
    signed_with(secret, r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

/// A token with this header and these claims, both written out and signed with [`SECRET`], whatever they say.
#[must_use]
pub fn signed(header: &str, claims: &str) -> String {
    signed_with(SECRET, header, claims)
}

/// The same, signed with that secret.
#[must_use]
pub fn signed_with(secret: &str, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = hmac_sha256(secret.as_bytes(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 2104, spelled out: the signer of the product refuses to make the tokens that tests need most.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8, message: &[u8]| {
        let start = Sha256::new().chain_update(block.map(|byte| byte ^ pad));
        start.chain_update(message).finalize().into()
    };
    let inner: [u8; 32] = keyed(0x36, message);
    keyed(0x5c, &inner)
}
