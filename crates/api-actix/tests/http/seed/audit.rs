//! Functional requirement 15: every refused authentication leaves one line in the log of the real binary, and none of
//! them repeats what the token said.

use chrono::TimeDelta;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use crate::support::{Answer, Binary, SECRET, TaskApi, http_client, signed, token_for, token_signed_with};

const USER: &str = "usr_of_the_audit_test";

struct Server {
    binary: Binary,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
        Self {
            binary: TaskApi::serve_on(&url).start().await,
            client: http_client(),
            _folder: folder,
        }
    }

    /// Sends a request with this id and these `Authorization` headers; returns its status.
    async fn asks(&self, request_id: &str, authorization: &[&str]) -> u16 {
        let mut request = self
            .client
            .get(format!("{}/api/tasks?query=of-the-test", self.binary.url()))
            .header("x-request-id", request_id);
        for value in authorization {
            request = request.header(AUTHORIZATION, *value);
        }
        Answer::to(request).await.status.as_u16()
    }

    /// The entries of the log about one request.
    async fn entries(&self, request_id: &str) -> Vec<Value> {
        let log = self.binary.logs(&format!("\"{request_id}\"")).await;
        let entries = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        entries
            .filter(|entry: &Value| entry["request_id"] == request_id)
            .collect()
    }
}

/// Requests that are refused: the reason, and their `Authorization` headers.
fn refused_requests() -> Vec<(&'static str, Vec<String>)> {
    let good = token_for(USER);
    let later = 4_000_000_000_i64;
    let bearer = |token: String| vec![format!("Bearer {token}")];
    let with_header = |header: &str| {
        let claims = format!(r#"{{"exp":{later},"user_id":"{USER}"}}"#);
        bearer(signed(header, &claims))
    };
    let with_claims = |claims: &str| bearer(signed(r#"{"alg":"HS256"}"#, claims));
    let signed_with = |secret: &str, minutes| {
        let lifetime = TimeDelta::minutes(minutes);
        bearer(token_signed_with(secret, USER, lifetime))
    };
    let another_servers = "a secret of another server, 0123456789abcdef";
    vec![
        ("missing", vec![]),
        ("missing", vec!["Basic dXNlcjpwYXNz".to_owned()]),
        ("malformed", vec!["Bearer".to_owned()]),
        ("malformed", [bearer(good.clone()), bearer(good)].concat()),
        (
            "opaque_session_token",
            bearer("mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o".to_owned()),
        ),
        ("too_large", bearer("a".repeat(20_000))),
        ("alg_not_allowed", with_header(r#"{"alg":"none"}"#)),
        ("no_key_source", with_header(r#"{"alg":"EdDSA","kid":"key-7"}"#)),
        ("bad_type", with_header(r#"{"alg":"HS256","typ":"logout+jwt"}"#)),
        ("bad_signature", signed_with(another_servers, 1)),
        ("expired", signed_with(SECRET, -1)),
        ("no_exp", with_claims(&format!(r#"{{"user_id":"{USER}"}}"#))),
        (
            "bad_user_id",
            with_claims(&format!(r#"{{"exp":{later},"user_id":7,"sub":"{USER}"}}"#)),
        ),
        (
            "alg_not_allowed",
            with_header(r#"{"alg":"no\nne","kid":"\"key-13\""}"#),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn fr_015_every_refused_token_is_logged_once_with_its_reason() {
    let server = Server::start().await;
    let cases = refused_requests();
    for (number, (_, headers)) in cases.iter().enumerate() {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(server.asks(&format!("refused-{number}"), &headers).await, 401);
    }
    for (number, (reason, _)) in cases.iter().enumerate() {
        let entries = server.entries(&format!("refused-{number}")).await;
        assert_eq!(entries.len(), 1, "{entries:?}");
        let entry = &entries[0];
        assert_eq!(entry["level"], "WARN");
        assert_eq!(entry["target"], "audit");
        assert_eq!(entry["event"], "auth_failed");
        assert_eq!(entry["reason"], *reason);
        assert_eq!(entry["client"], "127.0.0.1");
        assert_eq!(entry["method"], "GET");
        assert_eq!(entry["path"], "/api/tasks");
    }
    assert_eq!(server.entries("refused-7").await[0]["alg"], "EdDSA");
    assert_eq!(server.entries("refused-7").await[0]["kid"], "key-7");
    assert_eq!(server.entries("refused-13").await[0]["alg"], r"no\nne");
    assert_eq!(server.entries("refused-13").await[0]["kid"], r#"\"key-13\""#);
    let headers = cases.iter().flat_map(|(_, headers)| headers);
    assert_has_no_secrets(&server.binary.log(), headers);
}

fn assert_has_no_secrets<'a>(log: &str, headers: impl Iterator<Item = &'a String>) {
    assert!(!log.contains(USER), "a claim is in the log: {log}");
    assert!(!log.contains(SECRET), "the secret is in the log: {log}");
    assert!(!log.contains("dXNlcjpwYXNz"), "a password is in the log: {log}");
    assert!(
        !log.contains("of-the-test"),
        "a query string is in the log: {log}"
    );
    for token in headers.filter_map(|header| header.strip_prefix("Bearer ")) {
        assert!(!log.contains(token), "a token is in the log: {log}");
        for part in token.split('.').skip(1).filter(|part| part.len() > 8) {
            assert!(!log.contains(part), "a part of a token is in the log: {log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fr_015_no_refusal_is_dropped_however_many_there_are() {
    let server = Server::start().await;
    for number in 0..200 {
        assert_eq!(server.asks(&format!("one-of-many-{number}"), &[]).await, 401);
    }
    let log = server.binary.logs("\"one-of-many-199\"").await;
    assert_eq!(log.matches("\"auth_failed\"").count(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fr_015_a_good_token_is_no_incident() {
    let server = Server::start().await;
    let good = format!("Bearer {}", token_for(USER));
    assert_eq!(
        server.asks("good", &[&good]).await,
        422,
        "the query is none of ours"
    );
    assert_eq!(server.asks("bad", &[]).await, 401);
    let log = server.binary.logs("\"bad\"").await;
    assert!(!log.contains("\"good\""), "{log}");
    assert!(!log.contains(USER), "{log}");
}
