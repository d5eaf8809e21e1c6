//! Many connections, and more of them than there can be.

use crate::support::{Answer, Api, Binary, Storage, TaskApi, Wire};

/// A server on a new SQLite file that may have up to this many files open.
async fn server(open_files: &str) -> (tempfile::TempDir, Binary) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    // As many requests at once are not refused for their number.
    let server = TaskApi::serve_on(&url).env("DB_MAX_IN_FLIGHT", "2000");
    let binary = server.with_open_files(open_files).start().await;
    (folder, binary)
}

fn ask(api: &Api) -> Wire {
    let mut wire = Wire::to(api);
    wire.send_head("GET /api/tasks", &[]);
    wire
}

fn assert_is_served(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "[]"));
}

/// Also where a process may have 1,024 files open unless it asks for more, which is usual; here it is fewer.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_at_once_are_served() {
    rlimit::increase_nofile_limit(4096).expect("a limit of our own");
    let (_folder, binary) = server("-S -n 256").await;
    let api = binary.api(Storage::Sqlite);
    let mut wires: Vec<_> = (0..1000).map(|_| ask(&api)).collect();
    for wire in &mut wires {
        assert_is_served(&wire.answer());
    }
    // All of them are open now.
    for wire in &mut wires {
        wire.send_head("GET /api/tasks", &[]);
    }
    for wire in &mut wires {
        assert_is_served(&wire.answer());
    }
    assert_is_served(&api.user("alice").get("/api/tasks").await);
}

/// TCP does not tell a client that has only finished sending from one that has gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_closed_its_half_of_the_connection_gets_its_answer() {
    let (_folder, binary) = server("-n 64").await;
    let api = binary.api(Storage::Sqlite);
    for path in ["/api/tasks", "/api/tasks?q=milk", "/api/tasks?count=exact"] {
        let mut wire = Wire::to(&api);
        wire.send_head(&format!("GET {path}"), &[]);
        wire.close_half();
        assert_is_served(&wire.answer());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_until_silent_ones_are_cut_off() {
    let (_folder, binary) = server("-n 64").await;
    let api = binary.api(Storage::Sqlite);
    let silent: Vec<_> = (0..60).map(|_| Wire::to(&api)).collect();
    let mut patient = ask(&api);
    assert_is_served(&patient.answer());
    assert!(binary.log().contains("Too many open files"), "{}", binary.log());
    drop(silent);
    api.user("alice").has_task("after the rush").await;
}
