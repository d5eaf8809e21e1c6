//! Whether the file that the connections have open is still the one that lies at its path.
//!
//! The operating system lets a file be deleted or replaced while it is open. SQLite goes on with the old one and
//! commits to it, and no one will ever see that again. So a few looks at the metadata stand between a commit and those
//! who are told of it. What is read may be older than the last look by [`RELIED_ON`].

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;
use thiserror::Error as ThisError;

/// How long the content may go on to change after another process has committed: it folds its log into the file then.
const FOLDING: Duration = Duration::from_secs(5);
/// How long connections that read rely on a look at the files, and the one that writes on having heard what others
/// committed.
const RELIED_ON: Duration = Duration::from_millis(100);
/// A log of this size was not folded into the file for long: SQLite does so every 4 MiB, unless a reader is in its way.
const LONG_LOG: u64 = 64 * 1024 * 1024;

/// The file of an open database with the two that SQLite keeps beside it.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    id: FileId,
    /// Named after the file that a link leads to.
    log: (PathBuf, FileId),
    index: (PathBuf, FileId),
    /// Its fate, once that is known.
    harm: OnceLock<String>,
    /// The size of the log that the next warning is about.
    long_log: AtomicU64,
}

/// The identity of a file, whatever its name.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

#[cfg(unix)]
impl FileId {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }
}

/// An approximation for systems where an open file cannot be replaced anyway.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(Option<SystemTime>);

#[cfg(not(unix))]
impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.created().ok())
    }
}

/// How long a file is, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    written: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            written: metadata.modified().ok(),
        }
    }
}

/// The fate of the file.
#[derive(Debug, ThisError)]
enum Harm {
    #[error("{} was deleted or moved while the server uses it", .0.display())]
    Gone(PathBuf),
    #[error("{} was replaced by another file while the server uses it", .0.display())]
    Replaced(PathBuf),
    #[error("{} was overwritten while the server uses it", .0.display())]
    Overwritten(PathBuf),
    #[error("{} cannot be looked at: {}", .0.display(), .1)]
    OutOfSight(PathBuf, io::Error),
    #[error("{0}")]
    Known(String),
}

impl From<Harm> for Error {
    fn from(harm: Harm) -> Self {
        Self::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(harm.to_string()))
    }
}

impl Watch {
    /// Begins to watch a database. There is a connection that has read from it, so its files are there.
    ///
    /// # Errors
    /// One of them is not.
    pub(crate) fn over(path: &Path) -> io::Result<Arc<Self>> {
        let real = path.canonicalize()?;
        let beside = |suffix: &str| {
            let mut name = real.clone().into_os_string();
            name.push(suffix);
            let path = PathBuf::from(name);
            let id = FileId::of(&fs::metadata(&path)?);
            io::Result::Ok((path, id))
        };
        Ok(Arc::new(Self {
            path: path.to_owned(),
            id: FileId::of(&fs::metadata(path)?),
            log: beside("-wal")?,
            index: beside("-shm")?,
            harm: OnceLock::new(),
            long_log: AtomicU64::new(LONG_LOG),
        }))
    }

    /// Whether the connections have a file open that is not the one of the path any more, or whose content is not
    /// theirs. That stays so: only a new start begins anew with what is there.
    pub(crate) fn is_lost(&self) -> bool {
        self.harm.get().is_some()
    }

    /// Whether the log is there and belongs to this database.
    pub(crate) fn has_log(&self) -> bool {
        !self.is_lost() && same_file(&self.log.0, self.log.1).is_ok()
    }

    /// The knowledge of one connection about the file.
    pub(crate) fn guard(self: &Arc<Self>, connection: &mut SqliteConnection) -> QueryResult<Guard> {
        let now = Instant::now();
        Ok(Guard {
            seen: self.look()?,
            data_version: data_version(connection)?,
            changing_until: now + FOLDING,
            // A caller who migrates commits meanwhile: the first check asks.
            relied_on_until: now,
            watch: Arc::clone(self),
        })
    }

    fn known_harm(&self) -> Result<(), Harm> {
        match self.harm.get() {
            Some(harm) => Err(Harm::Known(harm.clone())),
            None => Ok(()),
        }
    }

    /// Whether all files are the ones that were opened.
    fn look(&self) -> Result<Stamp, Harm> {
        let stamp = self.look_at_content()?;
        let log = self.same_file(&self.log.0, self.log.1)?;
        self.same_file(&self.index.0, self.index.1)?;
        self.warn_about_long(log.length);
        Ok(stamp)
    }

    /// Whether the database is, without the files beside it.
    fn look_at_content(&self) -> Result<Stamp, Harm> {
        self.known_harm()?;
        self.same_file(&self.path, self.id)
    }

