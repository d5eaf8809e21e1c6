//! What a failed statement means.
//!
//! diesel tells the SQLSTATE of few errors, so it is read from three places: diesel's kind, the end of the
//! connection, and the server's text.

use std::borrow::Cow;
use std::sync::Once;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use domain::task::RepositoryError;
use thiserror::Error as ThisError;
use tokio_postgres::error::DbError;

/// Why a statement did not get its answer.
#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    /// Every connection is in use.
    #[error("every connection is in use")]
    Busy,
    /// No connection could be made in time. Nothing was sent.
    #[error("{0}")]
    NotConnected(String),
    /// It took longer than we wait; the server has not said anything.
    #[error("no answer within {0:.1?}")]
    GaveUp(Duration),
    /// The server has answered, or the connection has ended.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl Failure {
    /// Whether the statement may run once more, with what is known of its first run.
    pub(crate) fn allows(&self, repeat: Repeat) -> Option<FirstRun> {
        let Self::Statement(error) = self else { return None };
        match error.meaning {
            Meaning::Undone | Meaning::Stale => Some(FirstRun::Undone),
            Meaning::Lost if repeat != Repeat::Never => Some(FirstRun::Unknown),
            _ => None,
        }
    }

    /// Whether the database is out of reach or unable to work. That one statement waited too long for a lock, or met
    /// another transaction, says nothing about it.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Busy => false,
            Self::NotConnected(_) | Self::GaveUp(_) => true,
            Self::Statement(error) => matches!(
                error.meaning,
                Meaning::Lost | Meaning::Useless | Meaning::Exhausted
            ),
        }
    }
}

impl From<Failure> for RepositoryError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::NotConnected(_) => Self::Unavailable(Box::new(failure)),
            Failure::GaveUp(_) => Self::TimedOut(Box::new(failure)),
            Failure::Statement(error) => match error.meaning {
                Meaning::Lost | Meaning::Useless | Meaning::Stale | Meaning::Undone | Meaning::Exhausted => {
                    Self::Unavailable(Box::new(error))
                }
                Meaning::TooSlow => Self::TimedOut(Box::new(error)),
                Meaning::Refused => Self::Refused(Box::new(error)),
                // The words are diesel's, which name the column; the server was content.
                Meaning::Unreadable => Self::Corrupt(error.message.into()),
                Meaning::Fault => Self::Unexpected(Box::new(error)),
            },
        }
    }
}

/// What a second run of a statement would do, should nobody know whether the first one happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing: it only reads.
    Read,
    /// Nothing: the row of the first run, whose id was made before it, is in the way. Whoever inserts looks whose row
    /// that is.
    Insert,
    /// Nothing: it writes the same values once more.
    SameValues,
    /// It would contradict the first one: the version would no longer be the expected one, the row would be gone.
    Never,
}

/// What is known of a first run when a statement runs for the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstRun {
    /// It had no effect.
    Undone,
    /// It may have happened.
    Unknown,
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
enum Meaning {
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
}

/// The connection is lost, and nobody said why.
const LOST: &str = "08006";

