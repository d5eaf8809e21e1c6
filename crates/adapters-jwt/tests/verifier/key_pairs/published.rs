//! The key set that the tables of this module are judged by.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::issuer::{Signer, with_fields};
use crate::support::*;

pub(crate) static ED: LazyLock<Signer> = LazyLock::new(Signer::ed25519);
pub(crate) static ED_2: LazyLock<Signer> = LazyLock::new(Signer::ed25519);
pub(crate) static P256: LazyLock<Signer> = LazyLock::new(Signer::p256);
pub(crate) static P384: LazyLock<Signer> = LazyLock::new(Signer::p384);
pub(crate) static P521: LazyLock<Signer> = LazyLock::new(Signer::p521);
pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(Signer::rsa);
/// No one published these.
pub(crate) static STRANGE_ED: LazyLock<Signer> = LazyLock::new(Signer::ed25519);
pub(crate) static STRANGE_P256: LazyLock<Signer> = LazyLock::new(Signer::p256);
pub(crate) static STRANGE_P384: LazyLock<Signer> = LazyLock::new(Signer::p384);
pub(crate) static STRANGE_P521: LazyLock<Signer> = LazyLock::new(Signer::p521);
pub(crate) static STRANGE_RSA: LazyLock<Signer> = LazyLock::new(|| Signer::Rsa(&crate::issuer::LARGER_RSA));

/// A secret among public keys: known to everyone.
pub(crate) const OCT: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// One key for each algorithm, keys without `alg`, two keys with one id, and entries that are no keys to us. The same
/// numbers stand under several ids on purpose: then only the binding of a key to its algorithm tells them apart.
pub(crate) static PUBLISHED: LazyLock<String> = LazyLock::new(|| {
    let key = |signer: &Signer, fields: Value| with_fields(signer.jwk(), &fields);
    let keys = [
        key(&ED, json!({ "kid": "ed-1", "alg": "EdDSA" })),
        key(
            &ED,
            json!({ "kid": "ed-rfc9864", "alg": "Ed25519", "use": "sig", "key_ops": ["verify"] }),
        ),
        key(&ED, json!({ "kid": "ed-plain" })),
        key(&ED_2, json!({ "kid": "1", "alg": "EdDSA" })),
        key(&P256, json!({ "kid": "es256-1", "alg": "ES256" })),
        key(&P256, json!({ "kid": "p256-plain" })),
        key(&P384, json!({ "kid": "es384-1", "alg": "ES384" })),
        key(&P521, json!({ "kid": "es512-1", "alg": "ES512" })),
        key(&RSA, json!({ "kid": "rs256-1", "alg": "RS256" })),
        key(&RSA, json!({ "kid": "ps256-1", "alg": "PS256" })),
        key(&RSA, json!({ "kid": "rsa-plain" })),
        key(&ED_2, json!({ "kid": "shared", "alg": "EdDSA" })),
        key(&P256, json!({ "kid": "shared", "alg": "ES256" })),
        key(&P256, json!({ "kid": "enc-1", "alg": "ES256", "use": "enc" })),
        key(&P256, json!({ "kid": "derive-1", "key_ops": ["deriveBits"] })),
        key(&RSA, json!({ "kid": "rs384-1", "alg": "RS384" })),
        json!({ "kid": "oct-1", "kty": "oct", "alg": "HS256", "k": OCT }),
        json!({ "kid": "oct-eddsa", "kty": "oct", "alg": "EdDSA", "k": OCT }),
    ];
    json!({ "keys": keys }).to_string()
});

/// The header that Better Auth writes.
pub(crate) fn header(algorithm: &str, id: &str) -> String {
    json!({ "alg": algorithm, "kid": id }).to_string()
}

/// A token of Better Auth as it should be, but for who signed it with what.
pub(crate) fn by(signer: &Signer, algorithm: &str, id: &str, now: i64) -> String {
    signer.token(&header(algorithm, id), &good_claims(now))
}

/// The same with PS256 for the signature.
pub(crate) fn by_pss(signer: &Signer, algorithm: &str, id: &str, now: i64) -> String {
    signer.ps256_token(&header(algorithm, id), &good_claims(now))
}

/// One good token for each algorithm.
pub(crate) fn good_tokens(now: i64) -> Vec<(&'static str, String)> {
    vec![
        ("EdDSA", by(&ED, "EdDSA", "ed-1", now)),
        ("ES256", by(&P256, "ES256", "es256-1", now)),
        ("ES384", by(&P384, "ES384", "es384-1", now)),
        ("ES512", by(&P521, "ES512", "es512-1", now)),
        ("RS256", by(&RSA, "RS256", "rs256-1", now)),
        ("PS256", by_pss(&RSA, "PS256", "ps256-1", now)),
    ]
}
