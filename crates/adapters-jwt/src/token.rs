//! Step 1: the outer form of a token, before a single byte of it means anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::identity::{Refusal, RefusalReason};

/// The longest token that is read, in bytes: 16 KiB. Whatever a longer one says, it is refused unread.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

const TOO_LARGE_HINT: &str = "Better Auth puts the whole user into the JWT; use definePayload";
const SESSION_TOKEN_HINT: &str = "send the JWT of GET /api/auth/token, not the session token";

/// The parts of a JSON Web Signature in its compact form (RFC 7515 3.1), decoded but not believed.
pub(crate) struct CompactToken<'a> {
    /// All of it, as it was sent.
    pub(crate) text: &'a str,
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Vec<u8>,
    /// The signed part: `header.claims` as it was sent.
    pub(crate) signed: &'a str,
    /// The signature, still in base64url, as jsonwebtoken wants it.
    pub(crate) signature: &'a str,
    pub(crate) signature_bytes: Vec<u8>,
}

impl<'a> CompactToken<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::new(RefusalReason::TooLarge).with_hint(TOO_LARGE_HINT));
        }
        match in_three(token) {
            Some((signed, header, claims, signature)) => Ok(Self {
                text: token,
                header: segment(header)?,
                claims: segment(claims)?,
                signed,
                signature,
                signature_bytes: segment(signature)?,
            }),
            None => Err(not_in_three(token)),
        }
    }
}

/// The signed part, its header and claims, and the signature of a text with two dots.
fn in_three(token: &str) -> Option<(&str, &str, &str, &str)> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    (!claims.contains('.')).then_some((signed, header, claims, signature))
}

/// Why a text has not two dots.
fn not_in_three(token: &str) -> Refusal {
    if token.is_empty() || !token.bytes().all(is_bearer_byte) {
        return malformed();
    }
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    match *parts.as_slice() {
        // RFC 7516 3.1; its second part may be empty.
        [_, _, _, _, _] => Refusal::new(RefusalReason::Encrypted),
        [_] => session_token(),
        [id, _] if is_session_id(id) => session_token(),
        _ => malformed(),
    }
}

/// Base64url without padding (RFC 7515 2), which has fewer characters than a bearer token may have. The engine also
/// refuses bits that are left over after the last byte, so that each token has one spelling only.
fn segment(text: &str) -> Result<Vec<u8>, Refusal> {
    if text.is_empty() {
        return Err(malformed());
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())
}

/// The characters of a bearer token, `b64token` in RFC 6750 2.1.
fn is_bearer_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// Better Auth's session tokens are 32 letters and digits, in a cookie followed by a dot and a signature.
fn is_session_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn session_token() -> Refusal {
    Refusal::new(RefusalReason::OpaqueSessionToken).with_hint(SESSION_TOKEN_HINT)
}

fn malformed() -> Refusal {
    Refusal::new(RefusalReason::Malformed)
}
