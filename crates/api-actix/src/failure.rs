//! Why a command ends without success: a line for people and an exit code for programs (`sysexits.h`).

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::ConfigError;
use adapters_http::server::ServerError;

/// The timeout for a reader of the reason.
const READER_TIMEOUT: Duration = Duration::from_secs(1);

/// A command that did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    exit_code: u8,
}

impl Failure {
    /// The code that container runtimes expect of a health check.
    const UNHEALTHY: u8 = 1;
    /// The code of clap, too.
    const USAGE: u8 = 2;
    /// `EX_DATAERR`: the stored data is not as it should be.
    const DATA: u8 = 65;
    /// `EX_CONFIG`: trying again without a change of the configuration cannot help.
    const CONFIG: u8 = 78;
    /// `EX_UNAVAILABLE`: a service that we need is unavailable.
    const UNAVAILABLE: u8 = 69;

    /// A setting cannot be used.
    #[must_use]
    pub fn of_config(error: &ConfigError) -> Self {
        Self {
            message: error.to_string(),
            exit_code: Self::CONFIG,
        }
    }

    /// Several settings cannot be used.
    #[must_use]
    pub fn of_config_errors(errors: &[ConfigError]) -> Self {
        let lines: Vec<_> = errors.iter().map(|error| format!("\n  {error}")).collect();
        Self {
            message: format!(
                "{} cannot be used:{}",
                counted(errors.len(), "setting"),
                lines.concat()
            ),
            exit_code: Self::CONFIG,
        }
    }

    /// The server is unhealthy.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: Self::UNHEALTHY,
        }
    }

    /// The stored data is not as it should be.
    pub fn of_data(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: Self::DATA,
        }
    }

    /// The command needs another argument.
    pub fn of_usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: Self::USAGE,
        }
    }

    /// A service that we need is unavailable.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: Self::UNAVAILABLE,
        }
    }

    /// The line for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Says so on standard error. Waits for a reader that is stuck, but not for long: if it fails, no one is left to
    /// tell.
    pub fn tell(&self) {
        let line = format!("task-api: {}\n", self.message);
        let (told, telling) = mpsc::channel();
        let writing = move || {
            let _ = io::stderr().write_all(line.as_bytes());
            let _ = told.send(());
        };
        if thread::Builder::new().spawn(writing).is_ok() {
            let _ = telling.recv_timeout(READER_TIMEOUT);
        }
    }

    /// The code for programs.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of_config(&error)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Address { ref source, .. } => {
                let reason = format!("and PORT: {error}{}", hint(source, "PORT=8001 or --port 8001"));
                ConfigError::new("HOST", reason).into()
            }
            ServerError::Signals(_) | ServerError::Broken(_) => Self::unavailable(error.to_string()),
        }
    }
}

/// Advice about an address that cannot be listened on; empty if that is not known. `other` chooses another port.
pub(crate) fn hint(error: &io::Error, other: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "; another program listens there: stop it, or choose another port with {other} (0: any free one)"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "; ports below 1024 are for administrators on many systems: choose another one with {other}"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            "; this machine has no such address (0.0.0.0 and [::] are all of it)".to_owned()
        }
        _ => String::new(),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
