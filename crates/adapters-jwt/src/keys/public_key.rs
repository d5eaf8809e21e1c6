use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as LibraryAlgorithm, DecodingKey, crypto};
use serde_json::Value;
use thiserror::Error;

use super::provider::choose_provider;
use crate::algorithm::Algorithm;
use crate::fields::Fields;

/// The public half of a key pair, as a JSON Web Key publishes it (RFC 7517, RFC 7518 6, RFC 8037 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    material: Material,
    /// The algorithms that the key may be used with: one algorithm, or both of RSA if the key was published without
    /// `alg`.
    algorithms: Vec<Algorithm>,
}

impl PublicKey {
    /// The fields of a JSON Web Key that we look at, besides `kid`. What belongs to a private key is not read.
    pub(crate) const FIELDS: [&str; 9] = ["alg", "crv", "e", "key_ops", "kty", "n", "use", "x", "y"];

    /// Reads a key and makes sure that it is one: sizes, and whether a point lies on its curve.
    pub(crate) fn from_jwk(jwk: &Fields<'_>) -> Result<Self, UnusableKey> {
        if !is_for_signatures(jwk) {
            return Err(UnusableKey::Purpose);
        }
        let material = Material::from_jwk(jwk)?;
        let algorithms = match jwk.get("alg") {
            None => material.algorithms().to_vec(),
            Some(name) => {
                let algorithm = name.as_str().and_then(Algorithm::named);
                let fitting = algorithm.filter(|algorithm| material.algorithms().contains(algorithm));
                vec![fitting.ok_or(UnusableKey::Algorithm)?]
            }
        };
        choose_provider();
        Ok(Self { material, algorithms })
    }

    /// Whether the key may be used with that algorithm.
    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether `signature` (base64url) is the signature of `message` that this key's private half makes with that
    /// algorithm. It never is with an algorithm that the key is not for.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        let (key, algorithm) = match (&self.material, algorithm) {
            (Material::Ed25519(x), Algorithm::EdDsa) => {
                (DecodingKey::from_ed_der(x), LibraryAlgorithm::EdDSA)
            }
            (Material::P256(point), Algorithm::Es256) => {
                (DecodingKey::from_ec_der(point), LibraryAlgorithm::ES256)
            }
            (Material::P384(point), Algorithm::Es384) => {
                (DecodingKey::from_ec_der(point), LibraryAlgorithm::ES384)
            }
            (Material::P521(point), Algorithm::Es512) => return verifies_es512(point, message, signature),
            (Material::Rsa { n, e }, Algorithm::Rs256) => (
                DecodingKey::from_rsa_raw_components(n, e),
                LibraryAlgorithm::RS256,
            ),
            (Material::Rsa { n, e }, Algorithm::Ps256) => (
                DecodingKey::from_rsa_raw_components(n, e),
                LibraryAlgorithm::PS256,
            ),
            _ => return false,
        };
        crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
    }
}

/// jsonwebtoken has no ES512.
fn verifies_es512(point: &[u8], message: &str, signature: &str) -> bool {
    let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point);
    URL_SAFE_NO_PAD
        .decode(signature)
        .is_ok_and(|signature| key.verify(message.as_bytes(), &signature).is_ok())
}

/// `use` and `key_ops` may be absent (RFC 7517 4.2, 4.3); what they say counts.
fn is_for_signatures(jwk: &Fields<'_>) -> bool {
    let is_for_use = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let may_verify = |operations: &Value| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    is_for_use && jwk.get("key_ops").is_none_or(may_verify)
}

/// The numbers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    /// 32 bytes.
    Ed25519(Vec<u8>),
    /// Uncompressed points (SEC 1, 2.3.3): 4, x, y.
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    /// Big-endian numbers without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl Material {
    fn from_jwk(jwk: &Fields<'_>) -> Result<Self, UnusableKey> {
        match (jwk.text("kty"), jwk.text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Ok(Self::Ed25519(bytes_of_size(jwk, "x", 32)?)),
            (Some("EC"), Some("P-256")) => point(jwk, 32, &ECDSA_P256_SHA256_FIXED).map(Self::P256),
            (Some("EC"), Some("P-384")) => point(jwk, 48, &ECDSA_P384_SHA384_FIXED).map(Self::P384),
            (Some("EC"), Some("P-521")) => point(jwk, 66, &ECDSA_P521_SHA512_FIXED).map(Self::P521),
            (Some("RSA"), _) => rsa(jwk),
            // Secrets (`oct`) among them: what everyone can read is no secret.
            _ => Err(UnusableKey::Type),
        }
    }

    /// The algorithms that such a key can be used with.
    fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Ed25519(_) => &[Algorithm::EdDsa],
            Self::P256(_) => &[Algorithm::Es256],
            Self::P384(_) => &[Algorithm::Es384],
            Self::P521(_) => &[Algorithm::Es512],
            Self::Rsa { .. } => &[Algorithm::Rs256, Algorithm::Ps256],
        }
    }
}

fn point(
    jwk: &Fields<'_>,
    size: usize,
    curve: &'static dyn VerificationAlgorithm,
) -> Result<Vec<u8>, UnusableKey> {
    let mut point = vec![4];
    point.extend(bytes_of_size(jwk, "x", size)?);
    point.extend(bytes_of_size(jwk, "y", size)?);
    ParsedPublicKey::new(curve, &point).map_err(|_| UnusableKey::Numbers)?;
    Ok(point)
}

/// A modulus of 2048 to 8192 bits, and an odd exponent from 3 to what aws-lc computes with, 33 bits.
fn rsa(jwk: &Fields<'_>) -> Result<Material, UnusableKey> {
    let n = number(jwk, "n")?;
    let e = number(jwk, "e")?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let has_sound_size = (2048..=8192).contains(&bits(&n)) && (2..=33).contains(&bits(&e));
    if !has_sound_size || !is_odd(&n) || !is_odd(&e) {
        return Err(UnusableKey::Numbers);
    }
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| UnusableKey::Numbers)?;
    Ok(Material::Rsa { n, e })
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    number.len() * 8 - leading
}

/// `Base64urlUInt` (RFC 7518 2). It should not begin with zeros; some libraries write one.
fn number(jwk: &Fields<'_>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let bytes = bytes(jwk, name)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn bytes_of_size(jwk: &Fields<'_>, name: &str, size: usize) -> Result<Vec<u8>, UnusableKey> {
    bytes(jwk, name).and_then(|bytes| {
        if bytes.len() == size {
            Ok(bytes)
        } else {
            Err(UnusableKey::Numbers)
        }
    })
}

fn bytes(jwk: &Fields<'_>, name: &str) -> Result<Vec<u8>, UnusableKey> {
    let text = jwk.text(name).ok_or(UnusableKey::Numbers)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| UnusableKey::Numbers)
}

/// Why an entry of a key set is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum UnusableKey {
    /// Not an object with a key in it, or with a key id that is no text of 1 to 512 characters.
    #[error("it is no key with a sound key id")]
    Form,
    /// Another kind of key or curve.
    #[error("its kty and crv are none that tokens may be signed with")]
    Type,
    /// For encryption, say.
    #[error("its use or key_ops say that it is not for verifying")]
    Purpose,
    /// Another algorithm, or one that such a key cannot be used with.
    #[error("its alg is none that tokens may be signed with, or none of such a key")]
    Algorithm,
    /// Missing or malformed numbers, a wrong size, a point off its curve.
    #[error("its numbers make no key")]
    Numbers,
}
