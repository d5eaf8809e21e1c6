//! Verifies the JSON Web Tokens that the front end's Better Auth issues: the adapter behind the port
//! [`domain::identity::TokenVerifier`].
//!
//! A token is three base64url segments, `header.claims.signature` (RFC 7515 3.1). Everything in it is written by
//! anyone who sent it until the signature has been checked, so the order of the checks is the security of this
//! crate. Each module does one step and knows nothing of the later ones:
//!
//! | Step | Room | What it decides | What it may trust |
//! |---|---|---|---|
//! | 1 | `token` | size, characters, exactly three strict segments | nothing |
//! | 2 | `header` | the algorithm is on our list, nothing is asked for that we cannot honour | nothing |
//! | 3 | `keys`, `jwks` | the signature matches one of **our** keys, with the algorithm that belongs to that key | our keys |
//! | 4 | `claims` | times, issuer, audience and at last the user | the whole token |
//!
//! `fields` reads the JSON of steps 2 and 4 and of public keys, `settings` holds what an operator decides, `verifier`
//! walks through the steps, `token_cache` remembers tokens of key pairs that came through, `signing` makes tokens for
//! development, and `stats` says how it is with the public keys. Our keys are shared secrets (HS256), or the public
//! keys that the front end publishes, which `jwks` fetches and keeps fresh.
//!
//! # What is stricter here than in a general library
//!
//! `jsonwebtoken` computes the signatures (`aws-lc-rs` that of ES512, which it does not have); the rest of a token is
//! read by this crate, because of what a general library lets pass. Tests compare our verdicts with those of
//! `jsonwebtoken::decode` and explain each difference. In short:
//!
//! - `exp` is required, and a token is expired in the very microsecond that `exp` names (RFC 7519 4.1.4).
//! - `typ` must be absent or `JWT`: Better Auth signs cookies and logout tokens with the same keys (RFC 8725 3.11).
//! - `crit` and `b64` are refused: they change what a signature means (RFC 7515 4.1.11, RFC 7797).
//! - A configured issuer or audience must be there, as text, in every token (RFC 8725 3.8, 3.9).
//! - A field that we read must not be repeated (RFC 7519 4): two readers could see two different users.
//! - The first user id claim that is **present** decides. A wrong one is never passed over for the next.
//! - A key belongs to its algorithm (RFC 8725 3.1). The header of a token can agree with that or be refused.
//!
//! # What a refusal says
//!
//! A [`Refusal`](domain::identity::Refusal) is one line of the audit log: a reason code, `alg` and `kid` of the
//! header (at most 64 characters each, escaped), what was wanted, a hint. No error of this crate holds a claim, a
//! signature, a token or a secret, neither in `Debug` nor in `Display`.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use adapters_jwt::{
//!     DevelopmentClaims, JwtVerifier, SharedSecret, UserIdClaims, VerifierSettings, sign_development_token,
//! };
//! use chrono::TimeDelta;
//! use domain::identity::{Owner, TokenVerifier};
//! use domain::testing::{FixedClock, noon};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = SharedSecret::new("a secret of at least thirty-two bytes".into())?;
//! let token = sign_development_token(
//!     &secret,
//!     &DevelopmentClaims {
//!         user_id: Owner::parse("alice")?,
//!         user_id_claims: UserIdClaims::default(),
//!         issuer: None,
//!         audience: None,
//!         issued_at: noon(),
//!         expires_at: noon() + TimeDelta::minutes(15),
//!     },
//! );
//!
//! let settings = VerifierSettings {
//!     secrets: vec![secret],
//!     ..VerifierSettings::default()
//! };
//! let verifier = JwtVerifier::new(settings, Arc::new(FixedClock::at(noon())));
//! let caller = verifier.verify(&token).await?;
//! assert_eq!(caller.owner.as_str(), "alice");
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod claims;
mod fields;
mod header;
mod jwks;
mod keys;
mod secrets;
mod settings;
mod signing;
mod stats;
mod token;
mod token_cache;
mod verifier;

pub use jwks::{FetchFailed, HttpKeySet, KeySetSource, MAX_KEY_SET_BYTES, NoHttpClient};
pub use keys::{InvalidSecret, SharedSecret};
pub use secrets::SecretsReload;
pub use settings::{
    Algorithms, BetterAuthUrl, InvalidSetting, KeySetSettings, KeySetTiming, KeySetUrl, Leeway, Party, Scope,
    UserIdClaims, VerifierSettings,
};
pub use signing::{DevelopmentClaims, sign_development_token};
pub use stats::KeySetStats;
pub use token::MAX_TOKEN_BYTES;
pub use verifier::JwtVerifier;
