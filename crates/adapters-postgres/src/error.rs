//! What a failed statement means.
//!
//! diesel tells the SQLSTATE of few errors, so it is read from three places: diesel's kind, the end of the
//! connection, and the server's text.

use std::sync::Once;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use domain::task::RepositoryError;
use thiserror::Error as ThisError;
use tokio_postgres::error::DbError;

/// A statement took longer than we wait; the server has not said anything.
#[derive(Debug, ThisError)]
#[error("no answer within {0:?}")]
pub(crate) struct GaveUp(pub(crate) Duration);

/// A statement that failed. Shows what the server said, never a value that was sent.
#[derive(Debug, ThisError)]
#[error("SQLSTATE {sqlstate}: {message}")]
pub(crate) struct StatementError {
    sqlstate: String,
    message: String,
    meaning: Meaning,
}

/// What a failure means for the caller and for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The server is gone, going, or of no use to us; so is the connection.
    Gone,
    /// The server cannot do it now; the connection is sound.
    NotNow,
    /// The server stopped the statement in time; the connection is sound.
    TooSlow,
    /// The server refused a value.
    Refused,
    /// A fault of ours.
    Fault,
}

/// The connection is lost, and nobody said why.
const LOST: &str = "08006";

/// Texts of servers and poolers that speak English, with their codes (PostgreSQL manual, appendix A). The first one
/// that a message contains counts. Where the server speaks another language the code stays unknown and the kind and
/// the time decide.
const KNOWN_TEXTS: &[(&str, &str, Meaning)] = &[
    (
        "canceling statement due to lock timeout",
        "55P03",
        Meaning::TooSlow,
    ),
    ("canceling statement due to", "57014", Meaning::TooSlow),
    ("deadlock detected", "40P01", Meaning::NotNow),
    ("No space left on device", "53100", Meaning::NotNow),
    ("out of memory", "53200", Meaning::NotNow),
    ("out of shared memory", "53200", Meaning::NotNow),
    ("too many clients already", "53300", Meaning::Gone),
    ("remaining connection slots", "53300", Meaning::Gone),
    ("due to idle-session timeout", "57P05", Meaning::Gone),
    ("terminating connection", "57P01", Meaning::Gone),
    ("the database system is", "57P03", Meaning::Gone),
    ("cached plan must not change result type", "0A000", Meaning::Gone),
    ("invalid byte sequence for encoding", "22021", Meaning::Refused),
    ("unsupported Unicode escape sequence", "22P05", Meaning::Refused),
];

impl StatementError {
    /// Makes sense of diesel's error, given whether the statement took as long as the server lets it.
    pub(crate) fn new(error: &Error, took_as_long_as_allowed: bool) -> Self {
        let (sqlstate, meaning) = match error {
            Error::DatabaseError(kind, info) => {
                of_database_error(*kind, info.message(), took_as_long_as_allowed)
            }
            _ => ("unknown", Meaning::Fault),
        };
        Self {
            sqlstate: sqlstate.to_owned(),
            message: error.to_string(),
            meaning,
        }
    }

    /// Whether more would be known if the connection turned out to have ended.
    pub(crate) fn may_be_the_end(&self) -> bool {
        matches!(self.sqlstate.as_str(), "unknown" | LOST)
    }

    /// The same error, now that the connection is known to have ended, with the last words of the server. Whatever a
    /// server or a pooler says before it hangs up, in whatever language, is no fault of ours.
    pub(crate) fn at_the_end(self, last_words: Option<&DbError>) -> Self {
        match last_words {
            Some(server) => Self {
                sqlstate: server.code().code().to_owned(),
                message: server.message().to_owned(),
                meaning: Meaning::Gone,
            },
            None => Self {
                sqlstate: LOST.to_owned(),
                meaning: Meaning::Gone,
                ..self
            },
        }
    }

    /// Whether nobody should get this connection again.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        self.meaning == Meaning::Gone
    }
}

fn of_database_error(
    kind: DatabaseErrorKind,
    message: &str,
    took_as_long_as_allowed: bool,
) -> (&'static str, Meaning) {
    match kind {
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => (LOST, Meaning::Gone),
        DatabaseErrorKind::ReadOnlyTransaction => ("25006", Meaning::Gone),
        DatabaseErrorKind::SerializationFailure => ("40001", Meaning::NotNow),
        DatabaseErrorKind::CheckViolation => ("23514", Meaning::Refused),
        DatabaseErrorKind::UniqueViolation => ("23505", Meaning::Fault),
        DatabaseErrorKind::NotNullViolation => ("23502", Meaning::Fault),
        DatabaseErrorKind::ForeignKeyViolation => ("23503", Meaning::Fault),
        // The enum may grow; what we do not know is told apart by its text.
        _ => of_text(message, took_as_long_as_allowed),
    }
}

