//! A running API for a test, and a client that speaks for its users.
//!
//! `Api::over(Storage::Memory)` serves the whole application from this process; the other two start the real binary, with
//! a database of its own. A suite that is written once as functions over `&Api` runs on all three with
//! [`on_every_storage!`].
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

mod binary;
mod description;
mod memory;
mod users;
mod wire;

pub(crate) use binary::{Binary, Process, TaskApi};
pub(crate) use description::{Description, GoodRequest, description};
pub(crate) use memory::Parts;
pub(crate) use users::{Answer, SECRET, User, signed, signed_with, token_for, token_signed_with};
pub(crate) use wire::Wire;

/// Where the tasks of a test are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    Memory,
    Sqlite,
    Postgres,
}

/// A running API. It stops with the value.
pub(crate) struct Api {
    url: String,
    client: reqwest::Client,
    storage: Storage,
    _server: Box<dyn Send + Sync>,
}

impl Api {
    /// Starts one with an empty storage.
    pub(crate) async fn over(storage: Storage) -> Self {
        match storage {
            Storage::Memory => Self::serving(Parts::default()),
            Storage::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let file = folder.path().join("tasks.db");
                let binary = TaskApi::serve()
                    .env("DATABASE_URL", &format!("sqlite:{}", file.display()))
                    .start()
                    .await;
                Self::at(binary.url().to_owned(), storage, Box::new((binary, folder)))
            }
            Storage::Postgres => {
                let database = test_postgres::fresh_database().await;
                let binary = TaskApi::serve().env("DATABASE_URL", database.url()).start().await;
                Self::at(binary.url().to_owned(), storage, Box::new((binary, database)))
            }
        }
    }

    /// Serves an application made of these parts from this process.
    pub(crate) fn serving(parts: Parts) -> Self {
        let server = memory::serve(parts);
        Self::at(server.url().to_owned(), Storage::Memory, Box::new(server))
    }

    /// Speaks to a server that the test has started itself.
    pub(crate) fn of(binary: Binary, storage: Storage) -> Self {
        Self::at(binary.url().to_owned(), storage, Box::new(binary))
    }

    fn at(url: String, storage: Storage, server: Box<dyn Send + Sync>) -> Self {
        Self {
            url,
            client: http_client(),
            storage,
            _server: server,
        }
    }

    pub(crate) fn storage(&self) -> Storage {
        self.storage
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A user with a good token.
    pub(crate) fn user(&self, id: &str) -> User {
        User::new(self, Some(token_for(id)))
    }

    /// Somebody with this token, good or bad.
    pub(crate) fn bearer(&self, token: &str) -> User {
        User::new(self, Some(token.to_owned()))
    }

    /// Somebody without a token.
    pub(crate) fn anonymous(&self) -> User {
        User::new(self, None)
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

/// A client for plain HTTP. It loads no root certificates, which a machine may not even have.
pub(crate) fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder().tls_certs_only([]).build();
    client.expect("an HTTP client")
}

/// Makes each function over `&Api` a test on memory, on SQLite and on PostgreSQL.
macro_rules! on_every_storage {
    ($($case:ident)+) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(&crate::support::Api::over(crate::support::Storage::Memory).await).await;
                }
            )+
        }
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(&crate::support::Api::over(crate::support::Storage::Sqlite).await).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs PostgreSQL"]
                async fn $case() {
                    super::$case(&crate::support::Api::over(crate::support::Storage::Postgres).await).await;
                }
            )+
        }
    };
}
pub(crate) use on_every_storage;