    fn same_file(&self, path: &Path, id: FileId) -> Result<Stamp, Harm> {
        let looked = same_file(path, id);
        if let Err(harm @ (Harm::Gone(_) | Harm::Replaced(_))) = &looked {
            self.give_up(harm);
        }
        looked
    }

    /// Once. What stands in the log belongs to the file that it was written for; SQLite would apply it to whatever lies
    /// at the path at the next start.
    fn give_up(&self, harm: &Harm) {
        if self.harm.set(harm.to_string()).is_err() {
            return;
        }
        for (path, id) in [&self.log, &self.index] {
            if same_file(path, *id).is_ok() {
                let mut aside = path.clone().into_os_string();
                aside.push(".set-aside");
                // If it cannot be renamed, the line says what to do.
                let _ = fs::rename(path, aside);
            }
        }
        tracing::error!(
            cause = %harm,
            "the database file is not the one that was opened: every call is answered as an outage until the server is \
             started again with the file that is to be used. A left-over -wal file was renamed to -wal.set-aside"
        );
    }

    fn warn_about_long(&self, log: u64) {
        let limit = self.long_log.load(Ordering::Relaxed);
        if log >= limit {
            self.long_log.store(limit.saturating_mul(2), Ordering::Relaxed);
            tracing::warn!(
                bytes = log,
                "the -wal file of the database grows and cannot be folded into the file: another process has been reading for \
                 long, or the file cannot be written"
            );
        } else if log < LONG_LOG && limit != LONG_LOG {
            self.long_log.store(LONG_LOG, Ordering::Relaxed);
        }
    }
}

fn same_file(path: &Path, id: FileId) -> Result<Stamp, Harm> {
    match fs::metadata(path) {
        Ok(metadata) if FileId::of(&metadata) == id => Ok(Stamp::of(&metadata)),
        Ok(_) => Err(Harm::Replaced(path.to_owned())),
        // A folder on the way that is no folder any more.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(Harm::Gone(path.to_owned()))
        }
        Err(error) => Err(Harm::OutOfSight(path.to_owned(), error)),
    }
}

/// A number that changes whenever another connection has committed.
struct DataVersion;

impl QueryFragment<Sqlite> for DataVersion {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("PRAGMA data_version");
        Ok(())
    }
}

impl Query for DataVersion {
    type SqlType = BigInt;
}

impl QueryId for DataVersion {
    type QueryId = Self;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Connection> RunQueryDsl<Connection> for DataVersion {}

fn data_version(connection: &mut SqliteConnection) -> QueryResult<i64> {
    DataVersion.get_result(connection)
}

/// The knowledge of one connection about the file.
#[derive(Debug)]
pub(crate) struct Guard {
    watch: Arc<Watch>,
    seen: Stamp,
    data_version: i64,
    changing_until: Instant,
    /// Until then `check` does not look, and `check_before_commit` does not ask for other connections' commits.
    relied_on_until: Instant,
}

impl Guard {
    pub(crate) fn is_lost(&self) -> bool {
        self.watch.is_lost()
    }

    /// Makes sure that the file is the one that is open, and that no one has written to it past SQLite (`cp` over it):
    /// it changes only when commits are folded into it, ours or another connection's. For the connection that writes:
    /// it knows of each commit whether it is its own.
    pub(crate) fn check_before_commit(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        let stamp = self.watch.look_at_content()?;
        let now = Instant::now();
        if stamp == self.seen && now < self.relied_on_until {
            return Ok(());
        }
        self.relied_on_until = now + RELIED_ON;
        self.compare(stamp, now, connection)
    }

    /// The same for a connection that reads. It finds out about something written past SQLite only if no one has
    /// committed since the file last changed; the next write finds it out for certain.
    pub(crate) fn check(&mut self, connection: &mut SqliteConnection) -> QueryResult<()> {
        self.watch.known_harm()?;
        let now = Instant::now();
        if now < self.relied_on_until {
            return Ok(());
        }
        let stamp = self.watch.look()?;
        self.relied_on_until = now + RELIED_ON;
        if stamp == self.seen {
            return Ok(());
        }
        self.compare(stamp, now, connection)
    }

    fn compare(&mut self, stamp: Stamp, now: Instant, connection: &mut SqliteConnection) -> QueryResult<()> {
        let data_version = data_version(connection)?;
        if data_version != self.data_version {
            self.data_version = data_version;
            self.changing_until = now + FOLDING;
        } else if stamp != self.seen && now > self.changing_until {
            let harm = Harm::Overwritten(self.watch.path.clone());
            self.watch.give_up(&harm);
            return Err(harm.into());
        }
        self.seen = stamp;
        Ok(())
    }

    /// The connection has committed, and perhaps folded the log into the file.
    pub(crate) fn check_after_commit(&mut self) -> QueryResult<()> {
        self.seen = self.watch.look()?;
        Ok(())
    }
}
