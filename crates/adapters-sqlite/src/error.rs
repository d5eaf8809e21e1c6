//! Where diesel's errors end: [`storage_error`] is the only way from them to the port's.

use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error};
use domain::storage::StorageError;

/// An error of diesel that several callers learn about: all those whose changes shared a transaction.
pub(crate) type SharedError = Arc<Error>;

/// Why a job failed, before its answer crosses the port.
#[derive(Debug)]
pub(crate) enum JobError<E = StorageError> {
    /// The operation was refused in good order: not found, stale.
    Refused(E),
    /// The port has a word for the failure: corrupt.
    Storage(StorageError),
    /// A statement failed.
    Database(Error),
}

impl<E> From<StorageError> for JobError<E> {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl<E> From<Error> for JobError<E> {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// The port's error for one of diesel.
///
/// The original goes along as the cause. SQLite's messages name tables, columns and constraints, never values.
pub(crate) fn storage_error(error: &SharedError) -> StorageError {
    let cause = Box::new(Arc::clone(error));
    match class_of(error) {
        Class::Refused => StorageError::Refused(cause),
        Class::Locked => StorageError::TimedOut(cause),
        Class::OutOfReach => StorageError::Unavailable(cause),
        Class::Unreadable => StorageError::Corrupt(cause),
        Class::Unforeseen => StorageError::Unexpected(cause),
    }
}

/// Whether another process holds a lock: the one failure that goes away by waiting.
pub(crate) fn is_lock(error: &Error) -> bool {
    class_of(error) == Class::Locked
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Refused,
    Locked,
    OutOfReach,
    Unreadable,
    Unforeseen,
}

/// How SQLite's messages begin. They are compiled in and never translated, and diesel shows no result codes beyond
/// those of constraints.
const MESSAGES: [(&str, Class); 14] = [
    ("database is locked", Class::Locked),
    ("database table is locked", Class::Locked),
    ("database schema is locked", Class::Locked),
    ("locking protocol", Class::Locked),
    ("database or disk is full", Class::OutOfReach),
    ("disk I/O error", Class::OutOfReach),
    ("attempt to write a readonly database", Class::OutOfReach),
    ("unable to open database file", Class::OutOfReach),
    ("file is not a database", Class::OutOfReach),
    ("database disk image is malformed", Class::OutOfReach),
    ("access permission denied", Class::OutOfReach),
    ("out of memory", Class::OutOfReach),
    // After a failure of the disk SQLite may end the whole transaction by itself, savepoints included.
    ("no such savepoint", Class::OutOfReach),
    // Diesel's own words, which SQLite passes on: one of our SQL functions met a text that is not UTF-8.
    ("Error deserializing field", Class::Unreadable),
];

fn class_of(error: &Error) -> Class {
    match error {
        Error::DatabaseError(DatabaseErrorKind::CheckViolation, _) => Class::Refused,
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => Class::OutOfReach,
        Error::DatabaseError(_, information) => MESSAGES
            .iter()
            .find(|(beginning, _)| information.message().starts_with(beginning))
            .map_or(Class::Unforeseen, |&(_, class)| class),
        Error::DeserializationError(_) => Class::Unreadable,
        _ => Class::Unforeseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database_error(kind: DatabaseErrorKind, message: &str) -> SharedError {
        Arc::new(Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn every_message_is_sorted_into_its_class() {
        for (message, class) in MESSAGES {
            let error = database_error(DatabaseErrorKind::Unknown, message);
            let answer = storage_error(&error);
            let fits = match class {
                Class::Locked => matches!(answer, StorageError::TimedOut(_)),
                Class::Unreadable => matches!(answer, StorageError::Corrupt(_)),
                _ => matches!(answer, StorageError::Unavailable(_)),
            };
            assert!(fits, "{message}: {answer:?}");
            assert_eq!(is_lock(&error), class == Class::Locked, "{message}");
        }
    }

    #[test]
    fn constraints_are_told_apart_by_kind() {
        let check = database_error(DatabaseErrorKind::CheckViolation, "CHECK constraint failed: x");
        assert!(matches!(storage_error(&check), StorageError::Refused(_)));
        for kind in [
            DatabaseErrorKind::UniqueViolation,
            DatabaseErrorKind::NotNullViolation,
        ] {
            let answer = storage_error(&database_error(kind, "a constraint failed: x"));
            assert!(matches!(answer, StorageError::Unexpected(_)), "{answer:?}");
        }
    }

    #[test]
    fn what_nobody_foresaw_is_unexpected_and_keeps_its_cause() {
        let error = database_error(DatabaseErrorKind::Unknown, "no such table: tasks");
        let answer = storage_error(&error);
        assert!(matches!(answer, StorageError::Unexpected(_)), "{answer:?}");
        let cause = std::error::Error::source(&answer).expect("a cause");
        assert_eq!(cause.to_string(), "no such table: tasks");
    }
}
