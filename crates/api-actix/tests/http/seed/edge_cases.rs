//! The seed's edge cases of requests, as the log tells of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Storage, TaskApi};

#[tokio::test(flavor = "multi_thread")]
async fn edge_case_user_id_that_does_not_match_the_token_leaves_one_audit_record() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let binary = TaskApi::serve_on(&url).start().await;
    let body = json!({ "title": "Not mine", "user_id": "bob-the-victim" });
    let alice = binary.api(Storage::Sqlite).user("alice");
    let request = alice
        .request(Method::POST, "/api/tasks")
        .header("x-request-id", "the-mismatch");
    assert_eq!(
        Answer::to(request.json(&body)).await.errors()[0]["type"],
        "owner_mismatch"
    );

    let log = binary.logs("the-mismatch").await;
    let records: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("the-mismatch"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 1, "{log}");
    assert_eq!(records[0]["target"], "audit");
    assert_eq!(records[0]["event"], "owner_mismatch");
    assert!(!log.contains("bob-the-victim"), "{log}");
}
