//! A throwaway PostgreSQL for tests: one cluster per test process, one database per test.
//!
//! ```no_run
//! # async fn example() {
//! let database = test_postgres::fresh_database().await;
//! println!("an empty database waits at {}", database.url());
//! # }
//! ```
//!
//! Where the server comes from, in this order:
//!
//! 1. `TEST_DATABASE_URL`: a running server on which this user may create databases; each is dropped after its test.
//! 2. A cluster of our own, made by `initdb` in a temporary directory and reachable through a Unix socket only. It
//!    goes away with the test process, however that ends. The programs are looked for in `PG_BIN`, on `PATH`, and
//!    in `/usr/lib/postgresql/*/bin`, newest first.
//!
//! With neither, the test fails with one sentence that says what to install. As root the server runs as an
//! unprivileged user, because PostgreSQL refuses to run as root.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

mod cluster;
mod database;
mod pooler;
mod port;
mod programs;

use std::sync::OnceLock;

pub use cluster::{Cluster, ClusterOptions, StopMode};
pub use database::TestDatabase;
pub use pooler::PgBouncer;
pub use port::a_free_port;

/// An empty database on the server that all tests of this process share.
///
/// # Panics
/// There is no PostgreSQL to be had; the message says what to do.
pub async fn fresh_database() -> TestDatabase {
    match std::env::var_os("TEST_DATABASE_URL") {
        Some(url) => {
            let url = url.into_string().expect("TEST_DATABASE_URL is not Unicode");
            TestDatabase::create_on(&url, true).await
        }
        None => shared_cluster().fresh_database().await,
    }
}

fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&ClusterOptions::default()))
}
