//! The operator's settings for tokens, in types that cannot hold a dangerous choice. Only the
//! times of [`KeySetTiming`] are taken as they are.

mod algorithms;
mod error;
mod key_set;
mod leeway;
mod party;
mod scope;
mod user_id_claims;

pub use algorithms::Algorithms;
pub use error::InvalidSetting;
pub use key_set::{BetterAuthUrl, KeySetSettings, KeySetTiming, KeySetUrl};
pub use leeway::Leeway;
pub use party::Party;
pub use scope::Scope;
pub use user_id_claims::UserIdClaims;

use crate::keys::SharedSecret;

/// Which tokens to accept. The default accepts none: it has no key.
#[derive(Debug, Clone, Default)]
pub struct VerifierSettings {
    /// Each of them verifies HS256 tokens, so that a secret can be changed without signing everyone out.
    pub secrets: Vec<SharedSecret>,
    /// With which algorithms tokens may be signed at all.
    pub algorithms: Algorithms,
    /// Who may have issued a token. Empty: `iss` is not checked. Otherwise **every** token must name one of them.
    pub issuers: Vec<Party>,
    /// Whom a token may be meant for. Empty: `aud` is not checked. Otherwise **every** token must name one of them.
    pub audiences: Vec<Party>,
    /// The scope that OAuth access tokens (`typ` is `at+jwt`, RFC 9068) must have. They are accepted only if there are
    /// audiences too, and only signed with a key pair. `None`: none of them is accepted.
    pub required_scope: Option<Scope>,
    /// The claims that may hold the user id, in order.
    pub user_id_claims: UserIdClaims,
    /// How far the clock of the issuer may be off.
    pub leeway: Leeway,
}
