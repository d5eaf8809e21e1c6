//! Log output: to standard error, so that standard output stays with what commands print.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Starts logging. Call it once; later calls change nothing.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let output = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Whoever closed standard error wants no more lines. The default would panic over each of them, inside of
        // requests.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Json => output
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
        LogFormat::Text => output.compact().try_init(),
    };
    // Only tests start it twice.
    drop(started);
}
