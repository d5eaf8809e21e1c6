//! Values that are probably not what was meant: in quotation marks, or with white space at an end.

/// The oddity of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// It begins and ends with the same quotation mark. A shell and `.env` take them away; `docker --env-file`, files
    /// and most forms for settings of a hosting service do not.
    Quoted,
    /// There is white space or a line break at an end of it.
    Spaced,
}

impl Oddity {
    /// The oddity of a value; `None` for most.
    pub(super) fn of(value: &str) -> Option<Self> {
        let text = value.trim();
        let mut signs = text.chars();
        let quote = signs.next().filter(|sign| matches!(sign, '\'' | '"' | '`'));
        if quote.is_some() && quote == signs.next_back() {
            Some(Self::Quoted)
        } else if text.len() < value.len() {
            Some(Self::Spaced)
        } else {
            None
        }
    }

    /// A sentence about the value of a variable, or about what the file contains that it names. Shows nothing of it.
    pub(super) fn sentence(self, variable: &str, is_trimmed: bool) -> String {
        let place = if variable.ends_with("_FILE") {
            format!("what the file of {variable} contains")
        } else {
            variable.to_owned()
        };
        match (self, is_trimmed) {
            (Self::Quoted, _) => {
                format!(
                    "{place} is in quotation marks, and they are a part of the value: remove them if they are not meant"
                )
            }
            (Self::Spaced, false) => format!(
                "{place} has white space or a line break at an end, which is a part of the value: remove it if it is \
                 not meant"
            ),
            (Self::Spaced, true) => {
                format!("{place} has white space or a line break at an end, which is ignored")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_odd_in_quotation_marks_or_with_white_space_at_an_end() {
        for value in ["\"a\"", "'a'", "`a`", "''", " \"a\" ", "\"a\"\n", "\"a\" \"b\""] {
            assert_eq!(Oddity::of(value), Some(Oddity::Quoted), "{value:?}");
        }
        for value in [" a", "a ", "a\t", "a\r", "a\n", "\n\na", "\u{a0}a", " \"a"] {
            assert_eq!(Oddity::of(value), Some(Oddity::Spaced), "{value:?}");
        }
        for value in ["a", "a b", "a\nb", "\"", "\"a", "a\"", "\"a'", "a\"b\"", "a\"b"] {
            assert_eq!(Oddity::of(value), None, "{value:?}");
        }
    }
}
