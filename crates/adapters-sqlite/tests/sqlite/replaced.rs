//! A file that is deleted, moved, replaced or overwritten underneath an open database: nothing is acknowledged that
//! would not be there after a new start, and a new start finds what the file says.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use adapters_sqlite::{SqliteDatabase, SqliteSettings, SqliteTaskRepository};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{InsertError, Inserted, Task, TaskFilter, TaskRepository};
use domain::testing::{a_task, an_owner};

/// A database in a folder within a folder, with one task that a backup has, and one that came after it.
struct Bench {
    database: SqliteDatabase,
    tasks: SqliteTaskRepository,
    in_backup: Task,
    path: PathBuf,
    backup: PathBuf,
    outer: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let folder = outer.path().join("inner");
        fs::create_dir(&folder).expect("a folder");
        let path = folder.join("tasks.db");
        // One reader: then a read relies on what the one before it has seen.
        let settings = SqliteSettings {
            readers: 1,
            ..SqliteSettings::default()
        };
        let database = SqliteDatabase::open(&path, settings).expect("an open database");
        database.migrate().expect("a migrated database");
        let tasks = database.tasks();
        let in_backup = a_task(&an_owner(), "in the backup");
        tasks.insert(&in_backup, None).await.expect("an insertion");
        let backup = outer.path().join("backup.db");
        let mut stranger = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("a connection");
        let copy = format!("VACUUM INTO '{}'", backup.display());
        stranger.batch_execute(&copy).expect("a backup");
        drop(stranger);
        let later = a_task(&an_owner(), "later");
        tasks.insert(&later, None).await.expect("an insertion");
        Self {
            database,
            tasks,
            in_backup,
            path,
            backup,
            outer,
        }
    }

    /// Nothing is acknowledged any more, and the answers say why. Writes come first, or reads do: those may be a tenth
    /// of a second behind.
    async fn is_lost(&self, cause: &str, writes_first: bool) {
        let write = async || match self.tasks.insert(&a_task(&an_owner(), "new"), None).await {
            Err(InsertError::Storage(error)) => Some(error),
            _ => None,
        };
        let read = async || {
            self.tasks
                .find(self.in_backup.owner(), self.in_backup.id())
                .await
                .err()
        };
        let errors = if writes_first {
            [write().await, read().await, self.tasks.check().await.err()]
        } else {
            tokio::time::sleep(Duration::from_millis(150)).await;
            [read().await, write().await, self.tasks.check().await.err()]
        };
        for error in errors {
            let Some(StorageError::Unavailable(found)) = error else {
                panic!("{error:?}")
            };
            assert!(found.to_string().ends_with(cause), "{found}");
        }
        assert!(self.tasks.is_degraded());
    }
}

async fn count_at(path: &Path) -> u64 {
    let database = SqliteDatabase::open(path, SqliteSettings::default()).expect("an open database");
    database.migrate().expect("a migrated database");
    let tasks = database.tasks();
    let count = tasks
        .count(&an_owner(), &TaskFilter::default())
        .await
        .expect("a count");
    let inserted = tasks.insert(&a_task(&an_owner(), "goes on"), None).await;
    assert_eq!(inserted.expect("an insertion"), Inserted::New);
    count
}

const DELETED: &str = "was deleted or moved while the server uses it";
const REPLACED: &str = "was replaced by another file while the server uses it";

