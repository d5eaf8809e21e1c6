//! Tokens for development, so that one can try the API without a front end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::identity::Owner;
use serde_json::{Map, Value};

use crate::keys::SharedSecret;
use crate::settings::{Party, UserIdClaims};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The claims of a development token.
#[derive(Debug, Clone)]
pub struct DevelopmentClaims {
    /// Whose tasks the token opens.
    pub user_id: Owner,
    /// The list that the verifier reads. The user id goes into the first claim of it, and into `sub` as well.
    pub user_id_claims: UserIdClaims,
    /// `iss`, if the verifier asks for one.
    pub issuer: Option<Party>,
    /// `aud`, if the verifier asks for one.
    pub audience: Option<Party>,
    /// `iat`. A fraction of a second is dropped.
    pub issued_at: DateTime<Utc>,
    /// `exp`. A fraction of a second is dropped.
    pub expires_at: DateTime<Utc>,
}

/// Signs a token as Better Auth does with HS256 and a `definePayload` (RFC 7515 3.1, compact form).
///
/// For the command line of a developer: in production no one but Better Auth should issue tokens.
#[must_use]
pub fn sign_development_token(secret: &SharedSecret, claims: &DevelopmentClaims) -> String {
    let header = URL_SAFE_NO_PAD.encode(HEADER);
    let payload = URL_SAFE_NO_PAD.encode(payload(claims).to_string());
    let message = format!("{header}.{payload}");
    let signature = secret.sign(&message);
    format!("{message}.{signature}")
}

fn payload(claims: &DevelopmentClaims) -> Value {
    let mut fields = Map::new();
    for name in claims.user_id_claims.iter().take(1).chain(["sub"]) {
        fields.insert(name.to_owned(), claims.user_id.as_str().into());
    }
    fields.insert("iat".to_owned(), claims.issued_at.timestamp().into());
    fields.insert("exp".to_owned(), claims.expires_at.timestamp().into());
    for (name, party) in [("iss", &claims.issuer), ("aud", &claims.audience)] {
        if let Some(party) = party {
            fields.insert(name.to_owned(), party.as_str().into());
        }
    }
    Value::Object(fields)
}
