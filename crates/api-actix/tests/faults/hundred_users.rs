//! A hundred users at once: SC-002 and SC-007.
//!
//! The promises are about a release build on a quiet machine; here a debug build may share two cores with a compiler.
//! So what is asserted is that every user is served, and a limit that only a real fault breaks; the measurements are
//! printed (`cargo test -p api-actix --test faults hundred_users -- --include-ignored --nocapture`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::TURN;
use crate::support::{Answer, Storage, User, api_over, token_for};

const CONNECTIONS: usize = 100;
/// How often each of them goes through all the operations.
const ROUNDS: usize = 4;
/// Nothing that stands in a queue of a hundred takes longer, unless it hangs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long each operation took, by its name.
type Latencies = BTreeMap<&'static str, Vec<Duration>>;

#[tokio::test(flavor = "multi_thread")]
async fn sc_002_sc_007_a_hundred_users_at_once_are_all_served_on_sqlite() {
    serves_every_user(Storage::Sqlite, |number| format!("user-{number}")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_002_sc_007_a_hundred_users_at_once_are_all_served_on_postgresql() {
    serves_every_user(Storage::Postgres, |number| format!("user-{number}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_007_a_hundred_requests_of_one_user_at_once_are_all_served_on_sqlite() {
    serves_every_user(Storage::Sqlite, |_| "alice".to_owned()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_007_a_hundred_requests_of_one_user_at_once_are_all_served_on_postgresql() {
    serves_every_user(Storage::Postgres, |_| "alice".to_owned()).await;
}

async fn serves_every_user(storage: Storage, name: impl Fn(usize) -> String) {
    let _turn = TURN.lock().await;
    let api = api_over(storage).await;
    let mut users = JoinSet::new();
    let started = Instant::now();
    for number in 0..CONNECTIONS {
        users.spawn(works(api.bearer(&token_for(&name(number)))));
    }
    let mut all = Latencies::new();
    while let Some(latencies) = users.join_next().await {
        for (operation, latencies) in latencies.expect("a user who is served") {
            all.entry(operation).or_default().extend(latencies);
        }
    }
    let count: usize = all.values().map(Vec::len).sum();
    println!(
        "{storage:?}, {}: {count} requests in {:?}",
        name(0),
        started.elapsed()
    );
    for (operation, mut latencies) in all {
        latencies.sort_unstable();
        let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
        println!(
            "  {operation:<7} p50 {:>9.2?}  p95 {:>9.2?}  p99 {:>9.2?}",
            at(50),
            at(95),
            at(99)
        );
        assert_eq!(latencies.len(), CONNECTIONS * ROUNDS);
        assert!(at(100) < TIMEOUT, "{operation}: {:?}", at(100));
    }
}

/// One user's work: every operation, over and over, without a pause.
async fn works(user: User) -> Latencies {
    let mut latencies = Latencies::new();
    for _ in 0..ROUNDS {
        let mut timed = async |operation, method, path: &str, body, wanted| {
            let request = user.request(method, path);
            let request = match body {
                Some(title) => request.json(&json!({ "title": title })),
                None => request,
            };
            let started = Instant::now();
            let answer = Answer::to(request).await;
            latencies.entry(operation).or_default().push(started.elapsed());
            assert_eq!(answer.status, wanted, "{operation}: {answer:?}");
            answer
        };
        let created = timed("create", Method::POST, "/api/tasks", Some("new"), 201).await;
        let path = created.header("location");
        timed("read", Method::GET, path, None, 200).await;
        timed("list", Method::GET, "/api/tasks?limit=10", None, 200).await;
        timed("update", Method::PUT, path, Some("changed"), 200).await;
        timed("delete", Method::DELETE, path, None, 204).await;
    }
    latencies
}
