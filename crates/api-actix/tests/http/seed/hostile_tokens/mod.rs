//! Success criterion 4: whatever is wrong with the token, or with the way it is sent, the answer is 401.
//!
//! The verifier has tables of its own for what a token can say. These are the ways in which requests bring them.

mod attempts;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::json;

use attempts::attempts;

use crate::support::{Answer, Api, Storage, api_over, signed, token_for};

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"exp":4000000000,"user_id":"alice"}"#;

async fn sends(api: &Api, headers: &[Vec<u8>]) -> Answer {
    let mut request = api.anonymous().request(Method::POST, "/api/tasks");
    for value in headers {
        let value = HeaderValue::from_bytes(value).expect("something that can be sent");
        request = request.header(AUTHORIZATION, value);
    }
    Answer::to(request.json(&json!({ "title": "Written by a stranger" }))).await
}

fn assert_refused(answer: &Answer, code: &str, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {answer:?}");
    assert_eq!(answer.problem(), code, "{what}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer realm=\"tasks\""),
        "{what}: {challenge}"
    );
    assert_eq!(
        challenge.contains("error=\"invalid_token\""),
        code != "token_missing",
        "{what}: {challenge}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_004_every_hostile_token_or_header_is_401_with_a_challenge_and_a_problem_document() {
    let api = api_over(Storage::Sqlite).await;
    let attempts = attempts();
    assert!(attempts.len() >= 60, "{}", attempts.len());
    for attempt in &attempts {
        let answer = sends(&api, &attempt.headers).await;
        assert_refused(&answer, attempt.code, attempt.what);
    }
    assert!(
        api.user("alice").titles().await.is_empty(),
        "a stranger has written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_004_the_answer_does_not_tell_one_wrong_token_from_another() {
    let api = api_over(Storage::Sqlite).await;
    let mut bodies = BTreeSet::new();
    for attempt in attempts()
        .iter()
        .filter(|attempt| attempt.code == "token_invalid")
    {
        let mut document = sends(&api, &attempt.headers).await.json();
        document["request_id"] = "the same".into();
        bodies.insert(document.to_string());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_004_a_token_anywhere_but_in_the_header_is_no_token() {
    let api = api_over(Storage::Sqlite).await;
    let good = token_for("alice");
    let anonymous = api.anonymous();
    for path in [
        format!("/api/tasks?token={good}"),
        format!("/api/tasks?access_token={good}"),
        format!("/api/tasks?authorization=Bearer%20{good}"),
        format!("/api/tasks/{good}"),
    ] {
        assert_refused(&anonymous.get(&path).await, "token_missing", &path);
    }
    for (name, value) in [
        (
            COOKIE.as_str(),
            format!("token={good}; better-auth.session_token={good}; jwt={good}"),
        ),
        ("x-authorization", format!("Bearer {good}")),
        ("proxy-authorization", format!("Bearer {good}")),
        ("x-access-token", good.clone()),
    ] {
        let request = anonymous.request(Method::GET, "/api/tasks").header(name, value);
        assert_refused(&Answer::to(request).await, "token_missing", name);
    }
    let in_the_body = anonymous
        .post("/api/tasks", &json!({ "title": "x", "access_token": good }))
        .await;
    assert_refused(&in_the_body, "token_missing", "a body");
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_004_a_good_token_is_accepted_however_the_scheme_is_written() {
    let api = api_over(Storage::Sqlite).await;
    let good = token_for("alice");
    for value in [
        format!("Bearer {good}"),
        format!("bearer {good}"),
        format!("BEARER {good}"),
        format!("bEaReR   {good}"),
        format!("  Bearer {good}  "),
    ] {
        let answer = sends(&api, &[value.clone().into_bytes()]).await;
        assert_eq!(answer.status, 201, "{value:?}");
    }
}

#[test]
fn sc_004_any_changed_byte_of_a_good_token_is_401() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let api = runtime.block_on(api_over(Storage::Sqlite));
    let good = signed(HS256, CLAIMS);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(200)
    });
    let outcome = runner.run(&(0..good.len(), b'!'..=b'~'), |(position, byte)| {
        let mut bytes = good.clone().into_bytes();
        bytes[position] = byte;
        let changed = String::from_utf8(bytes).expect("ASCII");
        prop_assume!(changed != good);
        let answer = runtime.block_on(api.bearer(&changed).get("/api/tasks"));
        prop_assert_eq!(answer.status, 401);
        prop_assert_eq!(answer.problem(), "token_invalid");
        Ok(())
    });
    outcome.unwrap();
}
