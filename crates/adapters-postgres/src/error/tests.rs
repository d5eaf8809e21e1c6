use super::*;

fn of(kind: DatabaseErrorKind, message: &str) -> StatementError {
    let error = Error::DatabaseError(kind, Box::new(message.to_owned()));
    StatementError::new(&error, false)
}

pub(crate) fn of_text(message: &str) -> StatementError {
    of(DatabaseErrorKind::Unknown, message)
}

/// What the port calls an error.
fn word(error: StatementError) -> &'static str {
    match StorageError::from(Failure::Statement(error)) {
        StorageError::Unavailable(_) => "unavailable",
        StorageError::TimedOut(_) => "timed out",
        StorageError::Refused(_) => "refused",
        StorageError::Corrupt(_) => "corrupt",
        StorageError::Unexpected(_) => "unexpected",
        StorageError::Busy => "busy",
    }
}

/// What the server and poolers say, its code, its word, and whether the connection is kept.
#[rustfmt::skip]
pub(crate) const SAID: &[(&str, &str, &str, bool)] = &[
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
    ("column \"mood\" does not exist", "", "unexpected", false),
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
fn only_a_database_that_is_away_or_cannot_work_is_an_outage() {
    for (text, code, ..) in SAID {
        let is_outage = Failure::Statement(of_text(text)).is_outage();
        let wanted = matches!(
            *code,
            "53000" | "53100" | "53200" | "53300" | "53400" | "57P01" | "57P02" | "57P03" | "26000" | "42P05"
        );
        assert_eq!(is_outage, wanted, "{text}");
    }
    assert!(Failure::NotConnected(String::new()).is_outage());
    for is_silence in [true, false] {
        let gave_up = Failure::GaveUp {
            after: Duration::ZERO,
            is_silence,
        };
        assert_eq!(gave_up.is_outage(), is_silence);
    }
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
