//! Which algorithms are accepted at all.

use super::InvalidSetting;
use crate::algorithm::Algorithm;

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