fn of_text(message: &str, took_as_long_as_allowed: bool) -> (&'static str, Meaning) {
    if explain_old_poolers(message) {
        let code = if message.contains("already exists") {
            "42P05"
        } else {
            "26000"
        };
        return (code, Meaning::Gone);
    }
    let known = KNOWN_TEXTS.iter().find(|(text, _, _)| message.contains(text));
    match known {
        Some((_, sqlstate, meaning)) => (sqlstate, *meaning),
        None if took_as_long_as_allowed => ("unknown", Meaning::TooSlow),
        None => ("unknown", Meaning::Fault),
    }
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

impl From<StatementError> for RepositoryError {
    fn from(error: StatementError) -> Self {
        match error.meaning {
            Meaning::Gone | Meaning::NotNow => Self::Unavailable(Box::new(error)),
            Meaning::TooSlow => Self::TimedOut(Box::new(error)),
            Meaning::Refused => Self::Refused(Box::new(error)),
            Meaning::Fault => Self::Unexpected(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: DatabaseErrorKind, message: &str) -> StatementError {
        let error = Error::DatabaseError(kind, Box::new(message.to_owned()));
        StatementError::new(&error, false)
    }

    #[test]
    fn a_lost_connection_is_unavailable_and_not_used_again() {
        let error = of(DatabaseErrorKind::UnableToSendCommand, "connection closed");
        assert!(error.spoils_the_connection());
        assert!(matches!(error.into(), RepositoryError::Unavailable(_)));
    }

    #[test]
    fn a_server_that_turned_read_only_is_unavailable_and_not_used_again() {
        let error = of(
            DatabaseErrorKind::ReadOnlyTransaction,
            "cannot execute INSERT in a read-only transaction",
        );
        assert!(error.spoils_the_connection());
        assert!(matches!(error.into(), RepositoryError::Unavailable(_)));
    }

    #[test]
    fn a_statement_that_the_server_stopped_timed_out_on_a_sound_connection() {
        for text in [
            "canceling statement due to statement timeout",
            "canceling statement due to lock timeout",
        ] {
            let error = of(DatabaseErrorKind::Unknown, text);
            assert!(!error.spoils_the_connection());
            assert!(matches!(error.into(), RepositoryError::TimedOut(_)), "{text}");
        }
    }

    #[test]
    fn an_unreadable_error_after_the_whole_time_limit_counts_as_a_timeout() {
        let error = Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new("annulation".to_owned()));
        let error = StatementError::new(&error, true);
        assert!(matches!(error.into(), RepositoryError::TimedOut(_)));
    }

    #[test]
    fn an_unreadable_error_before_the_end_of_the_connection_is_an_outage() {
        let error = of(DatabaseErrorKind::Unknown, "Verbindung wird abgebrochen");
        assert!(error.may_be_the_end());
        let error = error.at_the_end(None);
        assert_eq!(error.to_string(), "SQLSTATE 08006: Verbindung wird abgebrochen");
        assert!(error.spoils_the_connection());
        assert!(matches!(error.into(), RepositoryError::Unavailable(_)));
    }

    #[test]
    fn the_texts_of_the_server_have_their_codes() {
        for (text, code, is_spoilt) in [
            ("canceling statement due to lock timeout", "55P03", false),
            ("canceling statement due to statement timeout", "57014", false),
            ("canceling statement due to user request", "57014", false),
            ("deadlock detected", "40P01", false),
            (
                "could not extend file \"base/5/1\": No space left on device",
                "53100",
                false,
            ),
            ("out of memory", "53200", false),
            ("out of shared memory", "53200", false),
            ("sorry, too many clients already", "53300", true),
            (
                "remaining connection slots are reserved for roles with the SUPERUSER attribute",
                "53300",
                true,
            ),
            (
                "terminating connection due to administrator command",
                "57P01",
                true,
            ),
            (
                "terminating connection due to unexpected postmaster exit",
                "57P01",
                true,
            ),
            (
                "terminating connection due to idle-session timeout",
                "57P05",
                true,
            ),
            ("the database system is shutting down", "57P03", true),
            ("cached plan must not change result type", "0A000", true),
            (
                "invalid byte sequence for encoding \"UTF8\": 0x00",
                "22021",
                false,
            ),
            ("unsupported Unicode escape sequence", "22P05", false),
        ] {
            let error = of(DatabaseErrorKind::Unknown, text);
            assert_eq!(error.sqlstate, code, "{text}");
            assert_eq!(error.spoils_the_connection(), is_spoilt, "{text}");
            assert!(!matches!(error.into(), RepositoryError::Unexpected(_)), "{text}");
        }
    }

    #[test]
    fn an_old_pooler_is_unavailable() {
        for (text, code) in [
            ("prepared statement \"s4\" does not exist", "26000"),
            ("prepared statement \"s13\" already exists", "42P05"),
        ] {
            let error = of(DatabaseErrorKind::Unknown, text);
            assert_eq!(error.sqlstate, code);
            assert!(error.spoils_the_connection());
        }
    }

    #[test]
    fn what_nobody_knows_is_a_fault_of_ours() {
        let error = of(DatabaseErrorKind::Unknown, "relation \"tasks\" does not exist");
        assert!(!error.spoils_the_connection());
        assert!(matches!(error.into(), RepositoryError::Unexpected(_)));
    }
}
