//! Why a setting is refused.

use thiserror::Error;

/// The longest leeway; here because the error names it.
pub(super) const MAX_LEEWAY_SECS: u8 = 60;

/// Why something cannot be a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSetting {
    /// An issuer or an audience without a name. A token could match it by saying nothing.
    #[error("an issuer or audience is blank")]
    BlankParty,
    /// Not the name of one scope.
    #[error("a scope is one word of printable ASCII, without quotation marks and backslashes")]
    BadScope,
    /// No claim may hold the user id, so no token could name a user.
    #[error("the list of user id claims is empty")]
    NoUserIdClaim,
    /// A claim without a name.
    #[error("a user id claim is blank")]
    BlankUserIdClaim,
    /// A claim stands twice in the list.
    #[error("a user id claim is repeated")]
    RepeatedUserIdClaim,
    /// A claim that does not name the user safely.
    #[error("the claim `{name}` cannot be trusted to name the user")]
    UnsafeUserIdClaim {
        /// Which one.
        name: &'static str,
    },
    /// More than [`Leeway::MAX_SECS`](super::Leeway::MAX_SECS).
    #[error("the leeway is longer than {} seconds", MAX_LEEWAY_SECS)]
    LeewayTooLong,
    /// No algorithm is accepted, so no token could be.
    #[error("the list of algorithms is empty")]
    NoAlgorithm,
    /// An algorithm that this crate never accepts.
    #[error("the list of algorithms may hold HS256, EdDSA, ES256, ES384, ES512, RS256 and PS256")]
    UnknownAlgorithm,
    /// Not the address of something on the web.
    #[error("it is no URL that begins with http:// or https://")]
    NoHttpUrl,
    /// A user name or password in an address. It would show up in logs sooner or later.
    #[error("a URL with a user name or password in it is not accepted")]
    Credentials,
}
