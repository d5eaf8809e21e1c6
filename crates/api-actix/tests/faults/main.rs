//! Faults under load: what users at work are answered while something breaks, and what the database holds afterwards.
//!
//! Each test runs the real binary on PostgreSQL behind a network that the test controls, with users who create, read,
//! change and delete tasks all the time, and prints one row of a table (`--nocapture` shows it). Every answer must be a
//! success, a truthful 404, or a 503 with `Retry-After`; every acknowledged write is looked for at the end.
//!
//! `FAULTS=long` makes the faults last as long as they may, and crashes go on until 50,000 writes were acknowledged.
//! `FAULT_SEED` repeats the choices of a run. With `FAULT_LANGUAGE=de` PostgreSQL speaks German.
//!
//! | File | What breaks |
//! |---|---|
//! | `sessions` | connections, from the side of the database |
//! | `restarts` | PostgreSQL |
//! | `standstills` | nothing, but it takes time |
//! | `network` | the way to the database |
//! | `server` | the server itself |
//! | `endurance` | nothing, or all of it, for longer and with more users |
//! | `hundred_users` | nothing: a hundred users at once, on SQLite too |
//!
//! `trial` is one fault from the start to the verdict, `load` the users, `ledger` what they know, `stage` and `proxy`
//! what breaks.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and measurements are printed"
)]

mod endurance;
mod hundred_users;
mod ledger;
mod load;
mod network;
mod proxy;
mod restarts;
mod server;
mod sessions;
mod stage;
mod standstills;
#[path = "../support/mod.rs"]
mod support;
mod trial;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Held by whatever loads the machine, so that nothing of it is measured beside another.
static TURN: Mutex<()> = Mutex::const_new(());

/// The one that fits a short run, or, with `FAULTS=long`, a long one.
fn short_or_long<T>(short: T, long: T) -> T {
    if std::env::var_os("FAULTS").is_some_and(|value| value == "long") {
        long
    } else {
        short
    }
}

/// `short` seconds in a short run, and `long` in a long one.
fn seconds(short: u64, long: u64) -> Duration {
    Duration::from_secs(short_or_long(short, long))
}

/// Where every random choice of this process comes from.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match std::env::var_os("FAULT_SEED") {
        Some(seed) => {
            let seed = seed.to_str().and_then(|seed| seed.parse().ok());
            seed.expect("FAULT_SEED is a number")
        }
        None => rand::random(),
    })
}

/// Waits until it is so, for a time that is never needed.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "not within 20 seconds: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
