//! How far the measurement is, for whoever waits for it.

use std::io::Write;

/// A line on standard error.
pub(crate) fn tell(line: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
