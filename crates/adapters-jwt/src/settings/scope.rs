use std::fmt;

use super::InvalidSetting;

/// One scope of an OAuth access token (RFC 6749 3.3): printable ASCII without a space, `"` or `\\`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Reads the name of a scope.
    ///
    /// # Errors
    /// [`InvalidSetting::BadScope`] if it is empty or has another character.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let is_sound = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.is_empty() || !text.bytes().all(is_sound) {
            return Err(InvalidSetting::BadScope);
        }
        Ok(Self(text.to_owned()))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the claim `scope`, a list with spaces in between (RFC 9068 2.2.3), has it.
    pub(crate) fn is_in(&self, claim: &str) -> bool {
        claim.split(' ').any(|scope| scope == self.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
