//! The log of a panic in a handler.
//!
//! A handler that panics has to be in the process that logs, and both the log and what becomes of panics are one for a
//! whole process. So the test starts itself once more, in a process of its own, and reads what that writes.

use std::process::{Command, Stdio};
use std::sync::Arc;

use api_actix::cli::Cli;
use clap::Parser;
use domain::task::MockTaskRepository;
use serde_json::{Value, json};

use crate::support::{Answer, Api};
use test_api::Parts;

/// Set in the process that panics.
const PANICS_HERE: &str = "PANICS_HERE";
const REQUEST_ID: &str = "the-panicking-one";
/// The entries of its log, in this order: the panic, its record in the audit log, the request.
const TARGETS: [&str; 3] = ["panic", "audit", "access"];

/// Longer than a line may be, on several lines of its own, and with what would paint a terminal.
fn last_words() -> String {
    let rest = "x".repeat(5_000);
    format!("hunter2 was \"unwrapped\"\n  left: 1\n right: \u{1b}[31m2\r\n{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_one_short_line_of_json_with_the_id_of_its_request_and_a_500() {
    if std::env::var_os(PANICS_HERE).is_some() {
        return answer_with_a_panic().await;
    }
    let entries = log_of_a_panic("json", |line| {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        entry["target"].as_str().expect("a target").to_owned()
    });
    let [panic, audit, access] = entries.map(|line| serde_json::from_str::<Value>(&line).expect("JSON"));
    for entry in [&panic, &audit, &access] {
        assert_eq!(entry["request_id"], REQUEST_ID, "{entry}");
        let time = entry["timestamp"].as_str().expect("a time");
        assert!(time.len() == 27 && time.ends_with('Z'), "{entry}");
    }
    let begins_like_it = |text: &Value| {
        text.as_str()
            .is_some_and(|text| text.starts_with("hunter2 was \"unwrapped\"\n  left: 1\n"))
    };
    assert_eq!(panic["level"], "ERROR");
    assert!(begins_like_it(&panic["message"]), "{panic}");
    assert!(panic["thread"].is_string(), "{panic}");
    let at = panic["at"].as_str().expect("a place");
    assert!(at.contains("panics.rs:"), "{panic}");
    assert_eq!(
        (&audit["level"], &audit["event"]),
        (&json!("ERROR"), &json!("panic"))
    );
    assert!(begins_like_it(&audit["cause"]), "{audit}");
    assert_eq!(
        (&access["event"], &access["status"]),
        (&json!("request"), &json!(500))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_handler_is_one_short_line_for_people_with_the_id_of_its_request_and_a_500() {
    if std::env::var_os(PANICS_HERE).is_some() {
        return answer_with_a_panic().await;
    }
    let lines = log_of_a_panic("text", |line| {
        let mut words = line.split_whitespace().skip(2);
        let target = words.next().and_then(|word| word.strip_suffix(':'));
        target.expect("a time, a level and a target").to_owned()
    });
    for line in &lines {
        let is_named = [
            format!(" request_id={REQUEST_ID}"),
            format!(" request_id={REQUEST_ID:?}"),
        ]
        .iter()
        .any(|field| line.contains(field));
        assert!(is_named, "{line}");
    }
    let [panic, audit, _] = lines;
    for line in [panic, audit] {
        assert!(line.contains("\\n  left: 1\\n right: "), "{line}");
    }
}

/// Everything that a process logs of which one handler panics: a line for each target.
fn log_of_a_panic(format: &str, target_of: impl Fn(&str) -> String) -> [String; 3] {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let test = std::thread::current()
        .name()
        .expect("the name of the test")
        .to_owned();
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &test])
        .env_clear()
        .env(PANICS_HERE, "yes")
        .env("DATABASE_URL", "sqlite:none.db")
        .env("LOG_FORMAT", format)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("this program");
    let printed = String::from_utf8(output.stdout).expect("text");
    let log = String::from_utf8(output.stderr).expect("text");
    let has_passed = output.status.success() && printed.contains("1 passed");
    assert!(has_passed, "{printed}\n{log}");
    let lines: Vec<_> = log.split_terminator('\n').collect();
    assert_eq!(lines.len(), TARGETS.len(), "{log}");
    for line in &lines {
        assert!(line.len() < 1024, "{}: {line}", line.len());
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    TARGETS.map(|target| {
        let line = lines.iter().find(|line| target_of(line) == target);
        (*line.expect("a line for each target")).to_owned()
    })
}

/// Starts the log as commands do, and lets one request panic.
async fn answer_with_a_panic() {
    // It finds no database, but has started the log by then.
    let check = Cli::parse_from(["task-api", "check"]).run().await;
    assert!(check.is_err(), "there is no database");
    let mut repository = MockTaskRepository::new();
    repository
        .expect_list()
        .returning(|_, _| std::panic::panic_any(last_words()));
    let api = Api::serving(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    });
    let request = api.user("alice").request(reqwest::Method::GET, "/api/tasks");
    let answer = Answer::to(request.header("x-request-id", REQUEST_ID)).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.problem(), "internal_error");
    assert_eq!(answer.header("x-request-id"), REQUEST_ID);
    assert!(!answer.body.contains("hunter2"), "{answer:?}");
    // Every command waits for the log at its end.
    let document = Cli::parse_from(["task-api", "openapi"]).run().await;
    assert!(document.is_ok(), "a document");
}
