//! Keeps tasks in one SQLite file: the adapter for a machine without a database server.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use adapters_sqlite::{SqliteDatabase, SqliteSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let database = SqliteDatabase::open(Path::new("tasks.db"), SqliteSettings::default())?;
//! let applied = database.migrate()?;
//! let tasks = database.tasks(); // cheap to clone; a `TaskRepository` and a `StorageHealth`
//! # Ok(())
//! # }
//! ```
//!
//! # How a call travels
//!
//! ```text
//! SqliteTaskRepository ──> Lanes ──> Queue ──> the writer         one connection, group commit
//!                                          └─> a few readers      a connection each, one call at a time
//! ```
//!
//! A call becomes a *job*: a closure over the connection, and a channel for its answer. It joins the queue, in which
//! users take turns, or is turned away with `Busy` if the queue is full and no other user has more waiting, and waits
//! for the answer up to a time limit. Nothing ever blocks the threads of the async runtime.
//!
//! * **Writes** are done by one thread, because SQLite has one writer at a time. Those that arrive while a commit
//!   runs share the next one, each in a savepoint of its own, so that one sync of the disk pays for up to 64 of them.
//!   A write is answered after that sync: what was acknowledged survives a crash and a power cut.
//! * **Reads** see the last commit (write-ahead logging) and never wait for a write. Those that look at everything a
//!   user has leave one reader to the others, and end soon after their caller has gone.
//!
//! Other processes may use the same file; their locks are waited for, and in the end answered with `TimedOut`.
//!
//! # Where things are
//!
//! | File | What lives there |
//! |---|---|
//! | `tasks.rs` | the port: which job each call is, and in which lane |
//! | `tasks/statements.rs`, `tasks/lists.rs` | the statements about one task, and those about many |
//! | `tasks/archive.rs` | the port of operators and its statements |
//! | `tasks/row.rs` | the way from rows to tasks and back |
//! | `search.rs`, `wanted.rs` | the SQL functions that a search needs, and the one that ends a scan that no caller waits for |
//! | `schema.rs` | the tables as diesel sees them; the truth is in `migrations/sqlite` |
//! | `error.rs` | the one way from diesel's errors to the port's |
//! | `connection.rs`, `migrations.rs` | the file, its connections, its migrations |
//! | `lanes.rs`, `queue.rs`, `turn.rs`, `job.rs`, `writer.rs`, `readers.rs` | the way of a call; they know nothing of tasks |
//! | `watch.rs` | whether the file that is open is still the one at its path |
//! | `stats.rs` | the use of the lanes in numbers |
//!
//! # Adding a statement
//!
//! Its text must be fixed, or one of a few that depend on no value, so that diesel prepares it once per connection:
//! the test `statements.rs` fails otherwise. Its `WHERE` starts with the owner. If it reads before it writes, both
//! belong into one job of the write lane.

mod connection;
mod error;
mod job;
mod lanes;
mod migrations;
mod queue;
mod readers;
mod schema;
mod search;
mod stats;
mod tasks;
mod turn;
mod wanted;
mod watch;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::Text;

pub use crate::connection::OpenError;
pub use crate::migrations::{MigrateError, SchemaState};
pub use crate::stats::{DatabaseStats, LaneStats};
pub use crate::tasks::{SqliteTaskArchive, SqliteTaskRepository};

use crate::connection::DatabaseFile;
use crate::lanes::Lanes;
use crate::queue::{Queue, Side};
use crate::watch::{Guard, Watch};
use crate::writer::{MOST_PER_COMMIT, Writer};

/// The limits of a database. The defaults suit a small server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteSettings {
    /// How many threads read; at least one does. By default one per core, but 2 to 4.
    pub readers: usize,
    /// How many calls may use or wait for the database. Beyond that the newest one of the user who has the most is
    /// answered with `Busy`. 512 by default.
    pub max_in_flight: usize,
    /// How long SQLite waits for the lock of another process. 2 seconds by default.
    pub busy_timeout: Duration,
    /// How long a call waits for its answer before it is answered with `TimedOut`; a call that has not begun by then
    /// is not done. 5 seconds by default.
    pub call_timeout: Duration,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self {
            readers: cores.clamp(2, 4),
            max_in_flight: 512,
            busy_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(5),
        }
    }
}

/// An open database: the file, its connections and the threads that own them. One per process is enough.
///
/// Dropping it closes it, as [`SqliteDatabase::close`] does.
pub struct SqliteDatabase {
    file: DatabaseFile,
    version: String,
    schema: SchemaState,
    lanes: Arc<Lanes>,
    watch: Arc<Watch>,
    /// Each hands its connection back when it ends, if it still has one.
    threads: Mutex<Vec<JoinHandle<Option<SqliteConnection>>>>,
}

