//! What an operator decides about tokens, in types that cannot hold a dangerous choice. Only the
//! times of [`KeySetTiming`] are taken as they are.

mod key_set;
mod party;
mod user_id_claims;

use chrono::TimeDelta;
use thiserror::Error;

pub use key_set::{BetterAuthUrl, KeySetSettings, KeySetTiming, KeySetUrl};
pub use party::Party;
pub use user_id_claims::UserIdClaims;

use crate::algorithm::Algorithms;
use crate::keys::SharedSecret;

/// Which tokens to accept. The default accepts none: it has no key.
#[derive(Debug, Clone, Default)]
pub struct VerifierSettings {
    /// Each of them verifies HS256 tokens, so that a secret can be changed without signing everybody out.
    pub secrets: Vec<SharedSecret>,
    /// With which algorithms tokens may be signed at all.
    pub algorithms: Algorithms,
    /// Who may have issued a token. Empty: `iss` is not checked. Otherwise **every** token must name one of them.
    pub issuers: Vec<Party>,
    /// Whom a token may be meant for. Empty: `aud` is not checked. Otherwise **every** token must name one of them.
    pub audiences: Vec<Party>,
    /// The claims that may hold the user id, in order.
    pub user_id_claims: UserIdClaims,
    /// How far the clock of the issuer may be off.
    pub leeway: Leeway,
}

/// How far the clock of the issuer may be off: 0 to 60 whole seconds, 0 by default. Counts for `exp` and for `nbf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leeway(u8);

impl Leeway {
    /// The longest leeway, in seconds. "No more than a few minutes", says RFC 7519 4.1.4; one is plenty.
    pub const MAX_SECS: u8 = 60;

    /// Reads a leeway.
    ///
    /// # Errors
    /// [`InvalidSetting::LeewayTooLong`] above [`Leeway::MAX_SECS`].
    pub fn from_secs(secs: u64) -> Result<Self, InvalidSetting> {
        u8::try_from(secs)
            .ok()
            .filter(|secs| *secs <= Self::MAX_SECS)
            .map(Self)
            .ok_or(InvalidSetting::LeewayTooLong)
    }

    pub(crate) fn as_delta(self) -> TimeDelta {
        TimeDelta::seconds(self.0.into())
    }
}

/// Why something cannot be a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSetting {
    /// An issuer or an audience without a name. A token could match it by saying nothing.
    #[error("an issuer or audience is blank")]
    BlankParty,
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
    /// More than [`Leeway::MAX_SECS`].
    #[error("the leeway is longer than {} seconds", Leeway::MAX_SECS)]
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
