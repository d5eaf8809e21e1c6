//! A body may be as large as 256 KiB and not a byte larger; what is larger is not read.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use test_api::{Answer, Api, Wire};

const LIMIT: usize = 256 * 1024;

/// A good body of exactly that size.
fn body_of(size: usize) -> String {
    let body = r#"{"title":"Buy milk"}"#;
    format!("{body}{}", " ".repeat(size - body.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_256_kib_is_read_and_one_of_a_byte_more_is_413() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let accepted = alice.sends(Method::POST, "/api/tasks", body_of(LIMIT)).await;
    assert_eq!(accepted.status, 201);
    for size in [LIMIT + 1, 2 * LIMIT, 20 * LIMIT] {
        let refused = alice.sends(Method::POST, "/api/tasks", body_of(size)).await;
        assert_eq!(refused.status, 413, "{size}");
        assert_eq!(refused.problem(), "body_too_large", "{size}");
        assert_eq!(refused.header("connection"), "close", "{size}");
    }
    assert_eq!(alice.titles().await, ["Buy milk"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_limit_holds_without_an_announced_length() {
    let api = Api::over_memory();
    for (size, status) in [(LIMIT, 201), (LIMIT + 1, 413)] {
        let mut wire = Wire::to(&api);
        wire.send_head(
            "POST /api/tasks",
            &["Content-Type: application/json", "Transfer-Encoding: chunked"],
        );
        for part in body_of(size).as_bytes().chunks(10_000) {
            wire.send_chunk(part);
        }
        wire.send_chunk(b"");
        let answer = wire.answer();
        assert_eq!(answer.status, status, "{size}");
        if status == 413 {
            assert_eq!(answer.problem(), "body_too_large");
            assert!(wire.is_closed());
        }
    }
}

/// The announced length is enough: the answer comes before a single byte of the body.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_too_large_is_refused_unread() {
    let api = Api::over_memory();
    for length in ["262145", "18446744073709551615"] {
        let mut wire = Wire::to(&api);
        let length = format!("Content-Length: {length}");
        wire.send_head("POST /api/tasks", &["Content-Type: application/json", &length]);
        let answer = wire.answer();
        assert_eq!(answer.problem(), "body_too_large");
        assert_eq!(answer.header("connection"), "close");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_refused_when_it_is_too_large() {
    let api = Api::over_memory();
    let mut wire = Wire::to(&api);
    wire.send_head(
        "POST /api/tasks",
        &["Content-Type: application/json", "Transfer-Encoding: chunked"],
    );
    for _ in 0..=LIMIT / 8192 {
        wire.send_chunk(&[b' '; 8192]);
    }
    assert_eq!(wire.answer().problem(), "body_too_large");
}

/// A client that sends everything before it reads still gets to see its answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_body_that_is_too_large_is_not_lost_when_the_connection_closes() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for media_type in ["application/json", "text/plain"] {
        let status = if media_type == "text/plain" { 415 } else { 413 };
        for _ in 0..20 {
            let request = alice
                .request(Method::POST, "/api/tasks")
                .header(CONTENT_TYPE, media_type);
            let answer = Answer::to(request.body(vec![b' '; 3 * 1024 * 1024])).await;
            assert_eq!(answer.status, status);
        }
    }
}
