//! A client that does not read what it asks for takes neither the memory nor the service from others.

use std::time::{Duration, Instant};

use adapters_http::policy::Policy;
use adapters_http::policy::unsent::Unsent;
use reqwest::Method;
use serde_json::{Value, json};

use test_api::{Answer, Api, Parts, User, unread_by};

const MIB: usize = 1 << 20;

/// An API whose responses may hold `bytes` bytes, and what they hold.
fn limited_to(bytes: usize) -> (Api, Unsent) {
    let unsent = Unsent::limited_to(bytes);
    let policy = Policy {
        unsent: unsent.clone(),
        ..Policy::default()
    };
    let api = Api::serving(Parts {
        policy,
        ..Parts::default()
    });
    (api, unsent)
}

/// Tasks that take 60 KB each as JSON: the eighteenth fills a page.
async fn has_long_tasks(user: &User, count: usize) {
    let task = json!({ "title": "long", "description": "\u{1}".repeat(10_000) });
    for _ in 0..count {
        assert_eq!(user.post("/api/tasks", &task).await.status, 201);
    }
}

/// Waits until this holds.
async fn becomes(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} does not become true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until answers of at least `bytes` bytes wait, and the operating system's buffers take in no more of them.
async fn are_stuck_at(bytes: usize, unsent: &Unsent) {
    becomes("unread answers wait, and no byte of them moves", async || {
        let before = unsent.metrics().bytes;
        tokio::time::sleep(Duration::from_millis(300)).await;
        before >= bytes && unsent.metrics().bytes == before
    })
    .await;
}

fn assert_is_overloaded(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.problem(), "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_does_not_read_is_refused_more_and_no_one_else() {
    let (api, unsent) = limited_to(4 * MIB);
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    has_long_tasks(&alice, 18).await;
    bob.has_task("His").await;
    let task = alice.get("/api/tasks?limit=1").await.json();
    let task = format!("/api/tasks/{}", task[0]["id"].as_str().expect("an id"));
    let streams = unread_by("alice", &api, 8, "").await;
    are_stuck_at(MIB, &unsent).await;
    for path in [
        "/api/tasks",
        "/api/tasks?limit=1",
        "/api/tasks/summary",
        "/api/me",
        &task,
    ] {
        assert_is_overloaded(&alice.get(path).await);
        assert_eq!(
            Answer::to(alice.request(Method::HEAD, path)).await.status,
            503,
            "{path}"
        );
    }
    // What she changes is changed, and no other user notices anything.
    assert_eq!(alice.put(&task, &json!({ "title": "x" })).await.status, 200);
    assert_eq!(
        bob.get("/api/tasks").await.json().as_array().map(Vec::len),
        Some(1)
    );
    for path in ["/livez", "/health", "/readyz"] {
        assert_eq!(api.anonymous().get(path).await.status, 200, "{path}");
    }
    assert_eq!(api.bearer("a.b.c").get("/api/tasks").await.status, 401);
    // Two workers may be making a page each when the share is used up.
    assert!(unsent.metrics().bytes < 4 * MIB, "{unsent:?}");
    assert!(unsent.metrics().refused >= 10, "{unsent:?}");
    drop(streams);
    becomes("everything is released", async || unsent.metrics().bytes == 0).await;
    assert_eq!(alice.get("/api/tasks?limit=1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_everything_is_used_every_read_is_refused_and_nothing_else() {
    let (api, unsent) = limited_to(4 * MIB);
    let mut streams = Vec::new();
    for user in ["a", "b", "c", "d"] {
        has_long_tasks(&api.user(user), 18).await;
        streams.extend(unread_by(user, &api, 6, "").await);
    }
    are_stuck_at(4 * MIB, &unsent).await;
    let erin = api.user("erin");
    assert_is_overloaded(&erin.get("/api/tasks").await);
    assert_eq!(
        erin.post("/api/tasks", &json!({ "title": "x" })).await.status,
        201
    );
    assert_eq!(api.anonymous().get("/readyz").await.status, 200);
    drop(streams);
    becomes("everything is released", async || unsent.metrics().bytes == 0).await;
    assert_eq!(erin.get("/api/tasks").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_counts_no_more() {
    let (api, unsent) = limited_to(4 * MIB);
    let alice = api.user("alice");
    has_long_tasks(&alice, 18).await;
    for coding in ["identity", "br", "gzip", "deflate"] {
        for _ in 0..8 {
            let request = alice
                .request(Method::GET, "/api/tasks")
                .header("Accept-Encoding", coding);
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200);
            // Brotli takes too much memory for what is large.
            let is_plain = ["identity", "br"].contains(&coding);
            assert_eq!(response.headers().get("content-encoding").is_none(), is_plain);
            assert_eq!(response.headers().get("content-length").is_some(), is_plain);
            let bytes = response.bytes().await.expect("a body");
            if is_plain {
                let tasks: Vec<Value> = serde_json::from_slice(&bytes).expect("JSON");
                assert_eq!(tasks.len(), 18);
            }
        }
        becomes("everything is released", async || unsent.metrics().bytes == 0).await;
    }
    assert_eq!(unsent.metrics().refused, 0);
}
