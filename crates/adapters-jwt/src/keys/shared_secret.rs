use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::choose_provider;

/// A secret that Better Auth and this service share: the key of HS256 (RFC 7518 3.2).
///
/// The key is the UTF-8 bytes of the text exactly as they are; they are never base64-decoded. The text is wiped
/// from memory when it is dropped, and `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct SharedSecret(SecretString);

impl SharedSecret {
    /// The shortest key that RFC 7518 3.2 allows for HS256, in bytes.
    pub const MIN_BYTES: usize = 32;

    /// What Better Auth signs with when nobody configured a secret. Everybody can read it in its source.
    const PUBLISHED_DEFAULT: &str = "better-auth-secret-12345678901234567890";

    /// Takes a secret, short ones too: whether to go on with one that [is short](Self::is_short) is the caller's
    /// decision, because Better Auth itself only warns.
    ///
    /// # Errors
    /// [`InvalidSecret::Blank`] and [`InvalidSecret::PublishedDefault`].
    pub fn new(secret: SecretString) -> Result<Self, InvalidSecret> {
        match secret.expose_secret().trim() {
            "" => return Err(InvalidSecret::Blank),
            Self::PUBLISHED_DEFAULT => return Err(InvalidSecret::PublishedDefault),
            _ => {}
        }
        choose_provider();
        Ok(Self(secret))
    }

    /// Reads Better Auth's own rotation list, `BETTER_AUTH_SECRETS`: `2:new secret,1:old secret`, newest first.
    ///
    /// As in Better Auth, entries are separated by commas (a secret cannot contain one), the first colon of an entry
    /// ends its version number (a secret may contain more), and white space around an entry or a secret is dropped.
    /// The version must consist of digits; Better Auth would read `2x` as 2.
    ///
    /// # Errors
    /// [`InvalidSecret::NoVersion`] (an empty list too), [`InvalidSecret::RepeatedVersion`] and those of
    /// [`SharedSecret::new`], for the first entry that is wrong.
    pub fn parse_versioned(list: &str) -> Result<Vec<Self>, InvalidSecret> {
        let mut versions = HashSet::new();
        list.split(',')
            .map(|entry| {
                let (version, secret) = entry.split_once(':').ok_or(InvalidSecret::NoVersion)?;
                if !versions.insert(version_number(version)?) {
                    return Err(InvalidSecret::RepeatedVersion);
                }
                Self::new(secret.trim().into())
            })
            .collect()
    }

    /// Whether the secret has fewer than [`SharedSecret::MIN_BYTES`] bytes and so deserves a loud warning.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.bytes().len() < Self::MIN_BYTES
    }

    /// Whether `signature` (base64url) is this secret's HS256 signature of `message`, in constant time.
    pub(crate) fn verifies(&self, message: &str, signature: &str) -> bool {
        let key = DecodingKey::from_secret(self.bytes());
        crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256).unwrap_or(false)
    }

    /// This secret's HS256 signature of `message`, in base64url.
    pub(crate) fn sign(&self, message: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_secret(self.bytes());
        crypto::sign(message.as_bytes(), &key, Algorithm::HS256)
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

fn version_number(text: &str) -> Result<u32, InvalidSecret> {
    let digits = text.trim();
    // `parse` alone would take `+2` as well.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidSecret::NoVersion);
    }
    digits.parse().map_err(|_| InvalidSecret::NoVersion)
}

/// Why a text is no shared secret, or no list of them. The message never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSecret {
    /// Empty, or nothing but white space.
    #[error("the shared secret is blank")]
    Blank,
    /// The secret that Better Auth falls back to. It is public, so anybody could sign tokens with it.
    #[error("the shared secret is the published default of Better Auth; choose your own")]
    PublishedDefault,
    /// An entry of the rotation list does not start with a version number and a colon.
    #[error("an entry of the list of secrets is not of the form `<version>:<secret>`")]
    NoVersion,
    /// Two entries of the rotation list have the same version number.
    #[error("two entries of the list of secrets have the same version")]
    RepeatedVersion,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_signature_is_a_wrong_one() {
        let secret = SharedSecret::new("correct horse battery staple, 32+".into()).unwrap();
        for signature in ["", "=", "no base64", "AAAA"] {
            assert!(!secret.verifies("header.claims", signature), "{signature}");
        }
    }

    /// RFC 4231 4.3, test case 2 of HMAC-SHA-256.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret = SharedSecret::new("Jefe".into()).unwrap();
        let signature = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM";
        assert!(secret.verifies("what do ya want for nothing?", signature));
        assert_eq!(secret.sign("what do ya want for nothing?").unwrap(), signature);
    }
}
