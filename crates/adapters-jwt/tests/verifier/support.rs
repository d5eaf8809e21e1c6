//! Tokens written by hand, field by field, because no library would write most of them.

use std::sync::Arc;

use adapters_jwt::{JwtVerifier, KeySetTiming, Party, Scope, SharedSecret, VerifierSettings};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use domain::identity::{AuthError, Caller, Refusal, RefusalReason, TokenVerifier};
use domain::testing::{FixedClock, noon};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

use crate::issuer::{FixedKeySet, key_set_settings, shared_secret};
pub(crate) use crate::issuer::{LIFETIME, SECRET};
use crate::key_pairs::PUBLISHED;

pub(crate) const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
pub(crate) const APP: &str = "https://app.example";
/// The audience of access tokens.
pub(crate) const API: &str = "https://api.example";

/// The checks of the verifier of a case.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rules {
    /// The secret and nothing else.
    Plain,
    /// Issuer and audience too, both [`APP`].
    Pinned,
    /// The secret and a key set.
    Published,
    /// The secret and a key set of [`APP`], whose tokens must come from there and be meant for it.
    Origin,
    /// The same, and access tokens for [`API`] with the scope `tasks`.
    OAuth,
}

/// A token, made for a verifier whose clock shows `now`, and what becomes of it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) rules: Rules,
    pub(crate) token: fn(now: i64) -> String,
    /// `None` for a token that is fine.
    pub(crate) refused_as: Option<RefusalReason>,
}

impl Case {
    pub(crate) fn judge_at(&self, now: i64) -> Result<Caller, AuthError> {
        judged(self.rules, now, &(self.token)(now))
    }

    pub(crate) fn check(&self) {
        let verdict = self.judge_at(noon_secs());
        assert_eq!(verdict.err().map(|error| refusal(&error).reason), self.refused_as);
    }
}

/// Makes a table, `CASES`, and one named test for each line of it.
macro_rules! cases {
    ($rules:ident; $($name:ident => $refused_as:expr, |$now:pat_param| $token:expr;)+) => {
        pub(crate) const CASES: &[$crate::support::Case] = &[$($crate::support::Case {
            name: stringify!($name),
            rules: $crate::support::Rules::$rules,
            token: |$now| $token,
            refused_as: $refused_as,
        },)+];

        $(#[test]
        fn $name() {
            let name = stringify!($name);
            let case = CASES.iter().find(|case| case.name == name).expect("the table has this test");
            case.check();
        })+
    };
}
pub(crate) use cases;

