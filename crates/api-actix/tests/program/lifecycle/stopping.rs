//! SIGTERM and SIGINT: what is under way finishes, nothing else delays the end.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use adapters_sqlite::{SqliteDatabase, SqliteSettings};
use domain::identity::Owner;
use domain::task::{TaskFilter, TaskRepository};
use reqwest::Method;
use serde_json::{Value, json};

use super::timed;
use crate::support::{Api, Binary, Storage, TaskApi, Wire};

const BODY: &str = r#"{"title": "sent in two parts"}"#;

/// A server on a new SQLite file.
async fn server() -> (tempfile::TempDir, Binary) {
    server_with_delay("0").await
}

/// The same, and it serves on for this time after it was told to stop.
async fn server_with_delay(delay: &str) -> (tempfile::TempDir, Binary) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let task_api = TaskApi::serve_on(&url).env("SHUTDOWN_DELAY", delay);
    (folder, task_api.start().await)
}

/// A request that the server has begun to handle, and whose body it waits for.
fn half_a_request(api: &Api) -> Wire {
    let mut wire = Wire::to(api);
    let length = format!("Content-Length: {}", BODY.len());
    let lines = ["Content-Type: application/json", &length, "Expect: 100-continue"];
    wire.send_head("POST /api/tasks", &lines);
    assert_eq!(wire.answer().status, 100, "the server should ask for the body");
    wire.send(&BODY[..10]);
    wire
}

/// Waits for the end, which must come in order and within the time that is promised.
async fn ends_well(binary: &Binary) -> Duration {
    let (exit_code, took) = timed(binary.exit_code(Duration::from_secs(10))).await;
    assert_eq!(exit_code, Some(0), "{}", binary.log());
    took
}

#[tokio::test]
async fn after_sigterm_requests_under_way_finish_and_the_process_ends_with_0() {
    finishes_what_is_under_way("TERM").await;
}

#[tokio::test]
async fn after_sigint_requests_under_way_finish_and_the_process_ends_with_0() {
    finishes_what_is_under_way("INT").await;
}

async fn finishes_what_is_under_way(signal: &str) {
    let (_folder, binary) = server().await;
    let api = binary.api(Storage::Sqlite);
    let mut requests: Vec<_> = (0..50).map(|_| half_a_request(&api)).collect();
    binary.signal(signal);
    binary.logs("finishing the requests that are under way").await;
    for request in &mut requests {
        request.send(&BODY[10..]);
    }
    for request in &mut requests {
        let answer = request.answer();
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(
            request.is_closed(),
            "the connection should not invite another request"
        );
    }
    println!(
        "SIG{signal}: ended {:?} after the last answer",
        ends_well(&binary).await
    );
}

