//! `copy`: everything arrives as it was, whatever happens on the way.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::folder::Folder;
use super::{complaint, printed, text};
use crate::support::{Answer, Storage, TaskApi, User};

fn copy(from: &str, to: &str) -> TaskApi {
    TaskApi::with(&["copy"]).env("COPY_FROM", from).env("COPY_TO", to)
}

/// The report of a copy that succeeded, and its words on the way.
fn report(copy: &TaskApi) -> (Value, String) {
    let (output, _) = copy.output();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    (serde_json::from_str(&stdout).expect("JSON"), stderr)
}

/// Creates a task under a key, or gets it again.
async fn create(user: &User) -> Answer {
    let request = user
        .request(Method::POST, "/api/tasks")
        .header("Idempotency-Key", "order-17");
    Answer::to(request.json(&json!({ "title": "Buy milk" }))).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn what_was_copied_to_postgresql_and_back_serves_on_as_if_nothing_had_happened() {
    let folder = Folder::new();
    let database = test_postgres::fresh_database().await;
    let (first, second, third) = (folder.url("first.db"), database.url(), folder.url("third.db"));
    let server = TaskApi::serve_on(&first).start().await;
    let api = server.api(Storage::Sqlite);
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    let path = create(&alice).await.header("location").to_owned();
    alice.put(&path, &json!({ "description": "2 litres" })).await;
    alice.has_task("another").await;
    bob.has_task("of Bob").await;
    let shown = alice.get(&path).await;
    drop(server);

    let (there, said) = report(&copy(&first, second));
    assert_eq!(
        (&there["owners"], &there["tasks"], &there["new"]),
        (&json!(2), &json!(3), &json!(3))
    );
    assert!(said.contains("3 tasks were new, 0 were there already"), "{said}");
    let (back, _) = report(&copy(second, &third));
    assert_eq!(back, there);

    for url in [second, &third] {
        let server = TaskApi::serve_on(url).start().await;
        let alice = server.api(Storage::Sqlite).user("alice");
        let again = alice.get(&path).await;
        assert_eq!(
            (&again.body, again.header("etag")),
            (&shown.body, shown.header("etag"))
        );
        let repeated = create(&alice).await;
        assert_eq!(repeated.header("idempotency-replayed"), "true", "{repeated:?}");
        assert_eq!(repeated.header("location"), path);
        let change = alice
            .request(Method::PUT, &path)
            .header("If-Match", shown.header("etag"));
        let changed = Answer::to(change.json(&json!({ "status": "completed" }))).await;
        assert_eq!(changed.status, 200, "the ETag is still good: {changed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_finds_everything_there() {
    let folder = Folder::new();
    let from = folder.database("from.db", &[("alice", 3), ("bob", 1_001)]).await;
    let to = folder.url("to.db");
    let (first, _) = report(&copy(&from, &to));
    assert_eq!(first["new"], 1_004);
    let arguments = ["copy", "--from", &from, "--to", &to];
    let (second, said) = report(&TaskApi::with(&arguments));
    assert!(
        said.contains("0 tasks were new, 1004 were there already"),
        "{said}"
    );
    assert_eq!(second["new"], 0);
    assert_eq!(second["checksum"], first["checksum"]);
    assert_eq!((&second["owners"], &second["tasks"]), (&json!(2), &json!(1_004)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_loses_nothing_and_the_next_one_goes_on() {
    const TASKS: usize = 15_000;
    let folder = Folder::new();
    let users = [("alice", TASKS / 3), ("bob", TASKS / 3), ("cy", TASKS / 3)];
    let from = folder.database("from.db", &users).await;
    let whole = report(&copy(&from, &folder.url("whole.db"))).0;
    for signal in ["INT", "KILL"] {
        let to = interrupted(&folder, &from, signal).await;
        let (rest, _) = report(&copy(&from, &to));
        let new = rest["new"].as_u64().expect("a number");
        assert!(0 < new && new < TASKS as u64, "{new} were left after {signal}");
        assert_eq!(rest["checksum"], whole["checksum"], "after {signal}");
    }
}

/// Where a copy has begun that a signal ended. On a busy machine some copies end before they can be interrupted.
async fn interrupted(folder: &Folder, from: &str, signal: &str) -> String {
    for attempt in 0..40 {
        let name = format!("{signal}-{attempt}.db");
        let to = folder.url(&name);
        let mut process = copy(from, &to).spawn();
        until_batches_are_in(&folder.path(&name)).await;
        let killed = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &process.0.id().to_string()])
            .status();
        killed.expect("a program that sends signals");
        if process.0.wait().expect("its status").code().is_none() {
            return to;
        }
    }
    panic!("every copy ended before {signal}")
}

/// Waits until some batches have arrived in a database that a copy has just begun to make. Opening it would be in the
/// way of the copy, so this looks at the size of its log.
async fn until_batches_are_in(path: &Path) {
    const A_FEW_BATCHES: u64 = 1 << 19;
    let log = path.with_extension("db-wal");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(&log).map_or(0, |file| file.len()) < A_FEW_BATCHES {
        assert!(std::time::Instant::now() < deadline, "nothing arrives");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_a_task_of_its_own_differs_and_stays_as_it_is() {
    let folder = Folder::new();
    let from = folder.database("from.db", &[("alice", 1), ("bob", 2)]).await;
    let to = folder.database("to.db", &[("bob", 1)]).await;
    for _ in 0..2 {
        let complaint = complaint_of(&copy(&from, &to), 65);
        assert!(
            complaint.contains("first at user \"bob\": 2 tasks in COPY_FROM, 3 in COPY_TO"),
            "{complaint}"
        );
        assert!(complaint.contains("task-api user delete"), "{complaint}");
    }
    let left = printed(&TaskApi::with(&["user", "export", "bob"]).env("DATABASE_URL", &to));
    assert_eq!(left.lines().count(), 3, "{left}");
}

/// The last line of a copy that ended with that exit code and reported nothing.
fn complaint_of(copy: &TaskApi, exit_code: i32) -> String {
    let complaint = complaint(copy, exit_code);
    complaint.lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_makes_no_sense_is_refused_before_anything_is_touched() {
    let folder = Folder::new();
    let from = folder.database("from.db", &[("alice", 1)]).await;
    let empty = folder.database("empty.db", &[]).await;
    std::fs::write(folder.path("bare.db"), "").unwrap();
    std::os::unix::fs::symlink(folder.path("from.db"), folder.path("link.db")).unwrap();
    let to = folder.url("to.db");
    for (from, to, wanted) in [
        ("", &*to, "COPY_FROM is not set"),
        (&from, "", "COPY_TO is not set"),
        ("mysql://u:hunter2@h/d", &to, "COPY_FROM must begin with"),
        (&from, "sqlite::memory:", "COPY_TO must name a file after sqlite:"),
        (
            &folder.url("absent.db"),
            &to,
            "COPY_FROM names a file that does not exist",
        ),
        (
            &folder.url("bare.db"),
            &to,
            "COPY_FROM leads to a database whose schema is older",
        ),
        (&empty, &to, "COPY_FROM leads to a database without tasks"),
        (&from, &from, "COPY_TO leads to the same database as COPY_FROM"),
        (
            &from,
            &folder.url("link.db"),
            "COPY_TO leads to the same database as COPY_FROM",
        ),
        (
            "postgresql://u:hunter2@h/d",
            "postgres://v@h:5432/d?sslmode=require",
            "COPY_TO leads to the same database as COPY_FROM",
        ),
    ] {
        let complaint = complaint_of(&copy(from, to), 78);
        assert!(
            complaint.starts_with(&format!("task-api: {wanted}")),
            "{complaint}"
        );
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
    assert!(!folder.path("to.db").exists() && !folder.path("absent.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_out_of_reach_is_named_without_its_password() {
    let folder = Folder::new();
    let from = folder.database("from.db", &[("alice", 1)]).await;
    // Nothing listens on port 1.
    let to = "postgresql://porter:hunter2@127.0.0.1:1/tasks";
    let complaint = complaint(&copy(&from, to).env("DB_STARTUP_TIMEOUT", "300ms"), 69);
    assert!(
        complaint.contains("task-api: COPY_TO: the database at 127.0.0.1 could not be reached for 300ms"),
        "{complaint}"
    );
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_source_that_a_newer_program_has_migrated_is_left_to_that_program() {
    let folder = Folder::new();
    let database = test_postgres::fresh_database().await;
    printed(&TaskApi::with(&["migrate"]).env("DATABASE_URL", database.url()));
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    database.client().await.batch_execute(newer).await.unwrap();
    let complaint = complaint_of(&copy(database.url(), &folder.url("to.db")), 78);
    assert!(
        complaint.starts_with("task-api: COPY_FROM leads to a database whose schema is newer"),
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_row_that_breaks_a_rule_stops_the_copy_and_its_user_is_named() {
    let folder = Folder::new();
    let database = test_postgres::fresh_database().await;
    let from = folder.database("from.db", &[("alice", 1), ("bob", 1)]).await;
    report(&copy(&from, database.url()));
    let spoil = "UPDATE tasks SET created_at = created_at + interval '1 second' WHERE user_id = 'bob'";
    database.client().await.batch_execute(spoil).await.unwrap();
    let complaint = complaint_of(&copy(database.url(), &folder.url("to.db")), 65);
    assert!(
        complaint.starts_with("task-api: COPY_FROM, at user \"bob\": a stored row breaks a rule: created_at"),
        "{complaint}"
    );
}
