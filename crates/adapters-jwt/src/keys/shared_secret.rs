use std::collections::HashSet;
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// A secret that Better Auth and this service share: the key of HS256 (RFC 7518 3.2).
///
/// The key is the UTF-8 bytes of the text exactly as they are; they are never base64-decoded. The text is wiped
/// from memory once the key is made, the key when it is dropped, and `Debug` shows neither.
#[derive(Clone)]
pub struct SharedSecret {
    length: usize,
    /// Made once: that costs nearly half of what a signature costs.
    key: hmac::Key,
}

impl SharedSecret {
    /// The shortest key that RFC 7518 3.2 allows for HS256, in bytes.
    pub const MIN_BYTES: usize = 32;

    /// The secret of a Better Auth without a configured one. Everyone can read it in its source.
    const PUBLISHED_DEFAULT: &str = "better-auth-secret-12345678901234567890";

    /// Takes a secret, short ones too: whether to go on with one that [is short](Self::is_short) is the caller's
    /// decision, because Better Auth itself only warns.
    ///
    /// # Errors
    /// [`InvalidSecret::Blank`] and [`InvalidSecret::PublishedDefault`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the text is wiped when it is dropped here"
    )]
    pub fn new(secret: SecretString) -> Result<Self, InvalidSecret> {
        match secret.expose_secret().trim() {
            "" => return Err(InvalidSecret::Blank),
            Self::PUBLISHED_DEFAULT => return Err(InvalidSecret::PublishedDefault),
            _ => {}
        }
        let bytes = secret.expose_secret().as_bytes();
        Ok(Self {
            length: bytes.len(),
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        })
    }

    /// Reads Better Auth's own rotation list, `BETTER_AUTH_SECRETS`: `2:new secret,1:old secret`, newest first.
    ///
    /// As in Better Auth, entries are separated by commas (a secret cannot contain one), the first colon of an entry
    /// ends its version number (a secret may contain more), and white space around an entry or a secret is dropped.
    /// The version must consist of digits; Better Auth would read `2x` as 2.
    ///
    /// ```
    /// use adapters_jwt::{InvalidSecret, SharedSecret};
    ///
    /// assert_eq!(SharedSecret::parse_versioned("2:the new secret,1:the old one")?.len(), 2);
    /// let error = SharedSecret::parse_versioned("without a version").err();
    /// assert_eq!(error, Some(InvalidSecret::NoVersion));
    /// # Ok::<(), InvalidSecret>(())
    /// ```
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
        self.length < Self::MIN_BYTES
    }

    /// Whether `signature` is this secret's HS256 signature of `message`, in constant time.
    pub(crate) fn verifies(&self, message: &str, signature: &[u8]) -> bool {
        hmac::verify(&self.key, message.as_bytes(), signature).is_ok()
    }

    /// This secret's HS256 signature of `message`, in base64url.
    pub(crate) fn sign(&self, message: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, message.as_bytes()))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(***)")
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
    /// The secret that Better Auth falls back to. It is public, so anyone could sign tokens with it.
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
        for signature in [&[][..], &[0; 31], &[0; 32], &[0; 33]] {
            assert!(!secret.verifies("header.claims", signature), "{signature:?}");
        }
    }

    /// RFC 4231 4.3, test case 2 of HMAC-SHA-256.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret = SharedSecret::new("Jefe".into()).unwrap();
        let message = "what do ya want for nothing?";
        let signature = secret.sign(message);
        assert_eq!(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
        assert!(secret.verifies(message, &URL_SAFE_NO_PAD.decode(signature).unwrap()));
    }
}
