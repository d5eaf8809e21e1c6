//! How the server starts, and how it says that it cannot: user stories 1.3 and 2, SC-001, FR-003, and the seed's edge
//! cases of missing settings.
//!
//! | File | What it proves |
//! |---|---|
//! | `refusals` | a setting that cannot be used ends the process at once, with one line that names it |
//! | `starting` | a server that can start does, on every storage, and says so in its log |
//! | `rotation` | secrets in files that change while the server runs |
//! | `reaching` | PostgreSQL that is unavailable, late, or refuses us |
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and measurements are printed"
)]

mod reaching;
mod refusals;
mod rotation;
mod starting;

use std::time::Duration;

use crate::support::TaskApi;

/// A command that gave up by itself.
struct GaveUp {
    exit_code: Option<i32>,
    /// Its standard error.
    stderr: String,
    took: Duration,
}

impl GaveUp {
    /// Runs a command that should end by itself.
    fn of(task_api: &TaskApi) -> Self {
        let (output, took) = task_api.output();
        assert!(output.stdout.is_empty(), "a failure belongs to standard error");
        Self {
            exit_code: output.status.code(),
            stderr: String::from_utf8(output.stderr).expect("text"),
            took,
        }
    }

    /// The line that says why, if the command was refused as `sysexits.h` wants it: at once, with exit code 78 and
    /// with nothing else on standard error.
    fn refusal(task_api: &TaskApi) -> String {
        let gave_up = Self::of(task_api);
        let GaveUp {
            exit_code,
            stderr,
            took,
        } = gave_up;
        assert_eq!(exit_code, Some(78), "{stderr}");
        println!("refused after {took:?}: {}", stderr.trim_end());
        // Half a second is the promise; the rest is for a machine that builds meanwhile.
        assert!(took < Duration::from_secs(2), "{took:?}");
        let line = stderr.strip_prefix("task-api: ").expect("its name comes first");
        assert_eq!(line.lines().count(), 1, "{stderr}");
        line.trim_end().to_owned()
    }
}
