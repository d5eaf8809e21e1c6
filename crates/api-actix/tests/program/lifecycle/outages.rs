//! The database becomes unavailable and comes back; the server stays.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use test_postgres::{Cluster, ClusterOptions, StopMode};

use super::{timed, until};
use crate::support::{Answer, Binary, Storage, TaskApi};

/// An answer of the outage, and its entry in the audit log.
async fn is_told_to_try_again(binary: &Binary, answer: &Answer, took: Duration) {
    println!("{} after {took:?}", answer.status);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.problem(), "database_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    let request_id = answer.header("x-request-id");
    let log = binary.logs(request_id).await;
    let entries = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_request: Vec<_> = entries
        .filter(|entry| entry["target"] == "audit" && entry["request_id"] == request_id)
        .collect();
    assert_eq!(of_request.len(), 1, "{of_request:?}");
    let entry = &of_request[0];
    assert_eq!(entry["event"], "db_error", "{entry}");
    assert_eq!(entry["class"], "connection", "{entry}");
    assert_eq!(entry["level"], "ERROR", "{entry}");
    assert!(
        entry["cause"].as_str().is_some_and(|cause| !cause.is_empty()),
        "{entry}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn us2_4_sc_005_the_server_outlives_its_database_and_works_again_within_5_seconds() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = cluster.fresh_database().await;
    let binary = TaskApi::serve_on(database.url()).start().await;
    let api = binary.api(Storage::Postgres);
    let (alice, anonymous) = (api.user("alice"), api.anonymous());
    let id = alice.has_task("from before").await["id"].clone();
    let path = format!("/api/tasks/{}", id.as_str().unwrap());
    assert_eq!(anonymous.get("/readyz").await.status, 200);
    cluster.stop(StopMode::Fast);

    // Whatever needs the database says so soon, and the log says why under the same request id.
    let title = json!({ "title": "from the outage" });
    let requests = [
        alice.request(Method::GET, &path),
        alice.request(Method::GET, "/api/tasks"),
        alice.request(Method::POST, "/api/tasks").json(&title),
        alice.request(Method::PUT, &path).json(&title),
        alice.request(Method::DELETE, &path),
    ];
    let answers = requests.into_iter().enumerate().map(|(number, request)| {
        let request = request.header("x-request-id", format!("during-the-outage-{number}"));
        tokio::spawn(timed(Answer::to(request)))
    });
    for answer in answers.collect::<Vec<_>>() {
        let (answer, took) = answer.await.unwrap();
        is_told_to_try_again(&binary, &answer, took).await;
    }
    // Its verdict stands for a second, which has passed.
    let (ready, took) = timed(anonymous.get("/readyz")).await;
    is_told_to_try_again(&binary, &ready, took).await;
    // What does not need it goes on.
    assert_eq!(anonymous.get("/livez").await.json(), json!({ "status": "ok" }));
    let health = anonymous.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), health.json()),
        (200, json!({ "status": "degraded" }))
    );
    assert_eq!(anonymous.get("/api/tasks").await.problem(), "token_missing");
    assert_eq!(
        api.bearer("not.a.token").get("/api/tasks").await.problem(),
        "token_invalid"
    );

    cluster.resume();
    let recovery = until("requests succeed again", async || {
        alice.get(&path).await.status == 200
    })
    .await;
    println!("recovered {recovery:?} after PostgreSQL came back");
    assert_eq!(
        alice.titles().await,
        ["from before"],
        "nothing was written by halves"
    );
    alice.has_task("from after").await;
    until("the last verdict of every worker is forgotten", async || {
        anonymous.get("/readyz").await.status == 200
    })
    .await;
    assert_eq!(anonymous.get("/health").await.json(), json!({ "status": "ok" }));
}
