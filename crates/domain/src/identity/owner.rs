use std::sync::Arc;

use thiserror::Error;

/// The user that a task belongs to: the opaque user id of the token, compared byte for byte.
///
/// 1 to 255 Unicode scalar values, not blank, without control characters. Never trimmed, never case-folded: an
/// e-mail address, a UUID and a short random string are all fine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// The longest user id, in Unicode scalar values.
    pub const MAX_CHARS: usize = 255;

    /// Reads a user id.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidOwner> {
        if text.trim().is_empty() {
            return Err(InvalidOwner::Blank);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidOwner::ControlCharacter);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidOwner::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The user id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidOwner {
    /// Empty, or nothing but white space.
    #[error("the user id is blank")]
    Blank,
    /// Longer than [`Owner::MAX_CHARS`].
    #[error("the user id is longer than {} characters", Owner::MAX_CHARS)]
    TooLong,
    /// Contains a control character.
    #[error("the user id contains a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_blank_user_id_is_refused() {
        assert_eq!(Owner::parse(""), Err(InvalidOwner::Blank));
        assert_eq!(Owner::parse(" \u{3000}"), Err(InvalidOwner::Blank));
    }

    #[test]
    fn a_user_id_has_at_most_255_characters_however_many_bytes_they_take() {
        assert!(Owner::parse(&"😀".repeat(255)).is_ok());
        assert_eq!(Owner::parse(&"a".repeat(256)), Err(InvalidOwner::TooLong));
    }

    #[test]
    fn control_characters_are_refused() {
        assert_eq!(Owner::parse("a\0"), Err(InvalidOwner::ControlCharacter));
        assert_eq!(Owner::parse("a\u{85}"), Err(InvalidOwner::ControlCharacter));
    }

    #[test]
    fn owners_differ_by_case_and_by_surrounding_space() {
        assert_ne!(Owner::parse("alice"), Owner::parse("Alice"));
        assert_ne!(Owner::parse("alice"), Owner::parse("alice "));
    }

    proptest! {
        #[test]
        fn an_accepted_user_id_is_kept_exactly(text in any::<String>()) {
            if let Ok(owner) = Owner::parse(&text) {
                prop_assert_eq!(owner.as_str(), text);
            }
        }
    }
}
