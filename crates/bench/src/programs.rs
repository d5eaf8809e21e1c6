//! The measured servers, as programs that are ready to be started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde::Serialize;

use crate::Fallible;
use crate::data::Commits;
use crate::operations::Operation;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The product.
    TaskApi,
    /// The product on SQLite: against itself on PostgreSQL.
    Sqlite,
    /// The least that can be done with the same web framework: `src/bin/raw-server`.
    Raw,
    /// The same with all operations on two shared connections for each worker: what two lanes are for.
    Shared,
    /// The stack of the seed specification: `reference/fastapi`.
    Fastapi,
}

impl Kind {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskApi => "task-api",
            Self::Sqlite => "task-api on SQLite",
            Self::Raw => "raw",
            Self::Shared => "raw, shared connections",
            Self::Fastapi => "FastAPI",
        }
    }

    /// The name of its database.
    #[must_use]
    pub fn database(self) -> &'static str {
        match self {
            Self::TaskApi => "task_api",
            Self::Sqlite => "task_api_sqlite",
            Self::Raw => "raw",
            Self::Shared => "shared",
            Self::Fastapi => "fastapi",
        }
    }

    /// The settings that a deployment switches on: metrics, and another origin that may read answers.
    #[must_use]
    pub fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::TaskApi | Self::Sqlite => &[
                ("ADMIN_ADDR", "127.0.0.1:0"),
                ("CORS_ALLOWED_ORIGINS", "https://app.example"),
            ],
            Self::Raw | Self::Shared | Self::Fastapi => &[],
        }
    }

    /// Whether there is something to learn from it there: some are there for one comparison alone.
    #[must_use]
    pub fn takes_part(self, commits: Commits, operation: Operation) -> bool {
        match self {
            Self::TaskApi | Self::Raw => true,
            Self::Fastapi => {
                commits == Commits::Local && matches!(operation, Operation::Get | Operation::Mixed)
            }
            Self::Sqlite => operation == Operation::Mixed && commits == Commits::Local,
            Self::Shared => operation == Operation::Mixed && commits == Commits::FiveMilliseconds,
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    task_api: PathBuf,
}

impl Programs {
    /// The programs beside the one that asks.
    ///
    /// # Errors
    /// This is no release build, so neither are those; or the system does not say where that is.
    pub fn beside_this_one() -> Fallible<Self> {
        if cfg!(debug_assertions) {
            return Err("only release builds are measured: cargo run --release -p bench".into());
        }
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("a program lies in a folder")?;
        Ok(Self::in_folder(folder))
    }

    /// The programs in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            task_api: folder.join("task-api"),
        }
    }

    /// The product alone, wherever it is.
    #[must_use]
    pub fn with_task_api(path: &Path) -> Self {
        Self {
            folder: PathBuf::new(),
            task_api: path.to_owned(),
        }
    }

    /// The product alone, built as the program that asks was built, and beside it.
    ///
    /// # Errors
    /// It cannot be built, or the system does not say where that is.
    pub fn task_api_like_this_one() -> Fallible<Self> {
        let profile: &[&str] = if cfg!(debug_assertions) {
            &[]
        } else {
            &["--release"]
        };
        build("api-actix", "task-api", profile)?;
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("a program lies in a folder")?;
        Ok(Self::in_folder(folder))
    }

    /// Builds a server, if need be.
    ///
    /// # Errors
    /// It cannot be had here; the message says why.
    pub fn prepare(&self, kind: Kind) -> Fallible<()> {
        match kind {
            // Each by itself: built together, they would share the features of their dependencies.
            Kind::TaskApi | Kind::Sqlite => build("api-actix", "task-api", &["--release"]),
            Kind::Raw | Kind::Shared => build("bench", "raw-server", &["--release"]),
            Kind::Fastapi => self.install_fastapi(),
        }
    }

    /// The command that starts a server; what it needs comes from the environment.
    #[must_use]
    pub fn command(&self, kind: Kind, port: u16, workers: usize) -> Command {
        match kind {
            Kind::TaskApi | Kind::Sqlite => Command::new(&self.task_api),
            Kind::Raw => Command::new(self.folder.join("raw-server")),
            Kind::Shared => {
                let mut command = Command::new(self.folder.join("raw-server"));
                command.arg("--shared");
                command
            }
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

fn build(package: &str, program: &str, profile: &[&str]) -> Fallible<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "--locked", "-p", package, "--bin", program])
        .args(profile)
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