impl SqliteDatabase {
    /// Opens the file, or creates it with mode 0600, and starts the threads. Blocks while it does.
    ///
    /// # Errors
    /// The path names no file or lies in no folder, or the file cannot be used as a database.
    pub fn open(path: &Path, settings: SqliteSettings) -> Result<Self, OpenError> {
        let file = DatabaseFile::find_or_create(path, settings.busy_timeout)?;
        let Opened {
            writer,
            readers,
            version,
            schema,
            watch,
        } = connect(&file, settings.readers).map_err(|error| file.unusable(error))?;
        let mut database = Self {
            file,
            version,
            schema,
            lanes: Arc::new(Lanes::new(
                Queue::new(settings.max_in_flight, readers.len(), MOST_PER_COMMIT),
                settings.call_timeout,
            )),
            watch,
            threads: Mutex::default(),
        };
        database.start(writer, readers).map_err(OpenError::Thread)?;
        Ok(database)
    }

    fn start(&mut self, writer: Writer, readers: Vec<(SqliteConnection, Guard)>) -> std::io::Result<()> {
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        let worker = self.lanes.queue.worker(Side::Writer);
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        threads.push(named("sqlite-writer").spawn(move || writer.serve(&worker))?);
        for (reader, guard) in readers {
            let worker = self.lanes.queue.worker(Side::Readers);
            threads.push(named("sqlite-reader").spawn(move || Some(readers::serve(&worker, reader, guard)))?);
        }
        Ok(())
    }

    /// Runs the migrations that have not run yet, all in one transaction, and returns their names, oldest first.
    /// Several processes may do so at once: one of them migrates, the others wait for it. Blocks while it does.
    ///
    /// # Errors
    /// A migration failed, or another process holds the file for more than 30 seconds; nothing has changed then.
    pub fn migrate(&self) -> Result<Vec<String>, MigrateError> {
        migrations::migrate(&self.file)
    }

    /// The repository of tasks in this database. It answers `Unavailable` once the database is closed.
    ///
    /// Its calls need a tokio runtime with time.
    #[must_use]
    pub fn tasks(&self) -> SqliteTaskRepository {
        SqliteTaskRepository::new(Arc::clone(&self.lanes))
    }

    /// How the database is used right now. Never touches it.
    #[must_use]
    pub fn stats(&self) -> DatabaseStats {
        let (in_flight, max_in_flight) = self.lanes.queue.in_flight();
        DatabaseStats {
            reads: self.lanes.queue.stats(Side::Readers),
            writes: self.lanes.queue.stats(Side::Writer),
            in_flight,
            max_in_flight,
        }
    }

    /// Lets no more calls in, finishes those that wait, and closes the file, which is one file then; if it is not, says
    /// so in the log. Blocks while it does, also for anyone who does the same meanwhile. Dropping the database does it
    /// too, and says nothing: commands leave the log to the server that they share the file with.
    pub fn close(&self) {
        self.end();
        if self.watch.has_log() {
            tracing::warn!(
                "the -wal file of the database is still there, because another process has the database open or the file cannot \
                 be written: a copy of the database without it lacks the last changes"
            );
        }
    }

    fn end(&self) {
        self.lanes.queue.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // Connections are closed here, one after the other: the last one moves the log of the file into it and
            // removes it, and of several that close at once each takes another one for the last.
            if let Ok(connection) = thread.join() {
                if self.watch.is_lost() {
                    // Closing it would fold its log into a file that is not its own any more, or remove that of
                    // another.
                    std::mem::forget(connection);
                }
            } else {
                tracing::error!("a thread of the SQLite database had panicked");
            }
        }
    }

    /// The archive of operators over this database. As [`SqliteDatabase::tasks`] otherwise.
    #[must_use]
    pub fn archive(&self) -> SqliteTaskArchive {
        SqliteTaskArchive::new(&self.lanes)
    }

    /// The version of SQLite.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How the tables stood to the migrations of this program when the database was opened.
    #[must_use]
    pub fn schema(&self) -> &SchemaState {
        &self.schema
    }
}

impl Drop for SqliteDatabase {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDatabase")
            .field("path", &self.file.path())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The findings of opening a database.
struct Opened {
    writer: Writer,
    readers: Vec<(SqliteConnection, Guard)>,
    version: String,
    schema: SchemaState,
    watch: Arc<Watch>,
}

/// Every connection that the threads will need, and what the first one learns.
fn connect(file: &DatabaseFile, readers: usize) -> QueryResult<Opened> {
    let writer = Writer::open(file.clone())?;
    let mut reader = file.connect_to_read()?;
    let version = sql::<Text>("SELECT sqlite_version()").get_result(&mut reader)?;
    let schema = migrations::state(&mut reader)?;
    // The connection has read, so the files beside the database are there, and stay until the last connection closes.
    let watch = Watch::over(file.path()).map_err(|error| {
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(error.to_string()))
    })?;
    let guard = watch.guard(&mut reader)?;
    let mut connections = vec![(reader, guard)];
    for _ in 1..readers {
        let mut reader = file.connect_to_read()?;
        let guard = watch.guard(&mut reader)?;
        connections.push((reader, guard));
    }
    Ok(Opened {
        writer: writer.watched_by(&watch)?,
        readers: connections,
        version,
        schema,
        watch,
    })
}
