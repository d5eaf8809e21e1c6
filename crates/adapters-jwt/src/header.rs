//! Step 2: the header (RFC 7515 4). It is unsigned so far, so it may only narrow what we do, never widen it:
//! `jwk`, `jku`, `x5u` and `x5c`, which would bring their own key, are not even read.

use domain::identity::{Refusal, RefusalReason};
use serde_json::Value;

use crate::members::Members;

/// Whose key signs with an algorithm. A key belongs to one family, so a public key can never be taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFamily {
    /// HS256: whoever can verify can also sign.
    SharedSecret,
    /// A key pair; the public half verifies.
    KeyPair,
}

impl KeyFamily {
    /// The algorithms of Better Auth and no others: not `none`, not HS384, not Ed448.
    fn of(algorithm: &str) -> Option<Self> {
        match algorithm {
            "HS256" => Some(Self::SharedSecret),
            // `Ed25519` is the name of RFC 9864 for what RFC 8037 calls `EdDSA`.
            "EdDSA" | "Ed25519" | "ES256" | "ES384" | "ES512" | "RS256" | "PS256" => Some(Self::KeyPair),
            _ => None,
        }
    }
}

/// The members of a header that we look at.
pub(crate) struct Header(Members);

impl Header {
    const MAX_KEY_ID_CHARS: usize = 512;
    const MAX_LOGGED_CHARS: usize = 64;

    pub(crate) fn read(json: &[u8]) -> Result<Self, Refusal> {
        Members::read(json, &["alg", "b64", "crit", "kid", "typ"]).map(Self)
    }

    /// Which keys may verify this token.
    pub(crate) fn check(&self) -> Result<KeyFamily, Refusal> {
        let algorithm = self.0.text("alg").ok_or(Refusal::new(RefusalReason::Malformed))?;
        let family = KeyFamily::of(algorithm).ok_or(Refusal::new(RefusalReason::AlgorithmNotAllowed))?;
        if !self.is_plain_jwt() {
            return Err(Refusal::new(RefusalReason::BadType));
        }
        // `b64` (RFC 7797) changes which bytes are signed; it is only ever allowed together with `crit`.
        if self.0.has("crit") || self.0.has("b64") {
            return Err(Refusal::new(RefusalReason::CriticalExtension));
        }
        if !self.has_sound_key_id() {
            return Err(Refusal::new(RefusalReason::Malformed));
        }
        Ok(family)
    }

    /// Better Auth writes no `typ` into the tokens meant for us, but one into its cookies, access and logout tokens.
    fn is_plain_jwt(&self) -> bool {
        match self.0.get("typ") {
            None => true,
            Some(Value::String(typ)) => typ.eq_ignore_ascii_case("JWT"),
            Some(_) => false,
        }
    }

    fn has_sound_key_id(&self) -> bool {
        match self.0.get("kid") {
            None => true,
            Some(Value::String(kid)) => (1..=Self::MAX_KEY_ID_CHARS).contains(&kid.chars().count()),
            Some(_) => false,
        }
    }

    /// Adds what the header says about algorithm and key, as the sender's text: short, and without anything that
    /// could forge a line of the log.
    pub(crate) fn describe(&self, refusal: Refusal) -> Refusal {
        Refusal {
            algorithm: self.0.text("alg").map(for_the_log),
            key_id: self.0.text("kid").map(for_the_log),
            ..refusal
        }
    }
}

fn for_the_log(text: &str) -> String {
    text.chars()
        .flat_map(char::escape_debug)
        .take(Header::MAX_LOGGED_CHARS)
        .collect()
}
