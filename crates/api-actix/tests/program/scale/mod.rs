//! More than one process, and more than one server between it and the tasks.
//!
//! | File | What it proves |
//! |---|---|
//! | `two_servers` | two processes on one database behave as one |
//! | `pooler` | PgBouncer in transaction mode carries everything, or the log says why not |
//! | `failover` | the database moves to another machine behind the same address |
//!
//! That each statement names the owner, and so goes to one shard, is a test of `adapters-postgres` (`statements.rs`).
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

mod failover;
mod pooler;
mod two_servers;

use std::time::{Duration, Instant};

/// Waits until it is so, for a time that is never needed.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within 20 seconds: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
