use thiserror::Error;

/// The most items a page may hold: 1 to 500, and 100 unless someone says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    /// The smallest page.
    pub const MIN: u16 = 1;
    /// The largest page.
    pub const MAX: u16 = 500;

    /// Takes a number as a limit.
    ///
    /// # Errors
    /// The number is out of range; it is never quietly replaced by another.
    pub fn new(number: i64) -> Result<Self, InvalidPageLimit> {
        match u16::try_from(number) {
            Ok(number @ Self::MIN..=Self::MAX) => Ok(Self(number)),
            _ if number < i64::from(Self::MIN) => Err(InvalidPageLimit::TooSmall),
            _ => Err(InvalidPageLimit::TooLarge),
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(100)
    }
}

/// Why a number is no page limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPageLimit {
    /// Less than [`PageLimit::MIN`].
    #[error("a page holds at least {} item", PageLimit::MIN)]
    TooSmall,
    /// More than [`PageLimit::MAX`].
    #[error("a page holds at most {} items", PageLimit::MAX)]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_refused_and_never_clamped() {
        assert_eq!(PageLimit::new(1).map(PageLimit::get), Ok(1));
        assert_eq!(PageLimit::new(500).map(PageLimit::get), Ok(500));
        assert_eq!(PageLimit::new(0), Err(InvalidPageLimit::TooSmall));
        assert_eq!(PageLimit::new(i64::MIN), Err(InvalidPageLimit::TooSmall));
        assert_eq!(PageLimit::new(501), Err(InvalidPageLimit::TooLarge));
        assert_eq!(PageLimit::new(i64::MAX), Err(InvalidPageLimit::TooLarge));
    }
}
