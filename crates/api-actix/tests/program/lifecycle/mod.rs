//! How a running server ends, and how it lives through the end of its database: user story 2.4, SC-005, FR-015, the
//! seed's edge case of pool exhaustion, and what was acknowledged stays. What users at work see meanwhile is the matter
//! of the tests `faults`.
//!
//! | File | What it proves |
//! |---|---|
//! | `stopping` | signals |
//! | `crashes` | no acknowledged task is lost when the server crashes on SQLite |
//! | `outages` | the database becomes unavailable and comes back |
//! | `overload` | more work than the database takes |
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and measurements are printed"
)]

mod crashes;
mod outages;
mod overload;
mod stopping;

use std::time::{Duration, Instant};

/// The outcome of something, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let outcome = future.await;
    (outcome, started.elapsed())
}

/// Waits until it is so, for five seconds at most, and returns how long that took.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !is_so().await {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "not within 5 seconds: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}
