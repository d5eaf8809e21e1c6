use thiserror::Error;

use super::{RepositoryError, Version};

/// What a use case can answer besides success.
#[derive(Debug, Error)]
pub enum TaskError {
    /// The caller has no such task; perhaps nobody has.
    #[error("the caller has no such task")]
    NotFound,
    /// The task is at none of the versions that the caller expected.
    #[error("the task is at version {current}, which the caller did not expect")]
    VersionMismatch {
        /// Where it is.
        current: Version,
    },
    /// The idempotency key stands for another creation.
    #[error("the idempotency key stands for another creation")]
    IdempotencyKeyReused,
    /// The storage could not do its part.
    #[error("the storage failed")]
    Storage(#[source] RepositoryError),
}

impl From<RepositoryError> for TaskError {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::NotFound => Self::NotFound,
            RepositoryError::VersionMismatch { current } => Self::VersionMismatch { current },
            RepositoryError::IdempotencyKeyReused => Self::IdempotencyKeyReused,
            RepositoryError::AlreadyExists
            | RepositoryError::Refused(_)
            | RepositoryError::Busy
            | RepositoryError::TimedOut(_)
            | RepositoryError::Unavailable(_)
            | RepositoryError::Corrupt(_)
            | RepositoryError::Unexpected(_) => Self::Storage(error),
        }
    }
}
