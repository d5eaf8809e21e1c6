//! What can go wrong in a storage, whatever it keeps.

use thiserror::Error;

use crate::Cause;

/// Why a storage could not do its part. Every port of a storage fails in these ways and in no others; what an operation
/// refuses in good order stands in an error of its own, such as [`crate::task::UpdateError`].
#[derive(Debug, Error)]
pub enum StorageError {
    /// The storage refused a value that the domain let through: a rule is missing in one of the two.
    #[error("the storage refused a value")]
    Refused(#[source] Cause),
    /// Too many callers use or wait for the storage; this one was turned away before it began.
    #[error("too many callers use the storage")]
    Busy,
    /// The storage took too long. Whether the change happened is not known.
    #[error("the storage took too long")]
    TimedOut(#[source] Cause),
    /// The storage is unavailable. Whether a change that was under way happened is not known.
    #[error("the storage is out of reach")]
    Unavailable(#[source] Cause),
    /// A stored row breaks a rule of the domain.
    #[error("a stored row breaks a rule")]
    Corrupt(#[source] Cause),
    /// A failure that should not exist.
    #[error("the storage failed in an unforeseen way")]
    Unexpected(#[source] Cause),
}

impl StorageError {
    /// The class of a failure that should not exist.
    pub const UNEXPECTED: &'static str = "unexpected";

    /// Every class of failures, for metrics and logs.
    pub const CLASSES: [&'static str; 6] = [
        "pool_exhausted",
        "timeout",
        "connection",
        "refused",
        "corrupt",
        Self::UNEXPECTED,
    ];

    /// The class of this failure.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Busy => "pool_exhausted",
            Self::TimedOut(_) => "timeout",
            Self::Unavailable(_) => "connection",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
            Self::Unexpected(_) => Self::UNEXPECTED,
        }
    }
}

/// What an adapter makes of a stored value that breaks a rule of the domain: [`StorageError::Corrupt`], whose cause
/// names the field and never the value.
pub fn corrupt<E: Into<Cause>>(field: &'static str) -> impl FnOnce(E) -> StorageError {
    move |source| {
        let source = source.into();
        StorageError::Corrupt(Box::new(ImpossibleValue { field, source }))
    }
}

/// A value that breaks the rules of its field.
#[derive(Debug, Error)]
#[error("a stored task has an impossible {field}")]
struct ImpossibleValue {
    field: &'static str,
    source: Cause,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Status;

    #[test]
    fn every_failure_has_one_of_the_classes() {
        let failures = [
            StorageError::Busy,
            StorageError::TimedOut("cause".into()),
            StorageError::Unavailable("cause".into()),
            StorageError::Refused("cause".into()),
            StorageError::Corrupt("cause".into()),
            StorageError::Unexpected("cause".into()),
        ];
        assert_eq!(failures.map(|error| error.class()), StorageError::CLASSES);
    }

    #[test]
    fn a_corrupt_value_is_told_by_its_field_and_never_shown() {
        let error = Status::parse("secret").map_err(corrupt("status")).unwrap_err();
        let StorageError::Corrupt(cause) = error else {
            panic!("{error:?}")
        };
        assert_eq!(cause.to_string(), "a stored task has an impossible status");
        assert!(!format!("{cause:?}").contains("secret"));
    }
}
