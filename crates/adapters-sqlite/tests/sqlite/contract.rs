//! The contracts of the ports, over a fresh file per case.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use adapters_sqlite::{SqliteDatabase, SqliteSettings, SqliteTaskArchive, SqliteTaskRepository};
use tempfile::TempDir;

#[expect(clippy::unused_async, reason = "the contract awaits every `fresh`")]
async fn fresh() -> ((SqliteDatabase, TempDir), SqliteTaskRepository) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = SqliteDatabase::open(&folder.path().join("tasks.db"), SqliteSettings::default())
        .expect("an open database");
    database.migrate().expect("a migrated database");
    let tasks = database.tasks();
    ((database, folder), tasks) // the database is closed before its folder goes
}

domain::task_repository_contract!(fresh);

async fn fresh_archive() -> ((SqliteDatabase, TempDir), SqliteTaskRepository, SqliteTaskArchive) {
    let (guard, tasks) = fresh().await;
    let archive = guard.0.archive();
    (guard, tasks, archive)
}

domain::task_archive_contract!(fresh_archive);
