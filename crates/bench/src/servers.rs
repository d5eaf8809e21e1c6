//! A server that runs: started, waited for, stopped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::Fallible;
use crate::data::{Tokens, user};
use crate::http::Connection;
use crate::machine::{cores, family_of};
use crate::operations::write_request;
use crate::programs::{Kind, Programs};

/// A caller who has not answered by then never will.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may take to stop before it is ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A running server. It stops when this value goes away.
#[derive(Debug)]
pub struct Server {
    /// Which one.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its processes, as they were when it had started.
    pub processes: Vec<u32>,
    /// How long it took from the start of the program to the first good answer.
    pub first_answer: Duration,
    child: Child,
    _folder: TempDir,
}

impl Server {
    /// Starts a server on a database that has the schema, and waits until it lists tasks.
    ///
    /// # Errors
    /// It does not start; the message carries what it logged.
    pub async fn start(kind: Kind, programs: &Programs, database: &str, tokens: &Tokens) -> Fallible<Self> {
        Self::start_with(kind, programs, database, tokens, &[]).await
    }

    /// The same with further settings, which count before the usual ones.
    ///
    /// # Errors
    /// It does not start; the message carries what it logged.
    pub async fn start_with(
        kind: Kind,
        programs: &Programs,
        database: &str,
        tokens: &Tokens,
        settings: &[(&str, String)],
    ) -> Fallible<Self> {
        // An empty folder: a `.env` of this repository is not meant.
        let folder = TempDir::new()?;
        let log = folder.path().join("log");
        let address = free_address()?;
        let mut command = programs.command(kind, address.port(), cores());
        let output = File::create(&log)?;
        command
            .env_clear()
            .env("DATABASE_URL", database)
            .env("BETTER_AUTH_SECRET", tokens.secret())
            .env("PORT", address.port().to_string())
            .env("WORKERS", cores().to_string())
            .envs(kind.settings().iter().copied())
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let mut request = Vec::new();
        let bearer = tokens.bearer(&user(0))?;
        write_request(&mut request, "GET", "/api/tasks?limit=1", Some(&bearer), None);

        let started = Instant::now();
        let mut server = Self {
            kind,
            address,
            processes: Vec::new(),
            first_answer: Duration::ZERO,
            child: command.spawn()?,
            _folder: folder,
        };
        while !is_served(address, &request).await {
            let ended = server.child.try_wait()?;
            if ended.is_some() || started.elapsed() > START_TIMEOUT {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{} does not start: {said}", kind.name()).into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        server.first_answer = started.elapsed();
        server.processes = family_of(server.child.id());
        Ok(server)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it now, whatever it is doing.
    pub fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Brings the schema of a database up to date with the product's own command.
///
/// # Errors
/// The command fails.
pub fn migrate(programs: &Programs, database: &str) -> Fallible<()> {
    run_command(programs, &["migrate"], &[("DATABASE_URL", database)])
}

/// Copies all tasks of a database into a file of SQLite with the product's own command.
///
/// # Errors
/// The command fails.
pub fn copy_to_sqlite(programs: &Programs, from: &str, to: &str) -> Fallible<()> {
    run_command(programs, &["migrate"], &[("DATABASE_URL", to)])?;
    run_command(programs, &["copy"], &[("COPY_FROM", from), ("COPY_TO", to)])
}

fn run_command(programs: &Programs, arguments: &[&str], settings: &[(&str, &str)]) -> Fallible<()> {
    let folder = TempDir::new()?;
    let output = programs
        .command(Kind::TaskApi, 0, 1)
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(folder.path())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "task-api {} failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

async fn is_served(address: SocketAddr, request: &[u8]) -> bool {
    let asking = async {
        let mut connection = Connection::open(address).await?;
        Ok::<_, std::io::Error>(connection.exchange(request).await?.status)
    };
    matches!(timeout(Duration::from_secs(5), asking).await, Ok(Ok(200)))
}

/// Some server takes no port 0, so a free one is found for it.
fn free_address() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its number may be another's by now.
        if !self.is_running() {
            return;
        }
        // Politely: a server of several processes ends its others only then.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + STOP_TIMEOUT;
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success) && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
