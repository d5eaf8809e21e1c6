//! What a failed statement means.
//!
//! diesel tells the SQLSTATE of few errors, so it is read from three places: diesel's kind, the end of the
//! connection, and the server's text.

use std::borrow::Cow;
use std::sync::Once;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use domain::storage::StorageError;
use thiserror::Error as ThisError;
use tokio_postgres::error::DbError;

use crate::turns::Refused;

/// Why a statement did not get its answer.
#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    /// Every connection is in use.
    #[error("every connection is in use")]
    Busy,
    /// No connection could be made in time. Nothing was sent.
    #[error("{0}")]
    NotConnected(String),
    /// It took longer than we wait.
    #[error("no answer within {after:.1?}")]
    GaveUp {
        /// How long we waited.
        after: Duration,
        /// Whether a server that is well would have said something by then.
        is_silence: bool,
    },
    /// The server has answered, or the connection has ended.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl Failure {
    /// Whether the database is out of reach or unable to work. That one statement waited too long for a lock, or met
    /// another transaction, says nothing about it.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Busy => false,
            Self::NotConnected(_) => true,
            Self::GaveUp { is_silence, .. } => *is_silence,
            Self::Statement(error) => match error.meaning {
                Meaning::Lost | Meaning::Useless | Meaning::Exhausted => true,
                Meaning::Stale
                | Meaning::Undone
                | Meaning::TooSlow
                | Meaning::Refused
                | Meaning::Unreadable
                | Meaning::Fault
                | Meaning::Unrecognised => false,
            },
        }
    }
}

impl From<Refused> for Failure {
    fn from(_: Refused) -> Self {
        Self::Busy
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::NotConnected(_) => Self::Unavailable(Box::new(failure)),
            Failure::GaveUp { .. } => Self::TimedOut(Box::new(failure)),
            Failure::Statement(error) => match error.meaning {
                Meaning::Lost | Meaning::Useless | Meaning::Stale | Meaning::Undone | Meaning::Exhausted => {
                    Self::Unavailable(Box::new(error))
                }
                Meaning::TooSlow => Self::TimedOut(Box::new(error)),
                Meaning::Refused => Self::Refused(Box::new(error)),
                // The words are diesel's, which name the column; the server was content.
                Meaning::Unreadable => Self::Corrupt(error.message.into()),
                Meaning::Fault | Meaning::Unrecognised => Self::Unexpected(Box::new(error)),
            },
        }
    }
}

/// A statement that failed. Shows what the server said, never a value that was sent.
#[derive(Debug, ThisError)]
#[error("SQLSTATE {}: {message}", sqlstate.as_deref().unwrap_or("unknown"))]
pub(crate) struct StatementError {
    /// What the server calls it, if that is known.
    sqlstate: Option<Cow<'static, str>>,
    message: String,
    meaning: Meaning,
}

/// What a failure means for the caller and for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The connection is lost. Whether the statement happened is not known.
    Lost,
    /// What is at the other end does not do what we need; nor does the connection.
    Useless,
    /// The connection is past its time; the statement did not happen.
    Stale,
    /// Another transaction was in the way, and the statement was undone; the connection is sound.
    Undone,
    /// The server has no room for it; the connection is sound.
    Exhausted,
    /// The server stopped the statement in time; the connection is sound.
    TooSlow,
    /// The server refused a value.
    Refused,
    /// The server has answered with a value that is none of ours.
    Unreadable,
    /// A fault of ours.
    Fault,
    /// The server said no in words that we do not know, so it may be anything. Like `Lost` it is tried once more, through
    /// another connection; if it comes again it is a fault of ours.
    Unrecognised,
}

/// The connection is lost, and nobody said why.
const LOST: &str = "08006";

/// Texts of servers and poolers that speak English, with their codes (PostgreSQL manual, appendix A). The first one
/// that a message contains counts. Where the server speaks another language the code stays unknown, and
/// the kind, the time and a second run decide.
#[rustfmt::skip]
const KNOWN_TEXTS: &[(&str, &str, Meaning)] = &[
    ("canceling statement due to lock timeout", "55P03", Meaning::TooSlow),
    ("canceling statement due to", "57014", Meaning::TooSlow),
    ("deadlock detected", "40P01", Meaning::Undone),
    ("out of file descriptors", "53000", Meaning::Exhausted),
    ("No space left on device", "53100", Meaning::Exhausted),
    ("out of memory", "53200", Meaning::Exhausted),
    ("out of shared memory", "53200", Meaning::Exhausted),
    ("too many clients already", "53300", Meaning::Useless),
    ("remaining connection slots", "53300", Meaning::Useless),
    ("exceeds temp_file_limit", "53400", Meaning::Exhausted),
    ("due to idle-session timeout", "57P05", Meaning::Stale),
    ("crash of another server process", "57P02", Meaning::Lost),
    ("terminating connection", "57P01", Meaning::Lost),
    ("the database system is", "57P03", Meaning::Lost),
    ("cached plan must not change result type", "0A000", Meaning::Stale),
    ("invalid byte sequence for encoding", "22021", Meaning::Refused),
    ("has no equivalent in encoding", "22P05", Meaning::Refused),
    ("unsupported Unicode escape sequence", "22P05", Meaning::Refused),
    ("relation \"tasks\" does not exist", "42P01", Meaning::Fault),
    ("permission denied", "42501", Meaning::Fault),
];

