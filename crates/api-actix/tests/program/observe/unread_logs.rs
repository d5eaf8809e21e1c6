//! A reader of the log that is too slow, or gone, does not stop the server.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::support::{Process, TaskApi, http_client};

/// A server whose log is read up to the line that says where it listens, and no further.
struct Unread {
    process: Process,
    log: BufReader<std::process::ChildStderr>,
    client: reqwest::Client,
    url: String,
    admin: String,
    _folder: tempfile::TempDir,
}

impl Unread {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
        let mut process = TaskApi::serve_on(&url).env("ADMIN_ADDR", "127.0.0.1:0").spawn();
        let mut log = BufReader::new(process.0.stderr.take().expect("a pipe"));
        let (mut url, mut admin) = (None, None);
        while url.is_none() {
            let mut line = String::new();
            log.read_line(&mut line).expect("a line");
            let entry: Value = serde_json::from_str(&line).expect("JSON");
            let address = entry["url"].as_str().map(str::to_owned);
            match entry["message"].as_str() {
                Some("listening") => url = address,
                Some("listening for operators") => admin = address,
                _ => {}
            }
        }
        Self {
            process,
            log,
            client: http_client(),
            url: url.expect("an address"),
            admin: admin.expect("an address"),
            _folder: folder,
        }
    }

    /// Returns how many requests with a bad token were refused as they should.
    async fn bad_tokens(&self, count: usize, path: &str) -> usize {
        let asking = stream::iter(0..count).map(|_| async {
            let request = self.client.get(format!("{}{path}", self.url));
            let request = request
                .bearer_auth("a.bad.token")
                .timeout(Duration::from_secs(10));
            request.send().await.is_ok_and(|answer| answer.status() == 401)
        });
        asking
            .buffer_unordered(16)
            .filter(|refused| std::future::ready(*refused))
            .count()
            .await
    }

    async fn text(&self, url: String) -> String {
        let request = self.client.get(url).timeout(Duration::from_secs(5));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("a text")
    }

    /// Asks the process to stop and returns how long that took.
    fn stop(&mut self) -> Duration {
        let started = Instant::now();
        let kill = std::process::Command::new("kill")
            .args(["-TERM", &self.process.0.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        while self.process.0.try_wait().expect("its status").is_none() {
            assert!(started.elapsed() < Duration::from_secs(10), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        started.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_no_one_reads_stops_no_answer_and_no_stop() {
    let mut unread = Unread::start();
    // More than a pipe and the buffer hold.
    assert_eq!(
        unread
            .bad_tokens(6_000, &format!("/api/{}", "x".repeat(2_000)))
            .await,
        6_000
    );
    unread.text(format!("{}/livez", unread.url)).await;
    let metrics = unread.text(format!("{}/metrics", unread.admin)).await;
    let lost = metrics
        .lines()
        .find_map(|line| line.strip_prefix("log_lines_lost_total{kind=\"audit\"} "));
    let lost: u64 = lost.expect("the metric").parse().expect("a number");
    assert!(lost > 1_000, "{lost}");
    let took = unread.stop();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_late_finds_out_how_many_lines_were_lost_and_every_other() {
    let mut unread = Unread::start();
    assert_eq!(
        unread
            .bad_tokens(6_000, &format!("/api/{}", "x".repeat(2_000)))
            .await,
        6_000
    );
    let (mut refused, mut lost) = (0, None);
    while lost.is_none() {
        let mut line = String::new();
        unread.log.read_line(&mut line).expect("a line");
        assert!(line.len() <= 1024, "{}", line.len());
        let entry: Value = serde_json::from_str(&line).expect("JSON");
        match entry["event"].as_str() {
            Some("auth_failed") => refused += 1,
            Some("log_lines_lost") => lost = entry["audit"].as_u64(),
            _ => {}
        }
    }
    assert_eq!(Some(6_000 - refused), lost);
    // Nothing is lost any more.
    assert_eq!(unread.bad_tokens(10, "/api/tasks").await, 10);
    unread.stop();
    let mut rest = String::new();
    unread.log.read_to_string(&mut rest).expect("the rest");
    assert_eq!(rest.matches("auth_failed").count(), 10, "{rest}");
    assert!(!rest.contains("log_lines_lost"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_or_a_reader_that_has_gone_stops_no_answer() {
    let mut gone = Unread::start();
    drop(std::mem::replace(&mut gone.log, BufReader::new(nothing())));
    assert_eq!(gone.bad_tokens(500, "/api/tasks").await, 500);
    gone.stop();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let full = || {
        OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full")
    };
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_task-api"));
    let child = command
        .arg("dev")
        .env_clear()
        .env("PORT", port.to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(full())
        .spawn();
    let _process = Process(child.expect("task-api"));
    let client = http_client();
    let url = format!("http://127.0.0.1:{port}/api/tasks");
    let is_refused = async || {
        let answer = client.get(&url).timeout(Duration::from_secs(5)).send().await;
        answer.is_ok_and(|answer| answer.status() == 401)
    };
    super::until("an answer", is_refused).await;
    for _ in 0..500 {
        assert!(is_refused().await);
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}

/// Somewhere to read from in place of a pipe that is closed.
fn nothing() -> std::process::ChildStderr {
    let child = std::process::Command::new("true").stderr(Stdio::piped()).spawn();
    let mut child = child.expect("true");
    child.wait().expect("its end");
    child.stderr.take().expect("a pipe")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_longer_than_a_kibibyte_whatever_a_request_holds() {
    let mut unread = Unread::start();
    let path = format!("/api/{}", "x%22".repeat(15_000));
    assert_eq!(unread.bad_tokens(1, &path).await, 1);
    let method = reqwest::Method::from_bytes("M".repeat(5_000).as_bytes()).expect("a method");
    let request = unread.client.request(method, format!("{}/api/tasks", unread.url));
    assert_eq!(request.send().await.expect("an answer").status(), 401);
    unread.stop();
    let mut log = String::new();
    unread.log.read_to_string(&mut log).expect("the log");
    let mut refused = 0;
    for line in log.lines() {
        assert!(line.len() < 1024, "{}", line.len());
        let entry: Value = serde_json::from_str(line).expect("JSON");
        if entry["event"] == "auth_failed" {
            refused += 1;
            assert!(
                entry["client"] == "127.0.0.1" && entry["request_id"].is_string(),
                "{entry}"
            );
        }
    }
    assert_eq!(refused, 2);
}
