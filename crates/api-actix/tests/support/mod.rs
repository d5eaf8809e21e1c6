//! The real binary for a test, and what `test-api` has to speak to it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]
#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]

mod binary;

pub(crate) use binary::{Binary, Process, TaskApi};
pub(crate) use test_api::{
    Answer, Api, Exposition, SECRET, User, Wire, description, http_client, signed, signed_with, token_for,
    token_signed_with, unread_by,
};

/// Where the tasks of a test are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Sqlite,
    Postgres,
}

/// Starts the binary over an empty storage of its own.
pub(crate) async fn api_over(storage: Storage) -> Api {
    match storage {
        Storage::Sqlite => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
            let binary = TaskApi::serve_on(&url).start().await;
            binary.into_api_with(folder)
        }
        Storage::Postgres => {
            let database = test_postgres::fresh_database().await;
            let binary = TaskApi::serve_on(database.url()).start().await;
            binary.into_api_with(database)
        }
    }
}