#[tokio::test(flavor = "multi_thread")]
async fn after_its_folder_was_deleted_nothing_is_acknowledged() {
    for writes_first in [true, false] {
        let bench = Bench::new().await;
        let folder = bench.path.parent().expect("a folder");
        fs::remove_dir_all(folder).expect("a removal");
        bench.is_lost(DELETED, writes_first).await;
        fs::create_dir(folder).expect("a folder");
        bench.is_lost(DELETED, writes_first).await;
        drop(bench.database);
        assert_eq!(count_at(&bench.path).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_folder_was_moved_nothing_is_acknowledged_and_all_is_there_once_it_is_back() {
    for writes_first in [true, false] {
        let bench = Bench::new().await;
        let elsewhere = bench.outer.path().join("elsewhere");
        let folder = bench.path.parent().expect("a folder");
        fs::rename(folder, &elsewhere).expect("a move");
        bench.is_lost(DELETED, writes_first).await;
        fs::rename(&elsewhere, folder).expect("a move");
        bench.is_lost(DELETED, writes_first).await;
        drop(bench.database);
        // What was committed and never acknowledged may be there too.
        let count = count_at(&bench.path).await;
        assert!((2..=3).contains(&count), "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_backup_was_moved_over_it_nothing_is_acknowledged_and_a_new_start_has_the_backup() {
    for writes_first in [true, false] {
        let bench = Bench::new().await;
        fs::rename(&bench.backup, &bench.path).expect("a move");
        bench.is_lost(REPLACED, writes_first).await;
        drop(bench.database);
        assert_eq!(
            count_at(&bench.path).await,
            1,
            "the log of the other file is not applied"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_backup_was_copied_over_it_nothing_is_acknowledged_and_a_new_start_has_the_backup() {
    let bench = Bench::new().await;
    // Another connection has just committed, the one that migrates: for a while the file may change.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    fs::copy(&bench.backup, &bench.path).expect("a copy");
    bench
        .is_lost("was overwritten while the server uses it", true)
        .await;
    drop(bench.database);
    // Elsewhere, as another process: this one keeps the locks of the file.
    let elsewhere = bench.outer.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    for name in ["tasks.db", "tasks.db-wal", "tasks.db-shm"] {
        let file = bench.path.with_file_name(name);
        if file.exists() {
            fs::copy(&file, elsewhere.join(name)).expect("a copy");
        }
    }
    assert_eq!(
        count_at(&elsewhere.join("tasks.db")).await,
        1,
        "the log of the other file is not applied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_over_a_file_that_was_only_migrated_is_noticed_while_nothing_is_written() {
    let other = Bench::new().await;
    let outer = tempfile::tempdir().expect("a temporary folder");
    let path = outer.path().join("tasks.db");
    let database = SqliteDatabase::open(&path, SqliteSettings::default()).expect("an open database");
    database.migrate().expect("a migrated database");
    let tasks = database.tasks();
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    fs::copy(&other.backup, &path).expect("a copy");
    let copied = Instant::now();
    while tasks.check().await.is_ok() {
        assert!(copied.elapsed() < Duration::from_secs(3), "still healthy");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = tasks.insert(&a_task(&an_owner(), "new"), None).await;
    assert!(
        matches!(refused, Err(InsertError::Storage(StorageError::Unavailable(_)))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_all_the_time_notices_after_a_moment_and_whoever_writes_at_once() {
    let bench = Bench::new().await;
    let read = async || {
        bench
            .tasks
            .find(bench.in_backup.owner(), bench.in_backup.id())
            .await
    };
    read().await.expect("a task");
    fs::remove_file(&bench.path).expect("a removal");
    let deleted = Instant::now();
    while read().await.is_ok() {
        assert!(deleted.elapsed() < Duration::from_secs(1), "still told");
    }
    bench.is_lost(DELETED, false).await;

    let bench = Bench::new().await;
    let write = async || bench.tasks.insert(&a_task(&an_owner(), "new"), None).await;
    for _ in 0..100 {
        write().await.expect("an insertion");
    }
    fs::remove_file(&bench.path).expect("a removal");
    write()
        .await
        .expect_err("it would not be there after a new start");
    bench.is_lost(DELETED, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_deleted_or_replaced_is_noticed() {
    for suffix in ["-wal", "-shm"] {
        for (is_replaced, cause) in [(false, DELETED), (true, REPLACED)] {
            let bench = Bench::new().await;
            let beside = PathBuf::from(format!("{}{suffix}", bench.path.display()));
            fs::remove_file(&beside).expect("a removal");
            if is_replaced {
                // In the presence of others no number of a deleted file is used again at once.
                fs::write(bench.path.with_extension("other"), "").expect("a file");
                fs::write(&beside, "").expect("a file");
            }
            bench.is_lost(cause, true).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_who_commit_and_fold_their_log_into_the_file_are_no_harm() {
    let bench = Bench::new().await;
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let mut stranger =
        SqliteConnection::establish(bench.path.to_str().expect("UTF-8")).expect("a connection");
    let much = "PRAGMA wal_checkpoint(TRUNCATE);
        CREATE TABLE other (x); INSERT INTO other VALUES (zeroblob(1000000)); DROP TABLE other;
        PRAGMA wal_checkpoint(PASSIVE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    for statement in much.split(';') {
        stranger.batch_execute(statement).expect(statement);
        for _ in 0..3 {
            let inserted = bench.tasks.insert(&a_task(&an_owner(), "new"), None).await;
            assert_eq!(inserted.expect(statement), Inserted::New);
            bench.tasks.check().await.expect(statement);
        }
    }
}
