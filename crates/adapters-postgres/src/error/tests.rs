use super::*;

fn of(kind: DatabaseErrorKind, message: &str) -> StatementError {
    let error = Error::DatabaseError(kind, Box::new(message.to_owned()));
    StatementError::new(&error)
}

/// As the server's text comes through diesel.
pub(crate) fn said(code: &str, text: &str) -> StatementError {
    of(DatabaseErrorKind::Unknown, &format!("SQLSTATE {code}: {text}"))
}

/// The port's name of an error.
fn word(error: StatementError) -> &'static str {
    match StorageError::from(AttemptFailure::Statement(error)) {
        StorageError::Unavailable(_) => "unavailable",
        StorageError::TimedOut(_) => "timed out",
        StorageError::Refused(_) => "refused",
        StorageError::Corrupt(_) => "corrupt",
        StorageError::Unexpected(_) => "unexpected",
        StorageError::Busy => "busy",
    }
}

/// Errors of servers and poolers with their code, its word, and whether the connection is kept. The language does not
/// matter.
#[rustfmt::skip]
pub(crate) const SAID: &[(&str, &str, &str, bool)] = &[
    ("55P03", "canceling statement due to lock timeout", "timed out", true),
    ("57014", "canceling statement due to statement timeout", "timed out", true),
    ("57014", "canceling statement due to user request", "timed out", true),
    ("40P01", "deadlock detected", "unavailable", true),
    ("53000", "out of file descriptors: Too many open files; release and retry", "unavailable", true),
    ("53100", "could not extend file \"base/5/1\": No space left on device", "unavailable", true),
    ("53200", "out of memory", "unavailable", true),
    ("53200", "out of shared memory", "unavailable", true),
    ("53300", "sorry, too many clients already", "unavailable", false),
    ("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute", "unavailable", false),
    ("53400", "temporary file size exceeds temp_file_limit (1024kB)", "unavailable", true),
    ("57P01", "terminating connection due to administrator command", "unavailable", false),
    ("57P01", "terminating connection due to unexpected postmaster exit", "unavailable", false),
    ("57P02", "terminating connection because of crash of another server process", "unavailable", false),
    ("57P03", "the database system is shutting down", "unavailable", false),
    ("57P05", "terminating connection due to idle-session timeout", "unavailable", false),
    ("0A000", "cached plan must not change result type", "unavailable", false),
    ("26000", "prepared statement \"s4\" does not exist", "unavailable", false),
    ("42P05", "prepared statement \"s13\" already exists", "unavailable", false),
    ("22021", "invalid byte sequence for encoding \"UTF8\": 0x00", "refused", true),
    ("22P05", "character with byte sequence 0xe2 0x82 0xac in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"", "refused", true),
    ("22P05", "unsupported Unicode escape sequence", "refused", true),
    ("42P01", "relation \"tasks\" does not exist", "unexpected", true),
    ("42501", "permission denied for table tasks", "unexpected", true),
    ("42703", "column \"mood\" does not exist", "unexpected", true),
    ("55P03", "storniere Anfrage wegen Zeitüberschreitung einer Sperre", "timed out", true),
    ("57014", "storniere Anfrage wegen Zeitüberschreitung der Anfrage", "timed out", true),
    ("40P01", "Verklemmung (Deadlock) entdeckt", "unavailable", true),
    ("40001", "konnte Zugriff nicht serialisieren", "unavailable", true),
    ("40003", "statement completion unknown", "unavailable", false),
    ("53200", "Speicher aufgebraucht", "unavailable", true),
    ("53300", "tut mir leid, schon zu viele Verbindungen", "unavailable", false),
    ("57P01", "breche Verbindung ab aufgrund von Anweisung des Administrators", "unavailable", false),
    ("57P03", "das Datenbanksystem startet", "unavailable", false),
    ("0A000", "gecachter Plan darf den Ergebnistyp nicht ändern", "unavailable", false),
    ("25006", "kann UPDATE nicht in einer Read-Only-Transaktion ausführen", "unavailable", false),
    ("08006", "connection to the remote node localhost:9701 failed", "unavailable", false),
    ("08P01", "query_wait_timeout", "unavailable", false),
    ("08P01", "prepared statement did not exist", "unavailable", false),
    ("23514", "neue Zeile für Relation »tasks« verletzt Check-Constraint »title«", "refused", true),
    ("23505", "doppelter Schlüsselwert verletzt Unique-Constraint", "unexpected", true),
    ("23502", "NULL-Wert in Spalte »title« verletzt Not-Null-Constraint", "unexpected", true),
    ("42P01", "Relation »tasks« existiert nicht", "unexpected", true),
    ("42501", "keine Berechtigung für Tabelle tasks", "unexpected", true),
    ("XX000", "interner Fehler", "unexpected", false),
    ("P0001", "what a trigger raises", "unexpected", false),
];

#[test]
fn what_the_server_says_has_its_code_its_word_and_its_connection() {
    for (code, text, wanted, is_kept) in SAID {
        let error = said(code, text);
        assert_eq!(error.to_string(), format!("SQLSTATE {code}: {text}"));
        assert_eq!(error.spoils_the_connection(), !is_kept, "{text}");
        assert_eq!(word(error), *wanted, "{text}");
    }
}

#[test]
fn what_the_driver_says_itself_is_the_loss_of_the_connection() {
    for kind in [
        DatabaseErrorKind::UnableToSendCommand,
        DatabaseErrorKind::ClosedConnection,
    ] {
        let error = of(kind, "connection closed");
        assert_eq!(error.to_string(), "SQLSTATE 08006: connection closed");
        assert!(error.spoils_the_connection());
        assert_eq!(word(error), "unavailable");
    }
}

#[test]
fn without_a_code_a_text_means_nothing_and_the_connection_is_dropped() {
    let error = of(DatabaseErrorKind::Unknown, "deadlock detected");
    assert!(error.spoils_the_connection() && error.may_be_the_end());
    assert_eq!(word(error), "unexpected");
}

#[test]
fn only_a_database_that_is_away_or_cannot_work_is_an_outage() {
    for (code, text, ..) in SAID {
        let is_outage = AttemptFailure::Statement(said(code, text)).is_outage();
        let wanted = matches!(code.get(..2), Some("08" | "53" | "57")) && !["57014", "57P05"].contains(code)
            || ["25006", "26000", "40003", "42P05"].contains(code);
        assert_eq!(is_outage, wanted, "{text}");
    }
    assert!(AttemptFailure::NotConnected(String::new()).is_outage());
    for is_silence in [true, false] {
        let gave_up = AttemptFailure::GaveUp {
            after: Duration::ZERO,
            is_silence,
        };
        assert_eq!(gave_up.is_outage(), is_silence);
    }
    assert!(!AttemptFailure::Busy.is_outage());
}

#[test]
fn a_value_that_cannot_be_read_is_corrupt_and_says_nothing_against_the_connection() {
    let error = StatementError::new(&Error::DeserializationError("not ours".into()));
    assert!(!error.may_be_the_end() && !error.spoils_the_connection());
    assert_eq!(word(error), "corrupt");
}

#[test]
fn an_unreadable_error_before_the_end_of_the_connection_is_an_outage() {
    let error = of(DatabaseErrorKind::Unknown, "Verbindung wird abgebrochen");
    assert!(error.may_be_the_end());
    let error = error.at_the_end(None);
    assert_eq!(error.to_string(), "SQLSTATE 08006: Verbindung wird abgebrochen");
    assert!(error.spoils_the_connection());
    assert_eq!(word(error), "unavailable");
}
