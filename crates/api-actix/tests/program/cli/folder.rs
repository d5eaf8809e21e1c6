//! Databases with as many tasks as a test needs.

use std::path::PathBuf;

use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use domain::task::{ArchivedTask, TaskArchive};
use domain::testing::{a_task, an_owner_named};
use tempfile::TempDir;

/// A folder for databases.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name).display())
    }

    /// The URL of a new database where each of these users has this many tasks.
    pub(crate) async fn database(&self, name: &str, users: &[(&str, usize)]) -> String {
        let database = SqliteDatabase::open(&self.path(name), SqliteSettings::default());
        let database = database.expect("a database");
        database.migrate().expect("tables");
        for (user, count) in users {
            let tasks: Vec<_> = (0..*count).map(|_| task_of(user)).collect();
            for batch in tasks.chunks(1_000) {
                database
                    .archive()
                    .import(batch.to_vec())
                    .await
                    .expect("an import");
            }
        }
        self.url(name)
    }
}

fn task_of(user: &str) -> ArchivedTask {
    ArchivedTask {
        task: a_task(&an_owner_named(user), "title"),
        key: None,
    }
}
