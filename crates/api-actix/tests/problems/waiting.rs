//! Whoever sends too slowly is not waited for, and keeps nobody else waiting.

use std::time::{Duration, Instant};

use crate::support::{Api, Storage, Wire};

const SLOW: &[&str] = &["Content-Type: application/json", "Content-Length: 20"];

/// The one test that takes as long as the limit it is about.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_within_ten_seconds_is_408_while_others_are_served() {
    let api = Api::over(Storage::Memory).await;
    let started = Instant::now();
    // More of them than the server has threads.
    let mut wires: Vec<Wire> = (0..8).map(|_| Wire::to(&api)).collect();
    for wire in &mut wires {
        wire.send_head("POST /api/tasks", SLOW);
        wire.send(r#"{"title""#);
    }
    let alice = api.user("alice");
    for _ in 0..50 {
        let asked = Instant::now();
        assert_eq!(alice.get("/api/tasks").await.body, "[]");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "too slow to tell anything"
    );
    for wire in &mut wires {
        let answer = wire.answer();
        assert_eq!(answer.status, 408);
        assert_eq!(answer.problem(), "request_timeout");
        assert_eq!(answer.header("connection"), "close");
        assert!(wire.is_closed());
    }
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(9_900), "{waited:?}");
    assert!(waited < Duration::from_secs(18), "{waited:?}");
}

/// The token, the path and the head come before the body: who is refused for them is refused at once.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_waited_for_who_is_refused_anyway() {
    let api = Api::over(Storage::Memory).await;
    for (request, code) in [
        (
            "POST /api/tasks HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer a.b.c",
            "token_invalid",
        ),
        ("POST /api/tasks HTTP/1.1\r\nHost: api", "token_missing"),
        ("POST /nothing HTTP/1.1\r\nHost: api", "route_not_found"),
        ("POST /health HTTP/1.1\r\nHost: api", "method_not_allowed"),
    ] {
        let started = Instant::now();
        let mut wire = Wire::to(&api);
        wire.send(format!("{request}\r\n{}\r\n\r\n", SLOW.join("\r\n")));
        assert_eq!(wire.answer().problem(), code);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
    let mut wire = Wire::to(&api);
    wire.send_head(
        "POST /api/tasks",
        &["Content-Type: text/plain", "Content-Length: 20"],
    );
    assert_eq!(wire.answer().problem(), "unsupported_media_type");
}

/// A client that goes away in the middle of its body leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_creates_nothing() {
    let api = Api::over(Storage::Memory).await;
    for _ in 0..10 {
        let mut wire = Wire::to(&api);
        wire.send_head("POST /api/tasks", SLOW);
        wire.send(r#"{"title":"half"}"#);
        drop(wire);
    }
    assert!(api.user("alice").titles().await.is_empty());
}
