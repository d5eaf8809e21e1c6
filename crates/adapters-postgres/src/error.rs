//! The meaning of a failed statement: by its SQLSTATE ([`crate::sqlstate`]), whatever the language of its text.

use std::borrow::Cow;
use std::sync::Once;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use domain::storage::StorageError;
use thiserror::Error as ThisError;
use tokio_postgres::error::DbError;

use crate::sqlstate;
use crate::turns::Refused;

/// Why a statement did not get its answer.
#[derive(Debug, ThisError)]
pub(crate) enum AttemptFailure {
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
        /// Whether a healthy server would have said something by then.
        is_silence: bool,
    },
    /// The server has answered, or the connection has ended.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl AttemptFailure {
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

impl From<Refused> for AttemptFailure {
    fn from(_: Refused) -> Self {
        Self::Busy
    }
}

impl From<AttemptFailure> for StorageError {
    fn from(failure: AttemptFailure) -> Self {
        match failure {
            AttemptFailure::Busy => Self::Busy,
            AttemptFailure::NotConnected(_) => Self::Unavailable(Box::new(failure)),
            AttemptFailure::GaveUp { .. } => Self::TimedOut(Box::new(failure)),
            AttemptFailure::Statement(error) => match error.meaning {
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
    /// Its name on the server, if that is known.
    sqlstate: Option<Cow<'static, str>>,
    message: String,
    meaning: Meaning,
}

/// The meaning of a failure for the caller and for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The connection is lost. Whether the statement happened is not known.
    Lost,
    /// The server at the other end does not do what we need; nor does the connection.
    Useless,
    /// The connection is past its time; the statement did not happen.
    Stale,
    /// Another transaction was in the way, and the statement was undone; the connection is sound.
    Undone,
    /// The server has no capacity for it; the connection is sound.
    Exhausted,
    /// The server stopped the statement in time; the connection is sound.
    TooSlow,
    /// The server refused a value.
    Refused,
    /// The server has answered with a value that is none of ours.
    Unreadable,
    /// A fault of ours.
    Fault,
    /// The server said no in words that we do not know, so it may be anything. Like `Lost` it is tried once more,
    /// through another connection; if it comes again it is a fault of ours.
    Unrecognised,
}

/// The connection is lost, for no stated reason.
const LOST: &str = "08006";

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

    /// Makes sense of diesel's error.
    pub(crate) fn new(error: &Error) -> Self {
        match error {
            Error::DatabaseError(kind, info) => of_database_error(*kind, info.message()),
            Error::DeserializationError(_) => Self::without_code(error, Meaning::Unreadable),
            _ => Self::without_code(error, Meaning::Fault),
        }
    }

    fn without_code(error: &Error, meaning: Meaning) -> Self {
        Self {
            sqlstate: None,
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
                message: sqlstate::split(server.message()).1.to_owned(),
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

    /// Whether this connection must never be lent again.
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

fn of_database_error(kind: DatabaseErrorKind, text: &str) -> StatementError {
    let (code, message) = sqlstate::split(text);
    let is_driver = matches!(
        kind,
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection
    );
    let (code, meaning) = match code {
        _ if is_driver => (Some(LOST), Meaning::Lost),
        Some(code) if explain_old_poolers(text) => (Some(code), Meaning::Useless),
        Some(code) => (Some(code), meaning_of(code)),
        None => (None, Meaning::Unrecognised),
    };
    StatementError {
        sqlstate: code.map(|code| Cow::Owned(code.to_owned())),
        message: message.to_owned(),
        meaning,
    }
}

/// The meaning of a SQLSTATE (PostgreSQL manual, appendix A). Its first two characters are its class.
fn meaning_of(code: &str) -> Meaning {
    match code {
        // The connection was idle for too long; or has a plan that was made before a column changed (which has the code
        // of whatever the server does not support).
        "0A000" | "57P05" => Meaning::Stale,
        "22021" | "22P05" | "23514" => Meaning::Refused,
        "25006" | "53300" => Meaning::Useless,
        "40003" => Meaning::Lost,
        "55P03" | "57014" => Meaning::TooSlow,
        _ => match code.get(..2).unwrap_or_default() {
            "08" | "57" => Meaning::Lost,
            "22" | "23" | "42" => Meaning::Fault,
            "40" => Meaning::Undone,
            "53" => Meaning::Exhausted,
            _ => Meaning::Unrecognised,
        },
    }
}

/// Whether a prepared statement was lost or met a stranger's, as happens behind poolers that do not carry them. Says
/// once what to do. Poolers have one code (08P01) for everything, so there the text counts.
pub(crate) fn explain_old_poolers(text: &str) -> bool {
    static ONCE: Once = Once::new();
    let is_it = match sqlstate::find(text) {
        Some("26000" | "42P05") => true,
        Some("08P01") => text.contains("prepared statement"),
        _ => false,
    };
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
