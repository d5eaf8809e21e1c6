//! A slow client is not waited for, and keeps no other client waiting.

use std::time::{Duration, Instant};

use adapters_http::policy::Policy;
use adapters_http::policy::time_limits::TimeLimits;
use serde_json::json;

use domain::testing::FakeTokenVerifier;
use test_api::{Api, Parts, Wire};

/// More than the server has threads, and more than it has connections to any database.
const SLOW_CLIENTS: usize = 75;
const SLOW_BODY: &[&str] = &["Content-Type: application/json", "Content-Length: 20"];

/// Two tests take as long as the limits that they are about.
#[tokio::test(flavor = "multi_thread")]
async fn seventy_five_heads_that_do_not_arrive_within_five_seconds_are_408_while_others_are_served() {
    let api = Api::over_memory();
    let started = Instant::now();
    let mut wires: Vec<Wire> = (0..SLOW_CLIENTS).map(|_| Wire::to(&api)).collect();
    for wire in &mut wires {
        wire.send("GET /livez HTTP/1.1\r\nHost: api\r\nX: ");
    }
    others_are_served(&api, started + Duration::from_secs(4)).await;
    for wire in &mut wires {
        let answer = wire.answer();
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (408, ""));
        assert!(wire.is_closed());
    }
    took(started, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn seventy_five_bodies_that_do_not_arrive_within_ten_seconds_are_408_while_others_are_served() {
    let api = Api::over_memory();
    let started = Instant::now();
    let mut wires: Vec<Wire> = (0..SLOW_CLIENTS).map(|_| Wire::to(&api)).collect();
    for wire in &mut wires {
        wire.send_head("POST /api/tasks", SLOW_BODY);
        wire.send(r#"{"title""#);
    }
    others_are_served(&api, started + Duration::from_secs(9)).await;
    for wire in &mut wires {
        let answer = wire.answer();
        assert_eq!(answer.status, 408);
        assert_eq!(answer.problem(), "request_timeout");
        assert_eq!(answer.header("connection"), "close");
        assert!(wire.is_closed());
    }
    took(started, 10);
}

async fn others_are_served(api: &Api, until: Instant) {
    let alice = api.user("alice");
    for _ in 0..50 {
        assert_eq!(alice.get("/api/tasks").await.body, "[]");
    }
    assert!(Instant::now() < until, "the slow ones may have been gone already");
}

/// It took that long; actix reads the time twice a second, and the machine may be busy.
fn took(started: Instant, seconds: u64) {
    let waited = started.elapsed();
    assert!(
        waited >= Duration::from_millis(seconds * 1000 - 600),
        "{waited:?}"
    );
    assert!(waited < Duration::from_secs(seconds + 8), "{waited:?}");
}

const BRIEFLY: Duration = Duration::from_millis(300);

/// An API that waits no longer than this for the client.
fn with_limits(time_limits: TimeLimits) -> Api {
    Api::serving(Parts {
        policy: Policy {
            time_limits,
            ..Policy::default()
        },
        ..Parts::default()
    })
}

fn impatient() -> Api {
    with_limits(TimeLimits {
        exchange: BRIEFLY,
        ..TimeLimits::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_head_that_trickles_in_ends_the_connection() {
    let api = impatient();
    for trickle in ["x", "\r\n"] {
        let mut wire = Wire::to(&api);
        wire.send_head("GET /livez", &[]);
        assert_eq!(wire.answer().status, 200);
        if trickle == "x" {
            wire.send("GET /livez HTTP/1.1\r\nHost: api\r\nX: ");
        }
        assert!(wire.trickle_until_closed(trickle) >= BRIEFLY);
    }
}

/// actix reads on when a handler does not, to be able to use the connection again.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_wanted_any_more_ends_the_connection() {
    let api = with_limits(TimeLimits {
        body: BRIEFLY,
        exchange: 2 * BRIEFLY,
        ..TimeLimits::default()
    });
    let token = FakeTokenVerifier::token_for("alice");
    for (line, status) in [
        ("POST /api/tasks HTTP/1.1".to_owned(), 401),
        ("GET /livez HTTP/1.1".to_owned(), 200),
        (
            format!("POST /api/tasks HTTP/1.1\r\nAuthorization: Bearer {token}"),
            408,
        ),
    ] {
        let lines = "Host: api\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
        let mut wire = Wire::to(&api);
        wire.send(format!("{line}\r\n{lines}\r\n\r\n"));
        assert_eq!(wire.answer().status, status);
        wire.trickle_until_closed("1\r\n \r\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_kept_for_its_own_time() {
    let keep_alive = Duration::from_secs(2);
    let api = with_limits(TimeLimits {
        exchange: BRIEFLY,
        keep_alive,
        ..TimeLimits::default()
    });
    let mut wire = Wire::to(&api);
    wire.send_head("GET /livez", &[]);
    assert_eq!(wire.answer().status, 200);
    let answered = Instant::now();
    assert!(wire.is_closed());
    took(answered, keep_alive.as_secs());
}

/// Alice has enough long tasks that some pages of them do not fit into the buffers of the operating system.
async fn has_long_tasks(api: &Api) {
    let alice = api.user("alice");
    // Six bytes a character in JSON.
    let description = "\u{1}".repeat(10_000);
    for _ in 0..18 {
        let task = json!({ "title": "long", "description": description });
        assert_eq!(alice.post("/api/tasks", &task).await.status, 201);
    }
}

/// Asks for ten pages of a MiB at once.
fn ask_for_much(wire: &mut Wire) {
    for _ in 0..10 {
        wire.send_head("GET /api/tasks", &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_in_nothing_of_its_answers_is_cut_off() {
    let api = with_limits(TimeLimits {
        slow_reader: BRIEFLY,
        ..TimeLimits::default()
    });
    has_long_tasks(&api).await;
    let mut wire = Wire::with_a_small_window(&api).await;
    ask_for_much(&mut wire);
    wire.send_until_refused("\r\n");
    assert_eq!(api.anonymous().get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_in_a_little_now_and_then_is_cut_off() {
    let api = with_limits(TimeLimits {
        slow_reader: Duration::from_secs(1),
        ..TimeLimits::default()
    });
    has_long_tasks(&api).await;
    let mut wire = Wire::with_a_small_window(&api).await;
    ask_for_much(&mut wire);
    let started = Instant::now();
    // 8 KiB a second.
    wire.take_in_until_closed(4 << 10, Duration::from_millis(500));
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_in_its_answers_slowly_gets_all_of_them() {
    let api = with_limits(TimeLimits {
        slow_reader: Duration::from_secs(1),
        ..TimeLimits::default()
    });
    has_long_tasks(&api).await;
    let mut wire = Wire::with_a_small_window(&api).await;
    wire.pause_between_reads(Duration::from_millis(1));
    ask_for_much(&mut wire);
    for _ in 0..10 {
        assert_eq!(wire.raw_answer().json().as_array().map(Vec::len), Some(18));
    }
}

/// The token, the path and the head come before the body: who is refused for them is refused at once.
#[tokio::test(flavor = "multi_thread")]
async fn no_one_is_waited_for_who_is_refused_anyway() {
    let api = Api::over_memory();
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
        wire.send(format!("{request}\r\n{}\r\n\r\n", SLOW_BODY.join("\r\n")));
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

/// A client that hangs up in the middle of its body leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_creates_nothing() {
    let api = Api::over_memory();
    for _ in 0..10 {
        let mut wire = Wire::to(&api);
        wire.send_head("POST /api/tasks", SLOW_BODY);
        wire.send(r#"{"title":"half"}"#);
        drop(wire);
    }
    assert!(api.user("alice").titles().await.is_empty());
}