/// Texts of servers and poolers that speak English, with their codes (PostgreSQL manual, appendix A). The first one
/// that a message contains counts. Where the server speaks another language the code stays unknown and the kind and
/// the time decide.
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

    /// Whether nobody should get this connection again.
    pub(crate) fn spoils_the_connection(&self) -> bool {
        matches!(self.meaning, Meaning::Lost | Meaning::Useless | Meaning::Stale)
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
        None => (None, Meaning::Fault),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: DatabaseErrorKind, message: &str) -> StatementError {
        let error = Error::DatabaseError(kind, Box::new(message.to_owned()));
        StatementError::new(&error, false)
    }

    fn of_text(message: &str) -> StatementError {
        of(DatabaseErrorKind::Unknown, message)
    }

    /// What the port calls an error.
    fn word(error: StatementError) -> &'static str {
        match RepositoryError::from(Failure::Statement(error)) {
            RepositoryError::Unavailable(_) => "unavailable",
            RepositoryError::TimedOut(_) => "timed out",
            RepositoryError::Refused(_) => "refused",
            RepositoryError::Corrupt(_) => "corrupt",
            RepositoryError::Unexpected(_) => "unexpected",
            other => panic!("{other:?}"),
        }
    }

    /// What the server and poolers say, its code, its word, and whether the connection is kept.
    #[rustfmt::skip]
    const SAID: &[(&str, &str, &str, bool)] = &[
        ("canceling statement due to lock timeout", "55P03", "timed out", true),
        ("canceling statement due to statement timeout", "57014", "timed out", true),
        ("canceling statement due to user request", "57014", "timed out", true),
        ("deadlock detected", "40P01", "unavailable", true),
        ("out of file descriptors: Too many open files; release and retry", "53000", "unavailable", true),
        ("could not extend file \"base/5/1\": No space left on device", "53100", "unavailable", true),
        ("out of memory", "53200", "unavailable", true),
        ("out of shared memory", "53200", "unavailable", true),
        ("sorry, too many clients already", "53300", "unavailable", false),
        ("remaining connection slots are reserved for roles with the SUPERUSER attribute", "53300", "unavailable", false),
        ("temporary file size exceeds temp_file_limit (1024kB)", "53400", "unavailable", true),
        ("terminating connection due to administrator command", "57P01", "unavailable", false),
        ("terminating connection due to unexpected postmaster exit", "57P01", "unavailable", false),
        ("terminating connection because of crash of another server process", "57P02", "unavailable", false),
        ("the database system is shutting down", "57P03", "unavailable", false),
        ("terminating connection due to idle-session timeout", "57P05", "unavailable", false),
        ("cached plan must not change result type", "0A000", "unavailable", false),
        ("prepared statement \"s4\" does not exist", "26000", "unavailable", false),
        ("prepared statement \"s13\" already exists", "42P05", "unavailable", false),
        ("invalid byte sequence for encoding \"UTF8\": 0x00", "22021", "refused", true),
        ("character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"", "22P05", "refused", true),
        ("unsupported Unicode escape sequence", "22P05", "refused", true),
        ("relation \"tasks\" does not exist", "42P01", "unexpected", true),
        ("permission denied for table tasks", "42501", "unexpected", true),
        ("column \"mood\" does not exist", "", "unexpected", true),
    ];

    #[test]
    fn what_the_server_says_has_its_code_its_word_and_its_connection() {
        for (text, code, wanted, is_kept) in SAID {
            let error = of_text(text);
            assert_eq!(error.sqlstate.as_deref().unwrap_or_default(), *code, "{text}");
            assert_eq!(error.spoils_the_connection(), !is_kept, "{text}");
            assert_eq!(word(error), *wanted, "{text}");
        }
    }

    #[test]
    fn what_diesel_has_a_kind_for_needs_no_text() {
        for (kind, code, wanted, is_kept) in [
            (
                DatabaseErrorKind::UnableToSendCommand,
                "08006",
                "unavailable",
                false,
            ),
            (DatabaseErrorKind::ClosedConnection, "08006", "unavailable", false),
            (
                DatabaseErrorKind::ReadOnlyTransaction,
                "25006",
                "unavailable",
                false,
            ),
            (
                DatabaseErrorKind::SerializationFailure,
                "40001",
                "unavailable",
                true,
            ),
            (DatabaseErrorKind::CheckViolation, "23514", "refused", true),
            (DatabaseErrorKind::UniqueViolation, "23505", "unexpected", true),
            (DatabaseErrorKind::NotNullViolation, "23502", "unexpected", true),
            (
                DatabaseErrorKind::ForeignKeyViolation,
                "23503",
                "unexpected",
                true,
            ),
        ] {
            let error = of(kind, "in whatever language");
            assert_eq!(error.sqlstate.as_deref(), Some(code));
            assert_eq!(error.spoils_the_connection(), !is_kept, "{code}");
            assert_eq!(word(error), wanted, "{code}");
        }
    }

    #[test]
    fn a_statement_runs_once_more_only_if_a_second_run_changes_nothing_or_the_first_did_not_happen() {
        let harmless = [Repeat::Read, Repeat::Insert, Repeat::SameValues];
        for (text, code, ..) in SAID {
            let failure = Failure::Statement(of_text(text));
            let (first_run, even_if_harmful) = match *code {
                "57P01" | "57P02" | "57P03" => (Some(FirstRun::Unknown), None),
                "40P01" | "57P05" | "0A000" => (Some(FirstRun::Undone), Some(FirstRun::Undone)),
                _ => (None, None),
            };
            for repeat in harmless {
                assert_eq!(failure.allows(repeat), first_run, "{text}");
            }
            assert_eq!(failure.allows(Repeat::Never), even_if_harmful, "{text}");
        }
        for failure in [
            Failure::Busy,
            Failure::NotConnected("refused".to_owned()),
            Failure::GaveUp(Duration::from_secs(5)),
        ] {
            assert_eq!(failure.allows(Repeat::Read), None, "{failure}");
        }
    }

    #[test]
    fn only_a_database_that_is_away_or_cannot_work_is_an_outage() {
        for (text, code, ..) in SAID {
            let is_outage = Failure::Statement(of_text(text)).is_outage();
            let wanted = matches!(
                *code,
                "53000"
                    | "53100"
                    | "53200"
                    | "53300"
                    | "53400"
                    | "57P01"
                    | "57P02"
                    | "57P03"
                    | "26000"
                    | "42P05"
            );
            assert_eq!(is_outage, wanted, "{text}");
        }
        assert!(Failure::NotConnected(String::new()).is_outage());
        assert!(Failure::GaveUp(Duration::ZERO).is_outage());
        assert!(!Failure::Busy.is_outage());
    }

    #[test]
    fn an_unreadable_error_after_the_whole_time_limit_counts_as_a_timeout() {
        let error = Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new("annulation".to_owned()));
        assert_eq!(word(StatementError::new(&error, true)), "timed out");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_corrupt_and_says_nothing_against_the_connection() {
        let error = StatementError::new(&Error::DeserializationError("not ours".into()), true);
        assert!(!error.may_be_the_end() && !error.spoils_the_connection());
        assert_eq!(word(error), "corrupt");
    }

    #[test]
    fn an_unreadable_error_before_the_end_of_the_connection_is_an_outage() {
        let error = of_text("Verbindung wird abgebrochen");
        assert!(error.may_be_the_end());
        let error = error.at_the_end(None);
        assert_eq!(error.to_string(), "SQLSTATE 08006: Verbindung wird abgebrochen");
        assert!(error.spoils_the_connection());
        assert_eq!(word(error), "unavailable");
    }
}
