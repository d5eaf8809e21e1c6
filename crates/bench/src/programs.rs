//! What is measured, as programs that are ready to be started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde::Serialize;

use crate::Fallible;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The product.
    TaskApi,
    /// The least that can be done with the same web framework: `src/bin/raw-server`.
    Raw,
    /// The stack of the seed specification: `reference/fastapi`.
    Fastapi,
}

impl Kind {
    /// What it is called in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskApi => "task-api",
            Self::Raw => "raw",
            Self::Fastapi => "FastAPI",
        }
    }

    /// The name of its database.
    #[must_use]
    pub fn database(self) -> &'static str {
        match self {
            Self::TaskApi => "task_api",
            Self::Raw => "raw",
            Self::Fastapi => "fastapi",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The programs beside the one that asks.
    ///
    /// # Errors
    /// The system does not say where that is.
    pub fn beside_this_one() -> Fallible<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("a program lies in a folder")?;
        Ok(Self::in_folder(folder))
    }

    /// The programs in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Builds a server, if need be.
    ///
    /// # Errors
    /// It cannot be had here; the message says why.
    pub fn prepare(&self, kind: Kind) -> Fallible<()> {
        match kind {
            // Each by itself: built together, they would share the features of their dependencies.
            Kind::TaskApi => build("api-actix", "task-api"),
            Kind::Raw => build("bench", "raw-server"),
            Kind::Fastapi => self.install_fastapi(),
        }
    }

    /// The command that starts a server; what it needs comes from the environment.
    #[must_use]
    pub fn command(&self, kind: Kind, port: u16, workers: usize) -> Command {
        match kind {
            Kind::TaskApi => Command::new(self.folder.join("task-api")),
            Kind::Raw => Command::new(self.folder.join("raw-server")),
            Kind::Fastapi => {
                let mut command = Command::new(self.python());
                command
                    .args([
                        "-m",
                        "uvicorn",
                        "main:app",
                        "--no-access-log",
                        "--log-level",
                        "warning",
                    ])
                    .args(["--port", &port.to_string(), "--workers", &workers.to_string()])
                    .arg("--app-dir")
                    .arg(fastapi_folder());
                command
            }
        }
    }

    fn environment(&self) -> PathBuf {
        self.folder.join("bench-python")
    }

    fn python(&self) -> PathBuf {
        self.environment().join("bin/python")
    }

    fn install_fastapi(&self) -> Fallible<()> {
        let environment = self.environment();
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(self.python())
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(fastapi_folder().join("requirements.txt")))
    }
}

fn fastapi_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/fastapi")
}

fn build(package: &str, program: &str) -> Fallible<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", package, "--bin", program])
        .current_dir(env!("CARGO_MANIFEST_DIR")))
}

/// Runs a program to its end; what it says goes where ours goes.
fn run(command: &mut Command) -> Fallible<()> {
    let status = command.stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} failed ({status})").into()),
        Err(error) => Err(format!("{command:?} cannot be run: {error}").into()),
    }
}
