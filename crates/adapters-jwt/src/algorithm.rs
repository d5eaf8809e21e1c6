//! The algorithms of Better Auth and no others: not `none`, not HS384, not Ed448.

use crate::settings::InvalidSetting;

/// An algorithm that tokens may be signed with (RFC 7518 3.1, RFC 8037 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// HMAC with SHA-256. Whoever can verify can also sign.
    Hs256,
    /// Ed25519.
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// ECDSA over P-521 with SHA-512.
    Es512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl Algorithm {
    const ALL: [Self; 7] = [
        Self::Hs256,
        Self::EdDsa,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Rs256,
        Self::Ps256,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            // `Ed25519` is the name of RFC 9864 for what RFC 8037 calls `EdDSA`.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "RS256" => Self::Rs256,
            "PS256" => Self::Ps256,
            _ => return None,
        })
    }
}

/// The algorithms that are accepted, if there is a key for them. By default all that this crate knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms(Vec<Algorithm>);

impl Algorithms {
    /// Reads the names of algorithms: HS256, `EdDSA` (or Ed25519), ES256, ES384, ES512, RS256, PS256.
    ///
    /// # Errors
    /// [`InvalidSetting::NoAlgorithm`] for an empty list, [`InvalidSetting::UnknownAlgorithm`] for any other name.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidSetting> {
        let algorithms: Option<Vec<_>> = names.into_iter().map(Algorithm::named).collect();
        match algorithms {
            None => Err(InvalidSetting::UnknownAlgorithm),
            Some(algorithms) if algorithms.is_empty() => Err(InvalidSetting::NoAlgorithm),
            Some(algorithms) => Ok(Self(algorithms)),
        }
    }

    /// Whether tokens signed with a shared secret (HS256) are among them.
    #[must_use]
    pub fn include_shared_secrets(&self) -> bool {
        self.allow(Algorithm::Hs256)
    }

    /// Whether tokens signed with a key pair (all but HS256) are among them.
    #[must_use]
    pub fn include_key_pairs(&self) -> bool {
        self.0.iter().any(|algorithm| *algorithm != Algorithm::Hs256)
    }

    pub(crate) fn allow(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }
}

impl Default for Algorithms {
    fn default() -> Self {
        Self(Algorithm::ALL.to_vec())
    }
}