/// Every table about the shared secret, hostile and good.
pub(crate) fn all_cases() -> impl Iterator<Item = &'static Case> {
    [
        crate::accepted::CASES,
        crate::form::CASES,
        crate::header::CASES,
        crate::parties::CASES,
        crate::times::CASES,
        crate::users::CASES,
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn noon_secs() -> i64 {
    noon().timestamp()
}

pub(crate) fn secret(text: &str) -> SharedSecret {
    SharedSecret::new(text.into()).expect("a good secret")
}

pub(crate) fn party(name: &str) -> Party {
    Party::parse(name).expect("a good name")
}

pub(crate) fn settings(rules: Rules) -> VerifierSettings {
    let (issuers, audiences, required_scope) = match rules {
        Rules::Plain | Rules::Published | Rules::Origin => (vec![], vec![], None),
        Rules::Pinned => (vec![party(APP)], vec![party(APP)], None),
        Rules::OAuth => (
            vec![party(APP), party(&format!("{APP}/api/auth"))],
            vec![party(APP), party(API)],
            Some(Scope::parse("tasks").expect("a scope")),
        ),
    };
    VerifierSettings {
        secrets: vec![shared_secret()],
        issuers,
        audiences,
        required_scope,
        ..VerifierSettings::default()
    }
}

pub(crate) fn verifier_at(settings: VerifierSettings, now: i64) -> JwtVerifier {
    let now = DateTime::from_timestamp(now, 0).expect("a valid time");
    JwtVerifier::new(settings, Arc::new(FixedClock::at(now)))
}

/// The verifier that most tests mean: the secret, no leeway, at noon.
pub(crate) fn verifier() -> JwtVerifier {
    verifier_at(settings(Rules::Plain), noon_secs())
}

/// The verifier of those rules, with its key set where it has one. Needs a runtime around it.
pub(crate) fn verifier_with_keys(rules: Rules, now: i64) -> JwtVerifier {
    let verifier = verifier_at(settings(rules), now);
    let origin = match rules {
        Rules::Plain | Rules::Pinned => return verifier,
        Rules::Published => None,
        Rules::Origin | Rules::OAuth => Some(party(APP)),
    };
    with_keys_of(verifier, origin)
}

/// The same verifier, which also knows the published keys, of that origin.
pub(crate) fn with_keys_of(verifier: JwtVerifier, origin: Option<Party>) -> JwtVerifier {
    with_key_set(verifier, PUBLISHED.clone(), origin)
}

/// The same verifier, which also knows this key set, of that origin.
pub(crate) fn with_key_set(verifier: JwtVerifier, keys: String, origin: Option<Party>) -> JwtVerifier {
    let key_set = key_set_settings(origin, KeySetTiming::default());
    verifier.with_key_set(key_set, FixedKeySet(keys))
}

pub(crate) fn judge(verifier: &JwtVerifier, token: &str) -> Result<Caller, AuthError> {
    runtime().block_on(verifier.verify(token))
}

/// The verdict of the verifier of those rules.
pub(crate) fn judged(rules: Rules, now: i64, token: &str) -> Result<Caller, AuthError> {
    runtime().block_on(async { verifier_with_keys(rules, now).verify(token).await })
}

/// A runtime whose time passes at once when everyone waits.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

/// The refusal inside an error. Checks on the way that only an expired token is called so.
pub(crate) fn refusal(error: &AuthError) -> &Refusal {
    let (refusal, called_expired) = match error {
        AuthError::Invalid(refusal) => (refusal, false),
        AuthError::Expired(refusal) => (refusal, true),
        AuthError::KeysUnavailable(_) => panic!("all keys are available here"),
    };
    assert_eq!(called_expired, refusal.reason == RefusalReason::Expired);
    refusal
}

pub(crate) fn refused(verifier: &JwtVerifier, token: &str) -> Refusal {
    refusal(&judge(verifier, token).expect_err("a refusal")).clone()
}

pub(crate) fn base64(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub(crate) fn unbase64(text: impl AsRef<[u8]>) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// The signature of `message` with that secret, in base64url.
pub(crate) fn signature(message: &str, secret: impl AsRef<[u8]>, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(secret.as_ref());
    crypto::sign(message.as_bytes(), &key, algorithm).expect("a signature")
}

/// A token with that header and claims that are fine, signed with that secret.
pub(crate) fn hmac_token(header: &str, secret: impl AsRef<[u8]>, algorithm: Algorithm, now: i64) -> String {
    let message = format!("{}.{}", base64(header), base64(good_claims(now)));
    let signature = signature(&message, secret, algorithm);
    format!("{message}.{signature}")
}

/// Signs whatever stands before the signature with [`SECRET`].
pub(crate) fn sign(message: &str) -> String {
    format!("{message}.{}", signature(message, SECRET, Algorithm::HS256))
}

/// A token with that header and those claims, both written out.
pub(crate) fn token(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    sign(&format!("{}.{}", base64(header), base64(claims)))
}

/// A token with the usual header and those claims.
pub(crate) fn with_claims(claims: impl AsRef<[u8]>) -> String {
    token(HEADER, claims)
}

/// A token with that header and claims that are fine.
pub(crate) fn with_header(header: impl AsRef<[u8]>, now: i64) -> String {
    token(header, good_claims(now))
}

/// A token that is fine but for these further claims (`"name":value`).
pub(crate) fn with_more(now: i64, more: &str) -> String {
    let exp = now + LIFETIME;
    with_claims(format!(r#"{{"user_id":"usr_9f2c","exp":{exp},{more}}}"#))
}

/// A token that is fine but for its `exp`, written out.
pub(crate) fn with_exp(exp: impl std::fmt::Display) -> String {
    with_claims(format!(r#"{{"user_id":"usr_9f2c","exp":{exp}}}"#))
}

/// A token that is fine but for whom it names.
pub(crate) fn with_user(now: i64, user: &str) -> String {
    let exp = now + LIFETIME;
    with_claims(format!(r#"{{"exp":{exp},{user}}}"#))
}

pub(crate) fn good_claims(now: i64) -> String {
    format!(r#"{{"user_id":"usr_9f2c","exp":{}}}"#, now + LIFETIME)
}

pub(crate) fn good_token(now: i64) -> String {
    with_claims(good_claims(now))
}
