//! Step 2: the header (RFC 7515 4). It is unsigned so far, so it may only narrow what we do, never widen it:
//! `jwk`, `jku`, `x5u` and `x5c`, which would bring their own key, are not even read.

use domain::identity::{Refusal, RefusalReason};
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::fields::Fields;
use crate::settings::Algorithms;

/// The longest key id that is read, in characters.
const MAX_KEY_ID_CHARS: usize = 512;

/// Whether a text can be the id of a key, in a header or in a key set.
pub(crate) fn is_sound_key_id(text: &str) -> bool {
    (1..=MAX_KEY_ID_CHARS).contains(&text.chars().count())
}

/// A kind of token that can be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// A plain JSON Web Token.
    Jwt,
    /// An OAuth access token (RFC 9068).
    Access,
}

impl TokenType {
    /// A media type, whose `application/` may be left out (RFC 7515 4.1.9); its letters may be of either case.
    fn named(typ: &str) -> Option<Self> {
        const PREFIX: &str = "application/";
        let subtype = match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => typ,
        };
        if subtype.eq_ignore_ascii_case("JWT") {
            Some(Self::Jwt)
        } else if subtype.eq_ignore_ascii_case("at+jwt") {
            Some(Self::Access)
        } else {
            None
        }
    }
}

/// The fields of a header that we look at.
pub(crate) struct Header(Fields<'static>);

impl Header {
    const MAX_LOGGED_CHARS: usize = 64;

    pub(crate) fn read(json: &[u8]) -> Result<Self, Refusal> {
        Fields::read(json, &["alg", "b64", "crit", "kid", "typ"])
            .map(Self)
            .ok_or(Refusal::new(RefusalReason::Malformed))
    }

    /// The algorithm that the token says it is signed with, and the kind of token that it says it is. A key has to
    /// agree with the algorithm before it is used.
    pub(crate) fn check(&self, allowed: &Algorithms) -> Result<(Algorithm, TokenType), Refusal> {
        let name = self.0.text("alg").ok_or(Refusal::new(RefusalReason::Malformed))?;
        let algorithm = Algorithm::named(name)
            .filter(|algorithm| allowed.allow(*algorithm))
            .ok_or(Refusal::new(RefusalReason::AlgorithmNotAllowed))?;
        let token_type = self.token_type().ok_or(Refusal::new(RefusalReason::BadType))?;
        // `b64` (RFC 7797) changes which bytes are signed; it is only ever allowed together with `crit`.
        if self.0.has("crit") || self.0.has("b64") {
            return Err(Refusal::new(RefusalReason::CriticalExtension));
        }
        if !self.has_sound_key_id() {
            return Err(Refusal::new(RefusalReason::Malformed));
        }
        Ok((algorithm, token_type))
    }

    /// Better Auth writes no `typ` into the tokens of its jwt plugin, but one into its cookies, access and logout
    /// tokens.
    fn token_type(&self) -> Option<TokenType> {
        match self.0.get("typ") {
            None => Some(TokenType::Jwt),
            Some(Value::String(typ)) => TokenType::named(typ),
            Some(_) => None,
        }
    }

    fn has_sound_key_id(&self) -> bool {
        match self.0.get("kid") {
            None => true,
            Some(Value::String(kid)) => is_sound_key_id(kid),
            Some(_) => false,
        }
    }

    /// The id of the key that the token says it is signed with.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.0.text("kid")
    }

    /// Adds what the header says about algorithm and key, as the sender's text: short, and without anything that
    /// could forge a line of the log.
    pub(crate) fn describe(&self, refusal: Refusal) -> Refusal {
        Refusal {
            algorithm: self.0.text("alg").map(for_the_log),
            key_id: self.key_id().map(for_the_log),
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
