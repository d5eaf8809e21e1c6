//! `cargo run --release -p bench --bin attacks`: see `bench::attacks`.

use std::io::Write;
use std::process::ExitCode;

use bench::attacks::options::{Options, Plan};
use bench::attacks::{report, suite};
use clap::Parser;

/// A bound was passed.
const PASSED: u8 = 1;
/// Nothing could be measured.
const FAILED: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let plan = Plan::from(Options::parse());
    match suite::run(&plan).await {
        Ok(rows) => {
            // No one is left to tell if this fails.
            let _ = writeln!(std::io::stdout(), "\n{}", report::markdown(&rows));
            if rows.iter().all(|row| row.passed_bounds().is_empty()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(PASSED)
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "attacks: {error}");
            ExitCode::from(FAILED)
        }
    }
}
