//! One request, one story: every line about it carries its id and its trace, and none of them a secret.

use serde_json::{Value, json};

use super::Watched;
use crate::support::{SECRET, token_for};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OWNER: &str = "usr_of_the_log_test";

/// The entries of the log that name this request, once `count` of them are there.
async fn story(watched: &Watched, request_id: &str, count: usize) -> Vec<Value> {
    let entries = || -> Vec<Value> {
        let log = watched.binary.log();
        let entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        entries
            .filter(|entry: &Value| entry["request_id"] == request_id)
            .collect()
    };
    super::until("every line of the story", async || entries().len() >= count).await;
    entries()
}

async fn ask(watched: &Watched, request_id: &str, path: &str) -> u16 {
    let request = watched.api.user(OWNER).request(reqwest::Method::GET, path);
    let request = request
        .header("x-request-id", request_id)
        .header("traceparent", TRACEPARENT);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_failing_request_tells_one_story_under_one_request_id_and_one_trace_id() {
    let database = test_postgres::fresh_database().await;
    let client = database.client().await;
    let url = database.url().to_owned();
    let watched = Watched::start(&url, &[], Box::new(database)).await;
    let title = "a title that is no one's business";
    let task = watched.api.user(OWNER).has_task(title).await;
    client
        .batch_execute("ALTER TABLE tasks RENAME TO gone")
        .await
        .expect("a broken schema");
    let path = format!("/api/tasks/{}?who=nobody", task["id"].as_str().expect("an id"));
    assert_eq!(ask(&watched, "the-failing-one", &path).await, 500);

    let story = story(&watched, "the-failing-one", 2).await;
    let [cause, request] = &story[..] else {
        panic!("{story:#?}")
    };
    assert_eq!(cause["event"], "db_error");
    assert_eq!(cause["target"], "audit");
    assert!(
        cause["cause"]
            .as_str()
            .expect("a cause")
            .contains("does not exist"),
        "{cause}"
    );
    assert_eq!(request["event"], "request");
    assert_eq!(request["target"], "access");
    assert_eq!(request["route"], "/api/tasks/{task_id}");
    assert_eq!(
        (&request["status"], &request["code"]),
        (&json!(500), &json!("internal_error"))
    );
    assert!(request["duration_ms"].as_f64().expect("a duration") > 0.0);
    for line in &story {
        assert_eq!(line["trace_id"], TRACE_ID, "{line}");
    }
    let log = watched.binary.log();
    let token = token_for(OWNER);
    let signature = token.rsplit_once('.').expect("a token").1;
    for secret in [SECRET, OWNER, title, "who=nobody", signature] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_requests_that_did_not_fail_on_our_side_are_not_logged() {
    let watched = Watched::on_sqlite(&[]).await;
    ask(&watched, "a-good-one", "/api/tasks").await;
    ask(&watched, "a-bad-one", "/api/tasks/none").await;
    watched
        .api
        .client()
        .get(watched.admin_url("/metrics"))
        .send()
        .await
        .expect("an answer");
    assert!(
        !watched.binary.log().contains("\"access\""),
        "{}",
        watched.binary.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_names_routes_and_neither_paths_nor_queries_nor_users() {
    let watched = Watched::on_sqlite(&[("ACCESS_LOG", "all")]).await;
    let task = watched.api.user(OWNER).has_task("a private title").await;
    let id = task["id"].as_str().expect("an id");
    assert_eq!(
        ask(&watched, "one", &format!("/api/tasks/{id}?who=nobody")).await,
        200
    );
    assert_eq!(ask(&watched, "many", "/api/tasks?q=private-words").await, 200);
    assert_eq!(ask(&watched, "elsewhere", "/api/private-words").await, 404);
    for (request_id, route) in [
        ("one", json!("/api/tasks/{task_id}")),
        ("many", json!("/api/tasks")),
        ("elsewhere", Value::Null),
    ] {
        let lines = story(&watched, request_id, 1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["route"], route);
        assert_eq!(lines[0]["trace_id"], TRACE_ID);
        assert_eq!(lines[0]["level"], "INFO");
        let fields = lines[0]
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>();
        let allowed = [
            "code",
            "duration_ms",
            "event",
            "level",
            "method",
            "request_id",
            "route",
            "status",
            "target",
            "timestamp",
            "trace_id",
        ];
        assert!(
            fields.iter().all(|field| allowed.contains(&field.as_str())),
            "{fields:?}"
        );
    }
    let log = watched.binary.log();
    for secret in [OWNER, "private", "who=nobody", id] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_traceparent_is_passed_over() {
    let watched = Watched::on_sqlite(&[("ACCESS_LOG", "all")]).await;
    let request = watched.api.anonymous().request(reqwest::Method::GET, "/livez");
    let request = request
        .header("x-request-id", "untraced")
        .header("traceparent", TRACEPARENT.to_uppercase());
    request.send().await.expect("an answer");
    let lines = story(&watched, "untraced", 1).await;
    assert!(lines[0].get("trace_id").is_none(), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_lines_carry_the_trace_id_as_well() {
    let watched = Watched::on_sqlite(&[]).await;
    let request = watched
        .api
        .anonymous()
        .request(reqwest::Method::GET, "/api/tasks");
    let request = request
        .header("x-request-id", "refused")
        .header("traceparent", TRACEPARENT);
    request.send().await.expect("an answer");
    let lines = story(&watched, "refused", 1).await;
    assert_eq!(
        (&lines[0]["event"], &lines[0]["trace_id"]),
        (&json!("auth_failed"), &json!(TRACE_ID))
    );
}
