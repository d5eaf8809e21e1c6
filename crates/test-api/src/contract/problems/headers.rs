//! The headers that every answer carries.

use reqwest::Method;
use serde_json::json;

use super::UNKNOWN;
use crate::{Answer, Api};

cases! { headers_cases in contract::problems::headers:
    every_answer_carries_the_common_headers
    a_sound_request_id_is_taken_over
    an_unsound_request_id_is_replaced
    every_request_without_an_id_gets_another_one
    no_cache_in_between_keeps_an_explanation
}

async fn every_answer_carries_the_common_headers(api: &Api) {
    for (status, cache_control, answer) in answers(api).await {
        assert_eq!(answer.status, status);
        has_the_common_headers(&answer, cache_control);
        if status >= 400 {
            answer.problem();
        }
    }
}

/// Returns of every kind, each with its status and what caches may do with it.
async fn answers(api: &Api) -> Vec<(u16, &'static str, Answer)> {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    let path = created.header("location").to_owned();
    let huge = "x".repeat(300 * 1024);
    vec![
        (200, "private, no-cache", alice.get("/api/tasks").await),
        (200, "private, no-cache", alice.get(&path).await),
        (
            200,
            "private, no-cache",
            alice.put(&path, &json!({ "title": "x" })).await,
        ),
        (204, "private, no-cache", alice.delete(&path).await),
        (201, "private, no-cache", created),
        (200, "no-store", api.anonymous().get("/health").await),
        (200, "no-store", api.anonymous().get("/healthz").await),
        (200, "no-store", api.anonymous().get("/api/health").await),
        (200, "no-store", api.anonymous().get("/livez").await),
        (200, "no-store", api.anonymous().get("/readyz").await),
        (401, "no-store", api.anonymous().get("/api/tasks").await),
        (404, "no-store", alice.get(UNKNOWN).await),
        (404, "no-store", alice.get("/api/nothing").await),
        (404, "no-store", api.anonymous().get("/nothing").await),
        (404, "no-store", api.anonymous().get("/favicon.ico").await),
        (
            405,
            "no-store",
            Answer::to(alice.request(Method::POST, UNKNOWN)).await,
        ),
        (
            405,
            "no-store",
            Answer::to(alice.request(Method::POST, "/health")).await,
        ),
        (
            413,
            "no-store",
            alice.sends(Method::POST, "/api/tasks", huge).await,
        ),
        (
            415,
            "no-store",
            Answer::to(alice.request(Method::POST, "/api/tasks").body("x")).await,
        ),
        (422, "no-store", alice.get("/api/tasks?limit=0").await),
        (422, "no-store", alice.post("/api/tasks", &json!({})).await),
    ]
}

fn has_the_common_headers(answer: &Answer, cache_control: &str) {
    for (name, value) in [
        ("cache-control", cache_control),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("vary", "Origin, Accept-Encoding"),
        ("server", ""),
        ("x-powered-by", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {answer:?}");
        assert!(
            answer.headers.get_all(name).iter().count() <= 1,
            "{name} of {answer:?}"
        );
    }
    assert_eq!(answer.header("x-request-id").len(), 36, "{answer:?}");
}

async fn a_sound_request_id_is_taken_over(api: &Api) {
    for id in [
        "a",
        "0",
        "-",
        "_._",
        "01939f6e-2f4a-7e02-8c11-0d7a3b1c5e77",
        &"x".repeat(64),
    ] {
        for path in ["/api/tasks", "/health", "/nothing"] {
            let request = api.user("alice").request(Method::GET, path);
            let answer = Answer::to(request.header("x-request-id", id)).await;
            assert_eq!(answer.header("x-request-id"), id);
        }
        let request = api.anonymous().request(Method::GET, "/api/tasks");
        let answer = Answer::to(request.header("x-request-id", id)).await;
        assert_eq!(answer.json()["request_id"], id);
    }
}

async fn an_unsound_request_id_is_replaced(api: &Api) {
    for id in [
        b"".as_slice(),
        b"with a space",
        b"line\tbreak",
        b"{\"forged\":1}",
        b"<script>",
        b"a,b",
        b"\xff",
        "é".as_bytes(),
        &[b'x'; 65],
        &[b'x'; 10_000],
    ] {
        let value = reqwest::header::HeaderValue::from_bytes(id).expect("something that can be sent");
        let request = api.anonymous().request(Method::GET, "/api/tasks");
        let answer = Answer::to(request.header("x-request-id", value)).await;
        let replaced = uuid::Uuid::parse_str(answer.header("x-request-id"));
        assert!(replaced.is_ok(), "{answer:?}");
        assert_eq!(answer.problem(), "token_missing");
    }
}

async fn every_request_without_an_id_gets_another_one(api: &Api) {
    let alice = api.user("alice");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..100 {
        ids.insert(alice.get("/api/tasks").await.header("x-request-id").to_owned());
    }
    assert_eq!(ids.len(), 100);
}

/// One address, two forms: a cache that keeps one of them would give it to those who want the other.
async fn no_cache_in_between_keeps_an_explanation(api: &Api) {
    for (accept, media_type) in [
        ("*/*", "application/json"),
        ("text/html", "text/html; charset=utf-8"),
    ] {
        let request = api.anonymous().request(Method::GET, "/problems/timeout");
        let answer = Answer::to(request.header("accept", accept)).await;
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
}
