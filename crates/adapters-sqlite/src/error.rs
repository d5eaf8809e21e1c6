//! Where diesel's errors end: [`repository_error`] is the only way from them to the port's.

use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error};
use domain::task::RepositoryError;

/// An error of diesel that several callers learn about: all those whose changes shared a transaction.
pub(crate) type SharedError = Arc<Error>;

/// Why a job failed, before its answer crosses the port.
#[derive(Debug)]
pub(crate) enum JobError {
    /// The port has a word for it: not found, stale, corrupt.
    Answer(RepositoryError),
    /// A statement failed.
    Database(Error),
}

impl From<RepositoryError> for JobError {
    fn from(error: RepositoryError) -> Self {
        Self::Answer(error)
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// What the port calls an error of diesel.
///
/// The original goes along as the cause. SQLite's messages name tables, columns and constraints, never values.
pub(crate) fn repository_error(error: &SharedError) -> RepositoryError {
    let cause = Box::new(Arc::clone(error));
    match class_of(error) {
        Class::Refused => RepositoryError::Refused(cause),
        Class::Locked => RepositoryError::TimedOut(cause),
        Class::OutOfReach => RepositoryError::Unavailable(cause),
        Class::Unreadable => RepositoryError::Corrupt(cause),
        Class::Unforeseen => RepositoryError::Unexpected(cause),
    }
}

/// Whether somebody else holds a lock: the one failure that goes away by waiting.
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
            let answer = repository_error(&error);
            let fits = match class {
                Class::Locked => matches!(answer, RepositoryError::TimedOut(_)),
                Class::Unreadable => matches!(answer, RepositoryError::Corrupt(_)),
                _ => matches!(answer, RepositoryError::Unavailable(_)),
            };
            assert!(fits, "{message}: {answer:?}");
            assert_eq!(is_lock(&error), class == Class::Locked, "{message}");
        }
    }

    #[test]
    fn constraints_are_told_apart_by_kind() {
        let check = database_error(DatabaseErrorKind::CheckViolation, "CHECK constraint failed: x");
        assert!(matches!(repository_error(&check), RepositoryError::Refused(_)));
        for kind in [
            DatabaseErrorKind::UniqueViolation,
            DatabaseErrorKind::NotNullViolation,
        ] {
            let answer = repository_error(&database_error(kind, "a constraint failed: x"));
            assert!(matches!(answer, RepositoryError::Unexpected(_)), "{answer:?}");
        }
    }

    #[test]
    fn what_nobody_foresaw_is_unexpected_and_keeps_its_cause() {
        let error = database_error(DatabaseErrorKind::Unknown, "no such table: tasks");
        let answer = repository_error(&error);
        assert!(matches!(answer, RepositoryError::Unexpected(_)), "{answer:?}");
        let cause = std::error::Error::source(&answer).expect("a cause");
        assert_eq!(cause.to_string(), "no such table: tasks");
    }
}
