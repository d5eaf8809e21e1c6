use thiserror::Error;

use crate::storage::{StorageError, corrupt};

/// What a creation asked for, boiled down to 32 bytes: two requests with one key and different fingerprints are
/// not repeats of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// A client's name for one creation, unique among the tasks of one owner, with the fingerprint of what it asked
/// for. It is remembered for as long as the task exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    text: String,
    fingerprint: Fingerprint,
}

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Takes 1 to 255 visible ASCII characters without quotation mark and backslash as a key.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn new(text: impl Into<String>, fingerprint: Fingerprint) -> Result<Self, InvalidIdempotencyKey> {
        let text = text.into();
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.is_empty() || text.len() > Self::MAX_CHARS || !text.bytes().all(is_visible) {
            return Err(InvalidIdempotencyKey);
        }
        Ok(Self { text, fingerprint })
    }

    /// Puts a stored key together again.
    ///
    /// # Errors
    /// `Corrupt`: the text is no key, or the fingerprint has not 32 bytes.
    pub fn restore(text: String, fingerprint: &[u8]) -> Result<Self, StorageError> {
        let fingerprint = <[u8; 32]>::try_from(fingerprint);
        let fingerprint = Fingerprint(fingerprint.map_err(corrupt("idempotency_fingerprint"))?);
        Self::new(text, fingerprint).map_err(corrupt("idempotency_key"))
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the creation asked for.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// A text that is no idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "an idempotency key has 1 to {} visible ASCII characters",
    IdempotencyKey::MAX_CHARS
)]
pub struct InvalidIdempotencyKey;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<IdempotencyKey, InvalidIdempotencyKey> {
        IdempotencyKey::new(text, Fingerprint([7; 32]))
    }

    #[test]
    fn a_stored_key_is_restored_or_corrupt() {
        let stored = key("k").unwrap();
        assert_eq!(stored.as_str(), "k");
        assert_eq!(IdempotencyKey::restore("k".to_owned(), &[7; 32]).unwrap(), stored);
        for (text, fingerprint) in [("k", &[][..]), ("k", &[7; 31]), ("a b", &[7; 32])] {
            let refused = IdempotencyKey::restore(text.to_owned(), fingerprint);
            assert!(matches!(refused, Err(StorageError::Corrupt(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_key_has_1_to_255_visible_ascii_characters() {
        assert!(key("8e03978e-40d5-43e8-bc93-6894a57f9324").is_ok());
        assert!(key(&"k".repeat(255)).is_ok());
        for text in [
            "",
            &"k".repeat(256),
            "with space",
            "tab\t",
            "é",
            "quo\"te",
            "back\\slash",
            "nul\0",
        ] {
            assert_eq!(key(text), Err(InvalidIdempotencyKey), "{text:?}");
        }
    }
}
