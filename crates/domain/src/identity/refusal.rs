use std::fmt;

/// What the one audit line about a refused token says. It holds nothing that a claim or the signature said, and
/// nothing of it is for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, as a stable code.
    pub reason: RefusalReason,
    /// `alg` of the token's header, if the header could be read. A stranger's text, so it MUST be escaped and cut to at
    /// most 64 characters: it goes into the log as it is.
    pub algorithm: Option<String>,
    /// `kid` of the token's header, if it has one. MUST be escaped and cut likewise.
    pub key_id: Option<String>,
    /// For a wrong issuer or audience: what the configuration asks for.
    pub wanted: Option<String>,
    /// What usually causes this and what to do about it.
    pub hint: Option<&'static str>,
}

impl Refusal {
    /// A refusal about which nothing but its reason is known.
    #[must_use]
    pub fn new(reason: RefusalReason) -> Self {
        Self {
            reason,
            algorithm: None,
            key_id: None,
            wanted: None,
            hint: None,
        }
    }

    /// Adds what usually causes this and what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())
    }
}

macro_rules! refusal_reasons {
    ($($(#[$doc:meta])* $variant:ident => $code:literal,)+) => {
        /// Why a token was refused, as a stable code for logs and metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RefusalReason {
            $($(#[$doc])* $variant,)+
        }

        impl RefusalReason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code that stands in logs and metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }
    };
}

refusal_reasons! {
    /// There was no bearer token at all.
    Missing => "missing",
    /// Not one well-formed JSON Web Token in one well-formed header.
    Malformed => "malformed",
    /// Longer than the verifier reads.
    TooLarge => "too_large",
    /// A session token, which is no JSON Web Token.
    OpaqueSessionToken => "opaque_session_token",
    /// Encrypted (five parts) instead of signed.
    Encrypted => "encrypted",
    /// Signed with an algorithm that is not accepted, or not the one of the key.
    AlgorithmNotAllowed => "alg_not_allowed",
    /// Signed with an algorithm for which no key is configured.
    NoKeySource => "no_key_source",
    /// Signed with a key that no one published.
    UnknownKey => "unknown_kid",
    /// The signature does not match.
    BadSignature => "bad_signature",
    /// `exp` has passed.
    Expired => "expired",
    /// `nbf` lies in the future.
    NotYetValid => "not_yet_valid",
    /// `exp` is missing or no number.
    NoExpiry => "no_exp",
    /// `iss` is missing or not the configured one.
    BadIssuer => "bad_issuer",
    /// `aud` is missing or does not name us.
    BadAudience => "bad_audience",
    /// `typ` says that this is another kind of token, or `cnf` binds it to a key we cannot check.
    BadType => "bad_type",
    /// An access token without the scope that is required.
    MissingScope => "missing_scope",
    /// An access token of a client that acts for itself, not for a user.
    NoUser => "no_user",
    /// Carries critical extensions (RFC 7515 4.1.11), of which we know none.
    CriticalExtension => "crit",
    /// Names no user.
    NoUserId => "no_user_id",
    /// Names a user in a form that cannot be one.
    BadUserId => "bad_user_id",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_written_as_its_code_and_keeps_its_hint() {
        let refusal = Refusal::new(RefusalReason::BadSignature).with_hint("compare the secrets");
        assert_eq!(refusal.to_string(), "bad_signature");
        assert_eq!(refusal.hint, Some("compare the secrets"));
    }
}
