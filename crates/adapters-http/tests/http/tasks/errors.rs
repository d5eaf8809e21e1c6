//! The errors of a body, letter for letter: front ends bind their forms to them.

use reqwest::Method;
use serde_json::{Map, Value, json};

use test_api::{Answer, Api};

async fn errors_of(body: &str) -> Value {
    answer_to(body).await.errors()
}

async fn answer_to(body: &str) -> Answer {
    let api = Api::over_memory();
    api.user("alice")
        .sends(Method::POST, "/api/tasks", body.to_owned())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_title() {
    let wanted = json!([
        { "pointer": "/title", "loc": ["body", "title"], "type": "missing", "msg": "Field required" },
    ]);
    assert_eq!(errors_of("{}").await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_no_text() {
    let wanted = json!([{
        "pointer": "/title", "loc": ["body", "title"], "type": "string_type",
        "msg": "Input should be a valid string",
    }]);
    assert_eq!(errors_of(r#"{"title":null}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_title() {
    let wanted = json!([{
        "pointer": "/title", "loc": ["body", "title"], "type": "string_too_short",
        "msg": "String should have at least 1 character that is not white space", "ctx": { "min_length": 1 },
    }]);
    assert_eq!(errors_of(r#"{"title":" "}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_too_long() {
    let body = json!({ "title": "é".repeat(300) }).to_string();
    let wanted = json!([{
        "pointer": "/title", "loc": ["body", "title"], "type": "string_too_long",
        "msg": "String should have at most 255 characters", "ctx": { "max_length": 255, "actual_length": 300 },
    }]);
    assert_eq!(errors_of(&body).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_with_a_control_character() {
    let wanted = json!([{
        "pointer": "/title", "loc": ["body", "title"], "type": "string_pattern_mismatch",
        "msg": "String should not contain control characters or line breaks",
    }]);
    assert_eq!(errors_of(r#"{"title":"a\u0000b"}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_with_a_nul() {
    let wanted = json!([{
        "pointer": "/description", "loc": ["body", "description"], "type": "string_pattern_mismatch",
        "msg": "String should not contain NUL characters",
    }]);
    assert_eq!(errors_of(r#"{"title":"t","description":"\u0000"}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_none() {
    let wanted = json!([{
        "pointer": "/status", "loc": ["body", "status"], "type": "enum",
        "msg": "Input should be 'pending', 'in_progress' or 'completed'",
        "ctx": { "expected": ["pending", "in_progress", "completed"] },
    }]);
    assert_eq!(errors_of(r#"{"title":"t","status":"done"}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner() {
    let wanted = json!([{
        "pointer": "/user_id", "loc": ["body", "user_id"], "type": "owner_mismatch",
        "msg": "Input should be the user id of the token, or be left out",
    }]);
    assert_eq!(errors_of(r#"{"title":"t","user_id":"bob"}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_whose_name_must_be_escaped_in_a_pointer() {
    let wanted = json!([{
        "pointer": "/a~1b~0c", "loc": ["body", "a/b~c"], "type": "extra_forbidden",
        "msg": "Extra inputs are not permitted",
    }]);
    assert_eq!(errors_of(r#"{"title":"t","a/b~c":1}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_given_twice() {
    let wanted = json!([{
        "pointer": "/title", "loc": ["body", "title"], "type": "duplicate_key",
        "msg": "Field should be given only once",
    }]);
    assert_eq!(errors_of(r#"{"title":"t","title":"t"}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json() {
    let wanted = json!([{
        "pointer": "", "loc": ["body"], "type": "json_invalid",
        "msg": "Invalid JSON: it goes wrong at line 1, column 10",
    }]);
    assert_eq!(errors_of(r#"{"title":x}"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_object() {
    let wanted = json!([{
        "pointer": "", "loc": ["body"], "type": "model_attributes_type",
        "msg": "Input should be a valid JSON object",
    }]);
    assert_eq!(errors_of(r#"["title"]"#).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_body() {
    let wanted = json!([{ "pointer": "", "loc": ["body"], "type": "missing", "msg": "Field required" }]);
    assert_eq!(errors_of("").await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_errors_come_at_once_in_the_order_of_the_body_and_missing_fields_last() {
    let answer = answer_to(r#"{"status":"done","zeal":1,"description":7,"user_id":"bob","alpha":2}"#).await;
    let wanted = [
        ("status", "enum"),
        ("zeal", "extra_forbidden"),
        ("description", "string_type"),
        ("user_id", "owner_mismatch"),
        ("alpha", "extra_forbidden"),
        ("title", "missing"),
    ]
    .map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    assert_eq!(answer.field_errors(), wanted);
    assert_eq!(
        answer.json()["detail"],
        "6 fields are invalid: status, zeal, description, user_id, alpha, …"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_is_wrong_is_not_called_missing_too() {
    let answer = answer_to(r#"{"title":7}"#).await;
    assert_eq!(
        answer.field_errors(),
        [("title".to_owned(), "string_type".to_owned())]
    );
    assert_eq!(answer.json()["detail"], "1 field is invalid: title");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_fifty_errors_are_listed() {
    let fields: Map<String, Value> = (0..60)
        .map(|number| (format!("m{number:02}"), json!(1)))
        .collect();
    let answer = answer_to(&Value::Object(fields).to_string()).await;
    let errors = answer.errors();
    let errors = errors.as_array().expect("a list");
    assert_eq!(errors.len(), 50);
    assert_eq!(errors[0]["pointer"], "/m00");
    assert_eq!(errors[49]["pointer"], "/m49");
}

/// Each field costs the same, however many came before it: else one request could keep a worker busy for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_very_many_fields_is_refused_quickly() {
    let fields: Vec<String> = (0..26_000).map(|number| format!("\"{number:x}\":1")).collect();
    let body = format!("{{{}}}", fields.join(","));
    assert!(body.len() < 256 * 1024, "{}", body.len());
    let started = std::time::Instant::now();
    let answer = answer_to(&body).await;
    assert_eq!(answer.errors().as_array().map(Vec::len), Some(50));
    let took = started.elapsed();
    assert!(took.as_secs() < 5, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_repeats_what_was_sent() {
    let secrets =
        r#"{"title":"hunter2\u0000","description":["hunter2"],"status":"hunter2","user_id":"hunter2"}"#;
    for body in [
        secrets,
        r#"{"title":"hunter2"#,
        r#"{"title":hunter2}"#,
        r#""hunter2""#,
        "hunter2",
    ] {
        let answer = answer_to(body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
    }
}
