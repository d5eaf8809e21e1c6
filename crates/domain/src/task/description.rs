use thiserror::Error;

/// What is to be done, at length: up to 10,000 Unicode scalar values of anything but NUL; kept exactly as it was
/// given, the empty text included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// The longest description, in Unicode scalar values.
    pub const MAX_CHARS: usize = 10_000;

    /// Reads a description.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, DescriptionError> {
        let text = text.into();
        let length = text.chars().count();
        if length > Self::MAX_CHARS {
            return Err(DescriptionError::TooLong { length });
        }
        // PostgreSQL cannot store U+0000 in a text.
        if text.contains('\0') {
            return Err(DescriptionError::Nul);
        }
        Ok(Self(text))
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to take away.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Why a text is no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// Longer than [`Description::MAX_CHARS`].
    #[error(
        "the description has {length} characters, more than {}",
        Description::MAX_CHARS
    )]
    TooLong {
        /// How long it is, in Unicode scalar values.
        length: usize,
    },
    /// Contains U+0000.
    #[error("the description contains a NUL character")]
    Nul,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_description_has_at_most_10_000_characters_however_many_bytes_they_take() {
        assert!(Description::parse("😀".repeat(10_000)).is_ok());
        assert_eq!(
            Description::parse("a".repeat(10_001)),
            Err(DescriptionError::TooLong { length: 10_001 })
        );
    }

    #[test]
    fn line_breaks_are_fine_and_nul_is_not() {
        assert!(Description::parse("first\n\tsecond\r\n").is_ok());
        assert_eq!(Description::parse("a\0b"), Err(DescriptionError::Nul));
    }

    proptest! {
        #[test]
        fn an_accepted_description_is_kept_exactly(text in any::<String>()) {
            if let Ok(description) = Description::parse(text.clone()) {
                prop_assert_eq!(description.as_str(), &text);
                prop_assert_eq!(description.into_string(), text);
            }
        }
    }
}
