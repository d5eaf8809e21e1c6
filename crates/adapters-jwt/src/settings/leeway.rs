//! How far clocks may be apart.

use chrono::TimeDelta;

use super::InvalidSetting;
use super::error::MAX_LEEWAY_SECS;

/// How far the clock of the issuer may be off: 0 to 60 whole seconds, 0 by default. Counts for `exp` and for `nbf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leeway(u8);

impl Leeway {
    /// The longest leeway, in seconds. "No more than a few minutes", says RFC 7519 4.1.4; one is plenty.
    pub const MAX_SECS: u8 = MAX_LEEWAY_SECS;

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