impl StatementError {
    /// A connection on which nothing was heard while others got their answers: whether the statement happened is not
    /// known.
    pub(crate) fn of_silence() -> Self {
        Self {
            sqlstate: Some(Cow::Borrowed(LOST)),
            message: "the connection has fallen silent".to_owned(),
            meaning: Meaning::Lost,
        }
    }

    /// Makes sense of diesel's error, given whether the statement took as long as the server lets it.
    pub(crate) fn new(error: &Error, took_as_long_as_allowed: bool) -> Self {
        let (sqlstate, meaning) = match error {
            Error::DatabaseError(kind, info) => {
                of_database_error(*kind, info.message(), took_as_long_as_allowed)
            }
            Error::DeserializationError(_) => (None, Meaning::Unreadable),
            _ => (None, Meaning::Fault),
        };
        Self {
            sqlstate: sqlstate.map(Cow::Borrowed),
            message: error.to_string(),
            meaning,
        }
    }

    /// Whether more would be known if the connection turned out to have ended.
    pub(crate) fn may_be_the_end(&self) -> bool {
        let is_explained = self.sqlstate.as_ref().is_some_and(|code| code != LOST);
        !is_explained && self.meaning != Meaning::Unreadable
    }

    /// The same error, now that the connection is known to have ended, with the last words of the server. Whatever a
    /// server or a pooler says before it hangs up, in whatever language, is no fault of ours.
    pub(crate) fn at_the_end(self, last_words: Option<&DbError>) -> Self {
        match last_words {
            Some(server) => Self {
                sqlstate: Some(Cow::Owned(server.code().code().to_owned())),
                message: server.message().to_owned(),
                meaning: Meaning::Lost,
            },
            None => Self {
                sqlstate: Some(Cow::Borrowed(LOST)),
                meaning: Meaning::Lost,
                ..self
            },
        }
    }

    pub(crate) fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// Whether nobody should get this connection again.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        match self.meaning {
            Meaning::Lost | Meaning::Useless | Meaning::Stale | Meaning::Unrecognised => true,
            Meaning::Undone
            | Meaning::Exhausted
            | Meaning::TooSlow
            | Meaning::Refused
            | Meaning::Unreadable
            | Meaning::Fault => false,
        }
    }
}

fn of_database_error(
    kind: DatabaseErrorKind,
    message: &str,
    took_as_long_as_allowed: bool,
) -> (Option<&'static str>, Meaning) {
    let (sqlstate, meaning) = match kind {
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => (LOST, Meaning::Lost),
        DatabaseErrorKind::ReadOnlyTransaction => ("25006", Meaning::Useless),
        DatabaseErrorKind::SerializationFailure => ("40001", Meaning::Undone),
        DatabaseErrorKind::CheckViolation => ("23514", Meaning::Refused),
        DatabaseErrorKind::UniqueViolation => ("23505", Meaning::Fault),
        DatabaseErrorKind::NotNullViolation => ("23502", Meaning::Fault),
        DatabaseErrorKind::ForeignKeyViolation => ("23503", Meaning::Fault),
        // The enum may grow; what we do not know is told apart by its text.
        _ => return of_text(message, took_as_long_as_allowed),
    };
    (Some(sqlstate), meaning)
}

fn of_text(message: &str, took_as_long_as_allowed: bool) -> (Option<&'static str>, Meaning) {
    if explain_old_poolers(message) {
        let code = if message.contains("already exists") {
            "42P05"
        } else {
            "26000"
        };
        return (Some(code), Meaning::Useless);
    }
    let known = KNOWN_TEXTS.iter().find(|(text, _, _)| message.contains(text));
    match known {
        Some(&(_, sqlstate, meaning)) => (Some(sqlstate), meaning),
        None if took_as_long_as_allowed => (None, Meaning::TooSlow),
        None => (None, Meaning::Unrecognised),
    }
}

/// The SQLSTATE of what a server says, if we know the words.
pub(crate) fn sqlstate_of_text(message: &str) -> Option<&'static str> {
    let known = KNOWN_TEXTS.iter().find(|(text, _, _)| message.contains(text));
    known.map(|&(_, sqlstate, _)| sqlstate)
}

/// Whether a prepared statement was lost or met a stranger's, as happens behind poolers that do not carry them. Says
/// once what to do.
pub(crate) fn explain_old_poolers(message: &str) -> bool {
    static ONCE: Once = Once::new();
    let is_it = message.contains("prepared statement");
    if is_it {
        ONCE.call_once(|| {
            tracing::error!(
                "the pooler does not carry prepared statements: use PgBouncer 1.21 or newer with \
                 max_prepared_statements, session mode, or the direct address of the database"
            );
        });
    }
    is_it
}

#[cfg(test)]
pub(crate) mod tests;
