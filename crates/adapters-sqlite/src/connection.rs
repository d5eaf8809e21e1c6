//! The file of the database and the connections to it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Text;
use domain::Cause;
use thiserror::Error as ThisError;

use crate::error::is_lock;
use crate::{search, wanted};

/// Why a database could not be opened. The cause, if there is one, is the source of the error.
#[derive(Debug, ThisError)]
pub enum OpenError {
    /// The path is empty or `:memory:`. The writer and the readers are separate connections, and each would get an
    /// in-memory database of its own.
    #[error("the database has to be a file, and {0:?} names none")]
    NotAFile(PathBuf),
    /// The path is that of a folder.
    #[error("{} is a folder, not a database file", .0.display())]
    IsAFolder(PathBuf),
    /// The folder of the file does not exist; it is not created, because a typing error would go unnoticed.
    #[error("the folder {} of the database file does not exist", .0.display())]
    NoFolder(PathBuf),
    /// The file does not exist and cannot be created.
    #[error("cannot create the database file {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// SQLite cannot use the file: it is no database, locked, damaged, or out of bounds.
    #[error("cannot use {} as the database", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The error of SQLite.
        source: Cause,
    },
    /// The operating system gives no more threads.
    #[error("cannot start a thread for the database")]
    Thread(#[source] io::Error),
}

/// How long the log may stay once it was folded into the file, in bytes: what a long reader or a large change made of
/// it is given back.
const MOST_OF_AN_IDLE_LOG: u32 = 16 * 1024 * 1024;

/// A database file that exists, and how to connect to it.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    uri: String,
    busy_timeout: Duration,
}

impl DatabaseFile {
    /// Finds the file, or creates an empty one that only its owner may read.
    pub(crate) fn find_or_create(path: &Path, busy_timeout: Duration) -> Result<Self, OpenError> {
        if path.as_os_str().is_empty() || path == Path::new(":memory:") {
            return Err(OpenError::NotAFile(path.to_owned()));
        }
        // Absolute, so that a later change of the working folder cannot make the connections differ.
        let path = std::path::absolute(path).map_err(|source| OpenError::Create {
            path: path.to_owned(),
            source,
        })?;
        if path.is_dir() {
            return Err(OpenError::IsAFolder(path));
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            return Err(OpenError::NoFolder(folder.to_owned()));
        }
        if let Err(source) = create_privately(&path) {
            return Err(OpenError::Create { path, source });
        }
        let uri = uri_of(&path);
        Ok(Self {
            path,
            uri,
            busy_timeout,
        })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same file, with a longer timeout for the locks of others.
    pub(crate) fn with_busy_timeout(&self, busy_timeout: Duration) -> Self {
        Self {
            busy_timeout,
            ..self.clone()
        }
    }

    /// A connection that may write. Whatever it commits is on the disk.
    pub(crate) fn connect(&self) -> QueryResult<SqliteConnection> {
        let mut connection = SqliteConnection::establish(&self.uri).map_err(|error| {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(error.to_string()))
        })?;
        connection.batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA journal_size_limit = {MOST_OF_AN_IDLE_LOG};",
            self.busy_timeout.as_millis()
        ))?;
        search::register(&mut connection)?;
        wanted::register(&mut connection)?;
        enter_wal(&mut connection, self.busy_timeout)?;
        Ok(connection)
    }

    /// A connection that refuses to write, so that no change can bypass the writer.
    pub(crate) fn connect_to_read(&self) -> QueryResult<SqliteConnection> {
        let mut connection = self.connect()?;
        connection.batch_execute("PRAGMA query_only = ON;")?;
        Ok(connection)
    }

    /// The fault of the file, for every caller that opens it.
    pub(crate) fn unusable(&self, source: Error) -> OpenError {
        OpenError::Unusable {
            path: self.path.clone(),
            source: source.into(),
        }
    }
}

/// Creates the file with mode 0600 unless it exists. SQLite gives the files beside it the mode of this one.
fn create_privately(path: &Path) -> io::Result<()> {
    // Closing any handle of a file drops the locks that SQLite holds on it in this process. `create_new` never opens
    // a file that was there, and no one gets past here before the handle of a new one is closed.
    static CREATING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::metadata(path).map(|_| ()),
        created => created.map(|_| ()),
    }
}

/// The path as a URI, because only a URI can say `mode=rw`: never create the file, not even when it has gone.
fn uri_of(path: &Path) -> String {
    let mut uri = String::from("file://");
    let bytes = path.as_os_str().as_encoded_bytes();
    if !path.has_root() || bytes.get(1) == Some(&b':') {
        uri.push('/'); // a drive letter follows
    }
    for &byte in bytes {
        match byte {
            _ if char::from(byte) == MAIN_SEPARATOR => uri.push('/'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            // Writing to a `String` cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri.push_str("?mode=rw");
    uri
}

/// Turns write-ahead logging on; the file remembers it. SQLite does not wait for others who do the same to a new
/// file at the same moment, so we do.
fn enter_wal(connection: &mut SqliteConnection, time_limit: Duration) -> QueryResult<()> {
    const PAUSE: Duration = Duration::from_millis(5);
    let deadline = Instant::now() + time_limit;
    loop {
        match sql::<Text>("PRAGMA journal_mode = WAL").get_result::<String>(connection) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                let reason = "the file system cannot do write-ahead logging".to_owned();
                return Err(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(reason)));
            }
            Err(error) if is_lock(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn no_character_of_a_path_means_anything_to_sqlite() {
        assert_eq!(
            uri_of(Path::new("/data/a b?mode=memory&#%é.db")),
            "file:///data/a%20b%3Fmode%3Dmemory%26%23%25%C3%A9.db?mode=rw"
        );
    }

    #[test]
    fn a_reader_cannot_write_and_a_file_that_has_gone_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let file = DatabaseFile::find_or_create(&path, Duration::from_millis(100)).unwrap();
        let mut reader = file.connect_to_read().unwrap();
        let error = reader.batch_execute("CREATE TABLE t (x)").unwrap_err();
        assert_eq!(error.to_string(), "attempt to write a readonly database");
        drop(reader);
        fs::remove_file(&path).unwrap();
        assert!(file.connect().is_err());
        assert!(!path.exists());
    }

    #[test]
    fn every_connection_waits_syncs_and_logs_ahead() {
        let folder = tempfile::tempdir().unwrap();
        let file =
            DatabaseFile::find_or_create(&folder.path().join("tasks.db"), Duration::from_secs(2)).unwrap();
        for mut connection in [file.connect().unwrap(), file.connect_to_read().unwrap()] {
            let mut ask = |pragma: &str| {
                let question = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
                let question = question.replace("busy_timeout AS", "timeout AS");
                sql::<Text>(&question)
                    .get_result::<String>(&mut connection)
                    .unwrap()
            };
            assert_eq!(ask("busy_timeout"), "2000");
            assert_eq!(ask("journal_mode"), "wal");
            assert_eq!(ask("synchronous"), "2");
            assert_eq!(ask("foreign_keys"), "1");
            assert_eq!(ask("journal_size_limit"), "16777216");
        }
    }
}
