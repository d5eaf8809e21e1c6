//! The real binary, started with an environment of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::{Api, SECRET, Storage};

/// A way to start `task-api`.
#[derive(Debug, Clone)]
pub(crate) struct TaskApi {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: Option<std::path::PathBuf>,
    open_files: Option<String>,
}

impl TaskApi {
    /// `task-api` with these arguments, in an empty folder and with an empty environment.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: BTreeMap::new(),
            folder: None,
            open_files: None,
        }
    }

    /// `task-api serve` on a free port, with the secret of the tests and readable logs.
    pub(crate) fn serve() -> Self {
        Self::with(&["serve"])
            .env("BETTER_AUTH_SECRET", SECRET)
            .env("PORT", "0")
            .env("WORKERS", "2")
    }

    /// The same, with its tasks in that database.
    pub(crate) fn serve_on(url: &str) -> Self {
        Self::serve().env("DATABASE_URL", url)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Limits the files that it may have open, with these arguments of `ulimit`.
    pub(crate) fn with_open_files(mut self, limit: &str) -> Self {
        self.open_files = Some(limit.to_owned());
        self
    }

    /// Starts it for a test that does something unusual with its output.
    pub(crate) fn spawn(&self) -> Process {
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Process(child.expect("starting task-api"))
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_task-api");
        let mut command = match &self.open_files {
            None => Command::new(program),
            Some(limit) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        // No `.env` of the person who runs the tests is found from here.
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(folder);
        command
    }

    /// Runs it to its end, which should come by itself.
    pub(crate) fn output(&self) -> (Output, Duration) {
        let started = Instant::now();
        let output = self
            .command()
            .stdin(Stdio::null())
            .output()
            .expect("running task-api");
        (output, started.elapsed())
    }

    /// Starts it and waits until it listens.
    pub(crate) async fn start(self) -> Binary {
        tokio::task::spawn_blocking(move || Binary::spawn(&self))
            .await
            .expect("a running task-api")
    }
}

/// A process; killed with the value.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running `task-api`; killed with the value.
pub(crate) struct Binary {
    process: Mutex<Process>,
    url: String,
    log: Arc<Mutex<String>>,
    printed: Arc<Mutex<String>>,
    startup: Duration,
}

impl Binary {
    fn spawn(task_api: &TaskApi) -> Self {
        let started = Instant::now();
        let mut process = task_api.spawn();
        let child = &mut process.0;
        let (sender, receiver) = mpsc::channel();
        let printed = collect(child.stdout.take().expect("a pipe"), sender.clone());
        let log = collect(child.stderr.take().expect("a pipe"), sender);
        let url = receiver
            .recv_timeout(Duration::from_secs(30))
            .unwrap_or_else(|_| panic!("task-api does not listen: {}", log.lock().expect("the log")));
        Self {
            process: Mutex::new(process),
            url,
            log,
            printed,
            startup: started.elapsed(),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A client of it, while the test keeps the process.
    pub(crate) fn api(&self, _storage: Storage) -> Api {
        Api::at(&self.url, Box::new(()))
    }

    /// A client of it, which keeps the process.
    pub(crate) fn into_api(self) -> Api {
        self.into_api_with(())
    }

    /// The same, which also keeps what the process needs, such as its database.
    pub(crate) fn into_api_with(self, needed: impl Send + Sync + 'static) -> Api {
        let url = self.url.clone();
        Api::at(&url, Box::new((self, needed)))
    }

    /// How long it took from the start of the process to listening.
    pub(crate) fn startup(&self) -> Duration {
        self.startup
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.lock().expect("the process").0.id()
    }

    /// Everything that it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// The entries of its log with this message, if it logs JSON.
    pub(crate) fn entries(&self, message: &str) -> Vec<serde_json::Value> {
        let log = self.log();
        let entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        entries
            .filter(|entry: &serde_json::Value| entry["message"] == message)
            .collect()
    }

    /// Everything that it has printed so far.
    pub(crate) fn printed(&self) -> String {
        self.printed.lock().expect("what it printed").clone()
    }

    /// Waits until the log holds this text.
    pub(crate) async fn logs(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.log().contains(text) {
            assert!(
                Instant::now() < deadline,
                "{text} is not in the log: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.log()
    }

    /// Sends a signal by its name, such as `TERM` or `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Waits for its end and returns its exit code; `None` if a signal ended it.
    pub(crate) async fn exit_code(&self, timeout: Duration) -> Option<i32> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.process.lock().expect("the process").0.try_wait();
            if let Some(status) = status.expect("its status") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "task-api does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Keeps the lines that come out of a pipe, and passes on the address of a server that listens.
fn collect(pipe: impl Read + Send + 'static, found: mpsc::Sender<String>) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let copy = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let url = url_of(&line);
            let mut text = copy.lock().expect("the text");
            text.push_str(&line);
            text.push('\n');
            drop(text);
            if let Some(url) = url {
                // A second one is not waited for.
                let _ = found.send(url);
            }
        }
    });
    text
}

/// The address in the log line of `serve`, or in the welcome of `dev`.
fn url_of(line: &str) -> Option<String> {
    if let Some(url) = line.strip_prefix("Task API for development: ") {
        return Some(url.to_owned());
    }
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    (entry["message"] == "listening").then(|| entry["url"].as_str().map(str::to_owned))?
}
