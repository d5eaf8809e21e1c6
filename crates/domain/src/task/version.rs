use std::fmt;

use thiserror::Error;

/// Counts the changes of a task, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(i32);

impl Version {
    /// The version of a new task.
    pub const FIRST: Self = Self(1);

    /// Takes a number as a version.
    ///
    /// # Errors
    /// The number is less than 1.
    pub fn new(number: i32) -> Result<Self, InvalidVersion> {
        if number >= 1 {
            Ok(Self(number))
        } else {
            Err(InvalidVersion)
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }

    /// The version after the next change. It stops at [`i32::MAX`], after some two thousand million changes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is the version of no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a version is at least 1")]
pub struct InvalidVersion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_start_at_1_and_grow_by_1() {
        assert_eq!(Version::new(1), Ok(Version::FIRST));
        assert_eq!(Version::FIRST.next().get(), 2);
        assert_eq!(Version::FIRST.next().to_string(), "2");
    }

    #[test]
    fn zero_and_below_are_no_versions() {
        assert_eq!(Version::new(0), Err(InvalidVersion));
        assert_eq!(Version::new(-1), Err(InvalidVersion));
    }
}