#[tokio::test]
async fn after_a_signal_no_one_new_gets_in() {
    let (_folder, binary) = server().await;
    let api = binary.api(Storage::Sqlite);
    let mut under_way = half_a_request(&api);
    binary.signal("TERM");
    let address = binary.url().strip_prefix("http://").unwrap();
    super::until("the listener is closed", async || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
    under_way.send(&BODY[10..]);
    assert_eq!(under_way.answer().status, 201);
    ends_well(&binary).await;
}

#[tokio::test]
async fn during_the_shutdown_delay_the_server_is_not_ready_and_serves_on() {
    let (_folder, binary) = server_with_delay("2s").await;
    let api = binary.api(Storage::Sqlite);
    let anonymous = api.anonymous();
    assert_eq!(anonymous.get("/readyz").await.header("connection"), "");
    let told = Instant::now();
    binary.signal("TERM");
    binary.logs("not ready for more work").await;
    assert_eq!(anonymous.get("/readyz").await.problem(), "shutting_down");
    // Also for those who come only now. No client is invited to a further request on a connection that is about to end.
    let mut late = Wire::to(&api);
    late.send_head("GET /api/tasks", &[]);
    let answer = late.answer();
    assert_eq!(
        (answer.status.as_u16(), answer.header("connection")),
        (200, "close")
    );
    assert!(late.is_closed());
    assert_eq!(anonymous.get("/livez").await.status, 200);
    ends_well(&binary).await;
    assert!(told.elapsed() >= Duration::from_secs(2), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_the_shutdown_delay_at_once() {
    let (_folder, binary) = server_with_delay("1h").await;
    binary.signal("TERM");
    binary.logs("not ready for more work").await;
    binary.signal("TERM");
    let took = ends_well(&binary).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let (_folder, binary) = server().await;
    let api = binary.api(Storage::Sqlite);
    let mut connections: Vec<_> = (0..20).map(|_| Wire::to(&api)).collect();
    // Half of them have been used and are kept alive, the others have not said anything yet.
    for connection in connections.iter_mut().take(10) {
        connection.send_head("GET /api/tasks", &[]);
        assert_eq!(connection.answer().status, 200);
    }
    binary.signal("TERM");
    let took = ends_well(&binary).await;
    println!("ended {took:?} after the signal, with 20 idle connections");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_request_that_never_ends_delays_the_end_for_less_than_10_seconds() {
    let (_folder, binary) = server().await;
    let _stuck = half_a_request(&binary.api(Storage::Sqlite));
    binary.signal("TERM");
    println!(
        "ended {:?} after the signal, with a request that was stuck",
        ends_well(&binary).await
    );
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let (_folder, binary) = server().await;
    let _stuck = half_a_request(&binary.api(Storage::Sqlite));
    binary.signal("INT");
    binary.logs("finishing the requests that are under way").await;
    binary.signal("INT");
    let took = ends_well(&binary).await;
    println!("ended {took:?} after the second signal");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_signal_right_after_the_start_ends_the_process_in_order() {
    let (_folder, first) = server().await;
    drop(first);
    for _ in 0..10 {
        let (_folder, binary) = server().await;
        binary.signal("TERM");
        ends_well(&binary).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_stop_under_load_the_sqlite_database_is_one_file_with_everything_that_was_acknowledged() {
    const STOPS: u64 = 20;
    let mut left = Vec::new();
    for stop in 0..STOPS {
        let (folder, binary) = server().await;
        let api = binary.api(Storage::Sqlite);
        let mut users = tokio::task::JoinSet::new();
        for number in 0..4 {
            let user = api.user(&format!("usr_{number}"));
            users.spawn(async move {
                let mut created = 0;
                let request = || {
                    user.request(Method::POST, "/api/tasks")
                        .json(&json!({ "title": "one" }))
                };
                while let Ok(answer) = request().send().await {
                    created += i64::from(answer.status() == 201);
                }
                created
            });
        }
        // Idle, and in the middle of work.
        tokio::time::sleep(Duration::from_millis(20 * (stop % 10))).await;
        binary.signal("TERM");
        ends_well(&binary).await;
        let acknowledged: i64 = users.join_all().await.iter().sum();
        let files: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .collect();
        if files.len() != 1 {
            left.push((stop, files));
        }
        // A copy of the one file has all of it.
        let copy = folder.path().join("copy.db");
        std::fs::copy(folder.path().join("tasks.db"), &copy).expect("a copy");
        let database = SqliteDatabase::open(&copy, SqliteSettings::default()).expect("a database");
        let mut stored = 0;
        for number in 0..4 {
            let owner = Owner::parse(&format!("usr_{number}")).expect("a user id");
            let count = database
                .tasks()
                .count(&owner, &TaskFilter::default())
                .await
                .expect("a count");
            stored += i64::try_from(count).expect("a small number");
        }
        assert!(stored >= acknowledged, "stop {stop}: {stored} of {acknowledged}");
    }
    assert!(
        left.is_empty(),
        "files were left in {} of {STOPS} stops: {left:?}",
        left.len()
    );
}

#[tokio::test]
async fn when_another_process_has_the_sqlite_file_open_the_server_says_that_its_log_stays() {
    let (folder, binary) = server().await;
    let other = SqliteDatabase::open(&folder.path().join("tasks.db"), SqliteSettings::default());
    let _other = other.expect("a database");
    binary.signal("TERM");
    ends_well(&binary).await;
    binary
        .logs("a copy of the database without it lacks the last changes")
        .await;
}

#[tokio::test]
async fn when_its_folder_is_deleted_a_server_on_sqlite_acknowledges_nothing_and_is_not_ready() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("inner");
    std::fs::create_dir(&folder).unwrap();
    let url = format!("sqlite:{}", folder.join("tasks.db").display());
    let binary = TaskApi::serve_on(&url).start().await;
    let api = binary.api(Storage::Sqlite);
    let user = api.user("usr_9f2c");
    user.has_task("before").await;
    std::fs::remove_dir_all(&folder).unwrap();
    for _ in 0..3 {
        let answer = user.post("/api/tasks", &json!({ "title": "lost" })).await;
        assert_eq!(answer.problem(), "database_unavailable");
    }
    assert_eq!(user.get("/api/tasks").await.problem(), "database_unavailable");
    assert_eq!(
        api.anonymous().get("/readyz").await.problem(),
        "database_unavailable"
    );
    let lines = binary.entries("the database file is not the one that was opened: every call is answered as an outage until \
        the server is started again with the file that is to be used. A left-over -wal file was renamed to -wal.set-aside");
    assert_eq!(lines.len(), 1, "{}", binary.log());
    binary.signal("TERM");
    ends_well(&binary).await;
}

#[test]
fn a_signal_ends_the_wait_for_a_database() {
    // Nothing listens on port 1.
    let task_api = TaskApi::serve_on("postgresql://user@127.0.0.1:1/tasks").env("DB_STARTUP_TIMEOUT", "30s");
    let mut process = task_api.spawn();
    let mut log = BufReader::new(process.0.stderr.take().unwrap());
    log.read_line(&mut String::new()).unwrap();
    let signalled = Instant::now();
    let kill = std::process::Command::new("kill")
        .arg(process.0.id().to_string())
        .status();
    assert!(kill.unwrap().success());
    process.0.wait().unwrap();
    assert!(
        signalled.elapsed() < Duration::from_secs(1),
        "{:?}",
        signalled.elapsed()
    );
}

#[tokio::test]
async fn the_server_goes_on_when_no_one_reads_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let mut process = TaskApi::serve_on(&url).spawn();
    let log = BufReader::new(process.0.stderr.take().unwrap());
    // The reader is dropped with this statement, and with it the only end of the pipe.
    let entry = log
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|entry| entry["message"] == "listening");
    let url = entry.expect("a server that listens")["url"]
        .as_str()
        .unwrap()
        .to_owned();
    // Each refusal is logged.
    for _ in 0..3 {
        let answer = reqwest::get(format!("{url}/api/tasks")).await.unwrap();
        assert_eq!(answer.status(), 401);
    }
}
