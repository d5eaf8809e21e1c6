use thiserror::Error;

use super::{Description, TaskParts};

/// Makes letter case meaningless: the one rule of every search on every storage.
///
/// Unicode's lower case, and then both forms of the small sigma are one: lower case alone depends on whether the
/// sigma ends a word, which the middle of a search term does not know.
#[must_use]
pub fn fold_case(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

/// What to look for in titles and descriptions: 1 to 100 Unicode scalar values without NUL, the white space around
/// them dropped. Every character stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchTerm {
    folded: String,
}

impl SearchTerm {
    /// The longest term, in Unicode scalar values.
    pub const MAX_CHARS: usize = 100;

    /// Reads a search term.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, SearchTermError> {
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            return Err(SearchTermError::Blank);
        }
        if length > Self::MAX_CHARS {
            return Err(SearchTermError::TooLong { length });
        }
        if text.contains('\0') {
            return Err(SearchTermError::Nul);
        }
        Ok(Self {
            folded: fold_case(text),
        })
    }

    /// Whether the title or the description of a task contains the term, whatever the letter case.
    #[must_use]
    pub fn is_in(&self, task: &TaskParts) -> bool {
        let is_in = |text: &str| fold_case(text).contains(&self.folded);
        is_in(task.title.as_str())
            || task
                .description
                .as_ref()
                .map(Description::as_str)
                .is_some_and(is_in)
    }

    /// The term, folded.
    #[must_use]
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Why a text is no search term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SearchTermError {
    /// Empty, or nothing but white space.
    #[error("the search term is blank")]
    Blank,
    /// Longer than [`SearchTerm::MAX_CHARS`].
    #[error(
        "the search term has {length} characters, more than {}",
        SearchTerm::MAX_CHARS
    )]
    TooLong {
        /// How long it is, in Unicode scalar values.
        length: usize,
    },
    /// Contains U+0000.
    #[error("the search term contains a NUL character")]
    Nul,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{a_task, an_owner};

    fn finds(term: &str, title: &str) -> bool {
        SearchTerm::parse(term)
            .unwrap()
            .is_in(a_task(&an_owner(), title).parts())
    }

    #[test]
    fn letter_case_does_not_matter_in_any_script() {
        assert!(finds("MILK", "Buy milk"));
        assert!(finds("école", "ÉCOLE"));
        assert!(finds("ДОМ", "дом"));
        assert!(finds("straße", "STRAẞE"));
        assert!(finds("i\u{307}", "İ"));
    }

    #[test]
    fn a_final_sigma_is_a_sigma() {
        assert!(finds("ΟΔΟΣ", "οδος"));
        assert!(finds("οδοσ", "ΟΔΟΣ"));
        assert!(finds("οδός μου", "ΟΔΌΣ ΜΟΥ"));
    }

    #[test]
    fn different_letters_stay_different() {
        assert!(!finds("ecole", "École"));
        assert!(!finds("ss", "ß"));
    }

    #[test]
    fn the_description_is_searched_too() {
        assert!(finds("BLUE ONE", "anything"));
    }

    #[test]
    fn wildcards_stand_for_themselves() {
        assert!(finds("50%", "50% off"));
        assert!(!finds("5_%", "50% off"));
    }

    #[test]
    fn storages_are_given_the_term_folded() {
        assert_eq!(SearchTerm::parse("ΟΔΟΣ MILK").unwrap().folded(), "οδοσ milk");
    }

    #[test]
    fn the_white_space_around_a_term_is_dropped_and_the_rest_is_measured() {
        assert_eq!(SearchTerm::parse("  a  b "), SearchTerm::parse("a  b"));
        assert_eq!(SearchTerm::parse(" \u{3000}"), Err(SearchTermError::Blank));
        assert!(SearchTerm::parse(&"é".repeat(100)).is_ok());
        assert_eq!(
            SearchTerm::parse(&"é".repeat(101)),
            Err(SearchTermError::TooLong { length: 101 })
        );
        assert_eq!(SearchTerm::parse("a\0b"), Err(SearchTermError::Nul));
    }

    proptest! {
        #[test]
        fn every_visible_part_of_a_title_is_found(title in "[!-~à-ÿА-я]{3,20}", from in 0_usize..2) {
            let part: String = title.chars().skip(from).take(2).collect();
            prop_assert!(finds(&part, &title));
            prop_assert!(finds(&part.to_uppercase(), &title) || part.to_uppercase().to_lowercase() != part.to_lowercase());
        }
    }
}
