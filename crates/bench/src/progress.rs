//! How far the measurement is, for anyone who waits for it.

use std::io::Write;

/// A line on standard error.
pub(crate) fn tell(line: &str) {
    // No one is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
