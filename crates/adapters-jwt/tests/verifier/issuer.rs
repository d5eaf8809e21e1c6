//! A front end with key pairs of its own, made when the tests run, the key set that it publishes, and the secret that
//! it shares. The tests of the verifier, those of the keys and the benchmark have it in common.

use std::sync::LazyLock;

use adapters_jwt::{
    DevelopmentClaims, FetchFailed, KeySetSettings, KeySetSource, KeySetTiming, KeySetUrl, Party,
    SharedSecret, UserIdClaims, sign_development_token,
};
use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::testing::{an_owner, noon};
use serde_json::{Value, json};

/// How long a good token lives, in seconds.
pub(crate) const LIFETIME: i64 = 900;

pub(crate) const SECRET: &str = "correct horse battery staple, 32+";

pub(crate) fn shared_secret() -> SharedSecret {
    SharedSecret::new(SECRET.into()).expect("a good secret")
}

/// A good token of the secret, made at noon.
pub(crate) fn hs256_token() -> String {
    sign_development_token(&shared_secret(), &development_claims())
}

pub(crate) fn development_claims() -> DevelopmentClaims {
    DevelopmentClaims {
        user_id: an_owner(),
        user_id_claims: UserIdClaims::default(),
        issuer: None,
        audience: None,
        issued_at: noon(),
        expires_at: noon() + TimeDelta::seconds(LIFETIME),
    }
}

/// Where the key set is, for sources that do not look there.
pub(crate) fn key_set_settings(origin: Option<Party>, timing: KeySetTiming) -> KeySetSettings {
    KeySetSettings {
        url: KeySetUrl::parse("https://app.example/api/auth/jwks").expect("a good address"),
        origin,
        timing,
    }
}

/// A key pair and the way it signs.
pub(crate) enum Signer {
    Ed25519(Ed25519KeyPair),
    Ecdsa { pair: EcdsaKeyPair, curve: &'static str },
    Rsa(&'static RsaKeyPair),
}

/// The pair that every RSA key of the tests shares: making one takes long.
static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| a_new_rsa_pair(KeySize::Rsa2048));

/// Another RSA pair, of another size.
pub(crate) static LARGER_RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| a_new_rsa_pair(KeySize::Rsa3072));

fn a_new_rsa_pair(size: KeySize) -> RsaKeyPair {
    RsaKeyPair::generate(size).expect("a key pair")
}

impl Signer {
    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().expect("a key pair"))
    }

    pub(crate) fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self::Ecdsa {
            pair: pair.expect("a key pair"),
            curve: "P-256",
        }
    }

    pub(crate) fn p384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING);
        Self::Ecdsa {
            pair: pair.expect("a key pair"),
            curve: "P-384",
        }
    }

    pub(crate) fn p521() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING);
        Self::Ecdsa {
            pair: pair.expect("a key pair"),
            curve: "P-521",
        }
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(&RSA)
    }

    /// The numbers of the public key, as a JSON Web Key without `kid` and `alg`.
    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key().as_ref()) })
            }
            Self::Ecdsa { pair, curve } => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": base64(x), "y": base64(y) })
            }
            Self::Rsa(pair) => json!({
                "kty": "RSA",
                "n": base64(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": base64(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
        }
    }

    /// The signature of a message; with RSA that of RS256.
    pub(crate) fn sign(&self, message: &str) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Ecdsa { pair, .. } => {
                let signature = pair.sign(&SystemRandom::new(), message.as_bytes());
                signature.expect("a signature").as_ref().to_vec()
            }
            Self::Rsa(_) => self.sign_with_padding(&RSA_PKCS1_SHA256, message),
        }
    }

    /// The signature of a message with RSA, PS256 and others.
    pub(crate) fn sign_with_padding(&self, padding: &'static dyn RsaEncoding, message: &str) -> Vec<u8> {
        let Self::Rsa(pair) = self else {
            panic!("only RSA has paddings")
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a signature");
        signature
    }

    /// A token with that header and those claims.
    pub(crate) fn token(&self, header: &str, claims: &str) -> String {
        signed_by(header, claims, |message| self.sign(message))
    }

    /// The same with PS256.
    pub(crate) fn ps256_token(&self, header: &str, claims: &str) -> String {
        signed_by(header, claims, |message| {
            self.sign_with_padding(&RSA_PSS_SHA256, message)
        })
    }
}

/// A token with whatever someone takes for a signature.
pub(crate) fn signed_by(header: &str, claims: &str, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = base64(sign(&message));
    format!("{message}.{signature}")
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A JSON Web Key with further fields, such as `kid` and `alg`.
pub(crate) fn with_fields(jwk: Value, fields: &Value) -> Value {
    let mut jwk = jwk;
    let all = jwk.as_object_mut().expect("an object");
    all.extend(fields.as_object().expect("an object").clone());
    jwk
}

/// A key set that is always there and never changes.
#[derive(Debug, Clone)]
pub(crate) struct FixedKeySet(pub(crate) String);

#[async_trait]
impl KeySetSource for FixedKeySet {
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed> {
        Ok(self.0.clone().into_bytes())
    }
}
