//! The output of commands.

use std::io::{self, Write};

use crate::failure::Failure;

/// JSON for people, on many lines.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

/// A line on standard output. A reader that closed it has seen enough.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    print_bytes(format!("{line}\n").as_bytes())
}

/// The same for bytes that are no line.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    print_part(bytes).map(drop)
}

/// The same for a part of something long. Returns whether the reader takes the next one.
pub(crate) fn print_part(bytes: &[u8]) -> Result<bool, Failure> {
    match io::stdout().write_all(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::unavailable(format!(
            "cannot write to standard output: {error}"
        ))),
    }
}
