use thiserror::Error;

/// What is to be done, in a line: 1 to 255 Unicode scalar values, not blank, without control characters; kept
/// exactly as it was given.
///
/// Scalar values are what JSON Schema's `maxLength` and PostgreSQL's `char_length` count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// The longest title, in Unicode scalar values.
    pub const MAX_CHARS: usize = 255;

    /// Reads a title that is written.
    ///
    /// ```
    /// use domain::task::{Title, TitleError};
    ///
    /// assert_eq!(Title::parse(" Buy milk")?.as_str(), " Buy milk");
    /// assert_eq!(Title::parse(" "), Err(TitleError::Blank));
    /// # Ok::<(), TitleError>(())
    /// ```
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, TitleError> {
        let text = text.into();
        let length = text.chars().count();
        if length > Self::MAX_CHARS {
            return Err(TitleError::TooLong { length });
        }
        if text.chars().any(is_control) {
            return Err(TitleError::ControlCharacter);
        }
        if text.chars().all(is_invisible) {
            return Err(TitleError::Blank);
        }
        Ok(Self(text))
    }

    /// Reads a title that was stored, perhaps by a version that took more: characters that are invisible alone, and the
    /// separators of lines and paragraphs.
    ///
    /// ```
    /// use domain::task::Title;
    ///
    /// assert!(Title::parse("\u{200b}").is_err());
    /// assert!(Title::stored("\u{200b}").is_ok());
    /// # Ok::<(), domain::task::TitleError>(())
    /// ```
    ///
    /// # Errors
    /// No version has stored such a text.
    pub fn stored(text: impl Into<String>) -> Result<Self, TitleError> {
        let text = text.into();
        let length = text.chars().count();
        if length > Self::MAX_CHARS {
            return Err(TitleError::TooLong { length });
        }
        if text.chars().any(char::is_control) {
            return Err(TitleError::ControlCharacter);
        }
        if text.chars().all(char::is_whitespace) {
            return Err(TitleError::Blank);
        }
        Ok(Self(text))
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What lists are sorted by.
    #[must_use]
    pub fn start(&self) -> TitleStart {
        TitleStart(self.0.chars().take(TitleStart::MAX_CHARS).collect())
    }

    /// The text, to take away.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Control characters, line breaks and the separators of lines and paragraphs (U+2028, U+2029).
fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// White space, and what is nothing to see when it stands alone: joiners, marks of direction, fillers, variation
/// selectors.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
        )
}

/// The first characters of a title. Lists are sorted by them, so that a position in a list stays short: anyone who asks
/// for the next page sends it in a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TitleStart(String);

impl TitleStart {
    /// So many characters of a title count, in Unicode scalar values.
    pub const MAX_CHARS: usize = 64;

    /// Reads what [`Title::start`] has given. It may be blank, unlike the title.
    ///
    /// ```
    /// use domain::task::{Title, TitleStart};
    ///
    /// let start = Title::parse("Buy milk")?.start();
    /// assert_eq!(TitleStart::parse("Buy milk"), Some(start));
    /// assert_eq!(TitleStart::parse(""), None);
    /// # Ok::<(), domain::task::TitleError>(())
    /// ```
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let is_start =
            (1..=Self::MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        is_start.then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TitleError {
    /// Empty, or nothing to see: white space (Unicode `White_Space`) and characters that are invisible alone.
    #[error("the title is blank")]
    Blank,
    /// Longer than [`Title::MAX_CHARS`].
    #[error("the title has {length} characters, more than {}", Title::MAX_CHARS)]
    TooLong {
        /// How long it is, in Unicode scalar values.
        length: usize,
    },
    /// Contains a control character (Unicode general category `Cc`) or a separator of lines or paragraphs (`Zl`, `Zp`).
    #[error("the title contains a control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_title_has_at_most_255_characters_however_many_bytes_they_take() {
        assert!(Title::parse("é".repeat(255)).is_ok());
        assert!(Title::parse("😀".repeat(255)).is_ok());
        assert_eq!(
            Title::parse("é".repeat(256)),
            Err(TitleError::TooLong { length: 256 })
        );
    }

    #[test]
    fn a_blank_title_is_refused() {
        for blank in ["", " ", "\u{3000}\u{a0}", "\u{2003}"] {
            assert_eq!(Title::parse(blank), Err(TitleError::Blank), "{blank:?}");
        }
    }

    #[test]
    fn control_characters_are_refused_before_blankness() {
        for text in ["\n", "a\tb", "a\0", "\u{7f}", "x\u{85}"] {
            assert_eq!(Title::parse(text), Err(TitleError::ControlCharacter), "{text:?}");
        }
    }

    #[test]
    fn characters_that_are_invisible_alone_are_blank_alone() {
        for text in [
            "\u{200b}",
            "\u{ad} \u{34f}",
            "\u{115f}\u{1160}",
            "\u{17b4}\u{17b5}",
            "\u{180b}\u{180e}",
            "\u{200f}",
            "\u{2060}\u{2064}",
            "\u{2800}",
            "\u{3164}",
            "\u{fe0f}",
            "\u{feff}",
            "\u{ffa0}",
            "\u{e0100}",
        ] {
            assert_eq!(Title::parse(text), Err(TitleError::Blank), "{text:?}");
            assert!(Title::stored(text).is_ok(), "{text:?}");
            assert!(Title::parse(format!("a{text}")).is_ok(), "{text:?}");
        }
        assert!(Title::parse("مرحبا\u{202e}").is_ok());
        assert!(Title::parse("❤\u{fe0f}").is_ok());
    }

    #[test]
    fn separators_of_lines_are_refused_where_they_are_written_and_read_where_they_are_stored() {
        for text in ["a\u{2028}b", "\u{2029}"] {
            assert_eq!(Title::parse(text), Err(TitleError::ControlCharacter), "{text:?}");
        }
        assert_eq!(
            Title::stored("a\u{2028}b").map(Title::into_string),
            Ok("a\u{2028}b".to_owned())
        );
        for text in ["", " ", "a\nb"] {
            assert!(Title::stored(text).is_err(), "{text:?}");
        }
        assert!(Title::stored("é".repeat(256)).is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_title_is_kept_exactly(text in any::<String>()) {
            if let Ok(title) = Title::parse(text.clone()) {
                prop_assert_eq!(title.as_str(), text);
            }
        }

        #[test]
        fn a_title_of_visible_characters_within_the_limit_is_accepted(text in "[!-~é-ÿ]{1,255}") {
            prop_assert!(Title::parse(text).is_ok());
        }
    }
}
