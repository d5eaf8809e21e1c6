//! A migrated database in a folder of its own.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::path::PathBuf;

use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use tempfile::TempDir;

/// The fields go from top to bottom: the database is closed before its folder goes.
pub(crate) struct Fixture {
    pub(crate) database: SqliteDatabase,
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) fn with(settings: SqliteSettings) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tasks.db");
        let database = SqliteDatabase::open(&path, settings).expect("an open database");
        database.migrate().expect("a migrated database");
        Self {
            database,
            path,
            _folder: folder,
        }
    }
}
