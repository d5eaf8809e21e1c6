//! What an operation on tasks returns besides success: for each operation what can happen to it, and nothing else. The
//! operations that are not named here fail only as the storage does, with a [`StorageError`].

use thiserror::Error;

use super::Version;
use crate::storage::StorageError;

/// Why a task was not created.
#[derive(Debug, Error)]
pub enum InsertError {
    /// The owner already has a task with that id.
    #[error("a task with this id is already stored")]
    AlreadyExists,
    /// The idempotency key is stored with another fingerprint: it stands for another creation.
    #[error("the idempotency key is stored with another fingerprint")]
    IdempotencyKeyReused,
    /// The storage could not do its part.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl InsertError {
    /// The class of a failure; `None` if the creation was refused in good order.
    #[must_use]
    pub fn class(&self) -> Option<&'static str> {
        match self {
            Self::IdempotencyKeyReused => None,
            // The server makes the ids, so a taken one should not exist.
            Self::AlreadyExists => Some(StorageError::UNEXPECTED),
            Self::Storage(error) => Some(error.class()),
        }
    }
}

/// Why a task was not read.
#[derive(Debug, Error)]
pub enum GetError {
    /// The caller has no such task, whether or not another user has.
    #[error("the caller has no such task")]
    NotFound,
    /// The storage could not do its part.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a task was not changed or not removed.
#[derive(Debug, Error)]
pub enum UpdateError {
    /// The owner has no such task, whether or not another user has.
    #[error("the owner has no such task")]
    NotFound,
    /// The task is at none of the expected versions.
    #[error("the task is at version {current}")]
    VersionMismatch {
        /// Where it is.
        current: Version,
    },
    /// The storage could not do its part.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl UpdateError {
    /// The class of a failure; `None` if the change was refused in good order.
    #[must_use]
    pub fn class(&self) -> Option<&'static str> {
        match self {
            Self::NotFound | Self::VersionMismatch { .. } => None,
            Self::Storage(error) => Some(error.class()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    #[test]
    fn a_failure_of_the_storage_reads_the_same_in_every_error() {
        let slow = || StorageError::TimedOut("a lock".into());
        let text = "the storage took too long: a lock";
        assert_eq!(chain(&InsertError::from(slow())), text);
        assert_eq!(chain(&GetError::from(slow())), text);
        assert_eq!(chain(&UpdateError::from(slow())), text);
    }
}
