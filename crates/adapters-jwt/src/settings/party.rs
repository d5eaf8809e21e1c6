use std::fmt;

use super::InvalidSetting;

/// An issuer or an audience: the origin of an application or any other text (`StringOrURI`, RFC 7519 2).
///
/// Compared character by character after dropping one trailing slash on both sides, because people write origins
/// both ways and Better Auth drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party(String);

impl Party {
    /// Reads the name of an issuer or an audience.
    ///
    /// # Errors
    /// [`InvalidSetting::BlankParty`] if nothing is left without the trailing slash.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let name = without_trailing_slash(text);
        if name.trim().is_empty() {
            return Err(InvalidSetting::BlankParty);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name, without its trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_named_by(&self, claim: &str) -> bool {
        self.0 == without_trailing_slash(claim)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn without_trailing_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}
