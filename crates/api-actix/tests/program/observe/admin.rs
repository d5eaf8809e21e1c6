//! The listener for operators.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};

use super::{Watched, until};
use crate::support::{Storage, TaskApi, Wire};

async fn put_log_level(watched: &Watched, text: &str) -> Response {
    let request = watched.api.client().put(watched.admin_url("/log-level"));
    request.body(text.to_owned()).send().await.expect("an answer")
}

async fn get(watched: &Watched, path: &str) -> Response {
    let request = watched.api.client().get(watched.admin_url(path));
    request.send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_is_changed_under_names_of_this_machine_only_and_metrics_are_told_under_any() {
    let watched = Watched::on_sqlite(&[]).await;
    let under = async |method: Method, path: &str, host: &str| {
        let request = watched.api.client().request(method, watched.admin_url(path));
        let request = request.header("Host", host).body("info");
        request.send().await.expect("an answer")
    };
    for host in ["evil.example", "evil.example:9090", "localhost.evil.example"] {
        let refused = under(Method::PUT, "/log-level", host).await;
        assert_eq!(refused.status().as_u16(), 421, "{host}");
        assert!(refused.text().await.expect("a text").contains("host_not_allowed"));
        assert_eq!(under(Method::GET, "/metrics", host).await.status(), 200, "{host}");
    }
    for host in ["localhost", "127.0.0.1:9090", "[::1]:9090"] {
        assert_eq!(
            under(Method::PUT, "/log-level", host).await.status(),
            200,
            "{host}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_no_level_silences_nothing() {
    let watched = Watched::on_sqlite(&[]).await;
    for text in ["verbose", "warning", "info,audit=warning"] {
        assert_eq!(put_log_level(&watched, text).await.status(), 422, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_port_has_neither_metrics_nor_a_log_level() {
    let watched = Watched::on_sqlite(&[]).await;
    for path in ["/metrics", "/log-level"] {
        let answer = watched.api.anonymous().get(path).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::NOT_FOUND, "route_not_found")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_for_operators_has_no_tasks() {
    let watched = Watched::on_sqlite(&[]).await;
    for path in ["/api/tasks", "/health", "/livez", "/readyz"] {
        assert_eq!(get(&watched, path).await.status(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_at_the_metrics_does_not_change_them() {
    let watched = Watched::on_sqlite(&[]).await;
    watched.metrics().await;
    get(&watched, "/log-level").await;
    let metrics = watched.metrics().await;
    assert_eq!(
        metrics.sum("http_server_request_duration_seconds_count", &[]),
        0.0
    );
    assert_eq!(metrics.sum("http_server_active_requests", &[]), 0.0);
}

#[tokio::test]
async fn without_an_address_no_one_listens_for_operators() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let binary = TaskApi::serve_on(&url).start().await;
    assert!(binary.entries("listening for operators").is_empty());
    let answer = binary.api(Storage::Sqlite).anonymous().get("/metrics").await;
    assert_eq!(answer.status, 404);
}

#[test]
fn an_address_that_cannot_be_listened_on_is_refused_by_name() {
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let taken = other.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let (output, _) = TaskApi::serve_on(&url).env("ADMIN_ADDR", &taken).output();
    assert_eq!(output.status.code(), Some(78));
    let log = String::from_utf8(output.stderr).expect("text");
    let line = log.lines().last().expect("a reason");
    assert!(
        line.starts_with("task-api: ADMIN_ADDR cannot be listened on: "),
        "{log}"
    );
    assert!(line.contains("choose another port with ADMIN_ADDR"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_changes_while_the_server_runs() {
    let watched = Watched::on_sqlite(&[
        ("LOG_LEVEL", "warn,adapters_http=info,api_actix=info"),
        ("ACCESS_LOG", "all"),
    ])
    .await;
    let ask = async |id: &str| {
        let request = watched.api.anonymous().request(reqwest::Method::GET, "/livez");
        request
            .header("x-request-id", id)
            .send()
            .await
            .expect("an answer");
    };
    let is_logged = |id: &str| watched.binary.log().contains(id);
    ask("before").await;

    let answer = put_log_level(&watched, "info,hyper=error\n").await;
    assert_eq!(answer.status(), 200);
    let now = get(&watched, "/log-level").await.text().await.expect("a text");
    assert_eq!(now, "hyper=error,info\n");
    ask("between").await;
    until("the second line", async || is_logged("between")).await;

    put_log_level(&watched, "error").await;
    ask("after").await;
    put_log_level(&watched, "info").await;
    ask("at-the-end").await;
    until("the last line", async || is_logged("at-the-end")).await;
    assert!(
        !is_logged("\"before\"") && !is_logged("\"after\""),
        "{}",
        watched.binary.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_level_that_is_none_is_refused_and_changes_nothing() {
    let watched = Watched::on_sqlite(&[("LOG_LEVEL", "info")]).await;
    for text in ["", "a=b=c", "loud=very"] {
        assert_eq!(put_log_level(&watched, text).await.status(), 422, "{text}");
    }
    let now = get(&watched, "/log-level").await.text().await.expect("a text");
    assert_eq!(now, "info\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_answered_until_the_last_request_is_done() {
    let watched = Watched::on_sqlite(&[]).await;
    // A request under way keeps the server from ending.
    let mut client = Wire::to(&watched.api);
    client.send_head(
        "POST /api/tasks",
        &["Content-Type: application/json", "Content-Length: 14"],
    );
    until("the request is under way", async || {
        watched.metrics().await.sum("http_server_active_requests", &[]) >= 1.0
    })
    .await;
    watched.binary.signal("TERM");
    until("the end has begun", async || {
        !watched
            .binary
            .entries("stopping: finishing the requests that are under way")
            .is_empty()
    })
    .await;
    assert_eq!(
        watched.metrics().await.sum("http_server_active_requests", &[]),
        1.0
    );
    client.send(r#"{"title": "x"}"#);
    assert_eq!(client.answer().status, 201);
    assert_eq!(watched.binary.exit_code(Duration::from_secs(10)).await, Some(0));
}
