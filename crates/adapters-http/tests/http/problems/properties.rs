//! Whatever is sent, the answer is never a failure of ours, and every error is one well-formed problem document.

use std::future::Future;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::UNKNOWN;
use test_api::{Answer, Api, Wire};

const CASES: u32 = 64;

/// Serves one API and puts it to the test with many inputs.
fn for_every<S, F>(inputs: &S, check: impl Fn(&'static Api, S::Value) -> F)
where
    S: Strategy,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // Lent to each check for as long as the process lives, which is that of this test file.
    let api: &'static Api = Box::leak(Box::new(Api::over_memory()));
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    });
    let outcome = runner.run(inputs, |input| {
        runtime.block_on(check(api, input));
        Ok(())
    });
    outcome.expect("a rule that holds for every input");
}

fn assert_is_sound(answer: &Answer) {
    assert!(answer.status.as_u16() < 500, "{answer:?}");
    if answer.status.as_u16() >= 400 {
        let code = answer.problem();
        let has_errors = answer.json()["errors"]
            .as_array()
            .is_some_and(|errors| !errors.is_empty());
        assert_eq!(has_errors, code == "validation_error", "{answer:?}");
    }
}

/// The parser may refuse a head before there is a request: that answer is empty.
fn assert_is_sound_or_refused_by_the_parser(answer: &Answer) {
    let is_refused_by_the_parser = answer.status == 400 && answer.body.is_empty();
    if !is_refused_by_the_parser {
        assert_is_sound(answer);
    }
}

/// Any JSON; its objects have the fields of a task more often than chance would give.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![Just("pending"), Just("completed"), Just("alice"), Just("")].prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("title".to_owned()),
        Just("description".to_owned()),
        Just("status".to_owned()),
        Just("user_id".to_owned()),
        Just("id".to_owned()),
        Just("version".to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..8).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

#[test]
fn any_json_as_a_body_is_taken_or_refused() {
    for_every(&any_json(), |api, body| async move {
        let alice = api.user("alice");
        let created = alice.post("/api/tasks", &body).await;
        assert_is_sound(&created);
        assert!([201, 422].contains(&created.status.as_u16()), "{created:?}");
        let changed = alice.put(UNKNOWN, &body).await;
        assert_is_sound(&changed);
        assert!([404, 422].contains(&changed.status.as_u16()), "{changed:?}");
    });
}

#[test]
fn what_a_creation_accepts_is_what_is_stored() {
    let title = "\\PC{0,20}";
    let description = proptest::option::of(any::<String>());
    for_every(&(title, description), |api, (title, description)| async move {
        let alice = api.user("alice");
        let body = serde_json::json!({ "title": title, "description": description });
        let created = alice.post("/api/tasks", &body).await;
        assert_is_sound(&created);
        if created.status == 201 {
            let stored = alice.get(created.header("location")).await.json();
            assert_eq!(stored["title"], body["title"]);
            assert_eq!(stored["description"], body["description"]);
        } else {
            let is_blank = title.chars().all(char::is_whitespace);
            let has_nul = description.is_some_and(|text| text.contains('\0'));
            assert!(is_blank || has_nul, "{created:?}");
        }
    });
}

#[test]
fn any_bytes_as_a_body_are_taken_or_refused() {
    for_every(&vec(any::<u8>(), 0..200), |api, bytes| async move {
        let answer = api.user("alice").sends(Method::POST, "/api/tasks", bytes).await;
        assert_is_sound(&answer);
    });
}

#[test]
fn any_query_of_the_list_is_taken_or_refused() {
    let pairs = prop_oneof![
        "[!-~&&[^#]]{0,40}",
        "(limit|cursor|%6Cimit|x)=[!-~&&[^#]]{0,20}(&limit=[0-9]{0,4})?"
    ];
    for_every(&pairs, |api, query| async move {
        let mut wire = Wire::to(api);
        wire.send_head(&format!("GET /api/tasks?{query}"), &["Connection: close"]);
        assert_is_sound_or_refused_by_the_parser(&wire.answer());
    });
}

#[test]
fn any_value_of_a_parameter_of_the_list_is_taken_or_refused() {
    let names = ["status", "q", "sort", "limit", "cursor", "updated_since", "count"];
    let almost_good = prop_oneof![
        (Just("status"), "[a-z_]{0,12}(,[a-z_]{0,12})?"),
        (Just("sort"), "-?[a-z_]{0,12}"),
        (Just("limit"), "[+-]?[0-9]{0,30}"),
        (Just("cursor"), "[A-Za-z0-9_-]{0,80}"),
        (
            Just("updated_since"),
            "[0-9]{4}-(0[1-9]|1[0-2])-[0-2][0-9][Tt ][01][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,12})?([Zz]|[+-][01][0-9]:[0-5][0-9])?"
        ),
    ];
    let parameters = prop_oneof![(select(names.to_vec()), any::<String>()), almost_good];
    for_every(&parameters, |api, (name, value)| async move {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, &value);
        let answer = api
            .user("alice")
            .get(&format!("/api/tasks?{}", query.finish()))
            .await;
        assert_is_sound(&answer);
        assert!([200, 422].contains(&answer.status.as_u16()), "{answer:?}");
    });
}

#[test]
fn any_value_of_a_header_is_taken_or_refused_by_every_operation_on_tasks() {
    let names = select(vec![
        "if-match",
        "if-none-match",
        "idempotency-key",
        "content-type",
        "x-request-id",
        "accept",
    ]);
    let values = prop_oneof![
        vec(any::<u8>(), 0..60),
        "[ -~]{0,300}".prop_map(String::into_bytes),
        "[ ,]{0,2}(W/)?\"[!-~&&[^\"]]{0,8}\"?([ ,]{0,2}(W/)?\"[0-9]{1,12}\")?".prop_map(String::into_bytes),
        "application/(json|merge-patch\\+json)(; ?[a-z]{1,8}=[ -~]{0,8})?".prop_map(String::into_bytes),
    ];
    let values = values.prop_filter_map("can be sent", |bytes| HeaderValue::from_bytes(&bytes).ok());
    for_every(&(names, values), |api, (name, value)| async move {
        let alice = api.user("alice");
        let task = alice.has_task("Buy milk").await;
        let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
        let body = serde_json::json!({ "title": "Buy oat milk" });
        for (method, path, statuses) in [
            (Method::GET, "/api/tasks?limit=1", &[200, 304][..]),
            (Method::GET, &path, &[200, 304]),
            (Method::POST, "/api/tasks", &[201, 400, 415]),
            (Method::PUT, &path, &[200, 400, 412, 415]),
            (Method::PATCH, &path, &[200, 400, 412, 415]),
            (Method::DELETE, &path, &[204, 400, 412]),
        ] {
            let request = alice.request(method.clone(), path).json(&body);
            let answer = Answer::to(with_header(request, name, &value)).await;
            assert_is_sound(&answer);
            assert!(statuses.contains(&answer.status.as_u16()), "{method}: {answer:?}");
        }
    });
}

/// A request with this value for that header, and no other.
fn with_header(request: RequestBuilder, name: &'static str, value: &HeaderValue) -> RequestBuilder {
    request.headers(HeaderMap::from_iter([(
        HeaderName::from_static(name),
        value.clone(),
    )]))
}

#[test]
fn any_text_in_the_place_of_an_id_is_the_id_of_no_task() {
    let segments = prop_oneof!["[!-~&&[^#?/]]{1,60}", "(%[0-9A-F]{2}){1,40}", "[0-9a-f-]{36}"];
    let methods = prop_oneof![Just("GET"), Just("DELETE")];
    for_every(&(methods, segments), |api, (method, segment)| async move {
        let mut wire = Wire::to(api);
        wire.send_head(&format!("{method} /api/tasks/{segment}"), &["Connection: close"]);
        let answer = wire.answer();
        assert_is_sound_or_refused_by_the_parser(&answer);
        assert!([400, 404].contains(&answer.status.as_u16()), "{answer:?}");
    });
}

#[test]
fn any_value_of_authorization_but_a_good_token_is_401() {
    let values = prop_oneof![
        vec(any::<u8>(), 0..100),
        "[Bb]earer [!-~]{0,100}".prop_map(String::into_bytes),
        "Bearer [A-Za-z0-9_-]{1,40}\\.[A-Za-z0-9_-]{1,40}\\.[A-Za-z0-9_-]{43}".prop_map(String::into_bytes),
    ];
    let values = values.prop_filter_map("can be sent", |bytes| HeaderValue::from_bytes(&bytes).ok());
    for_every(&values, |api, value| async move {
        let request = api.anonymous().request(Method::GET, "/api/tasks");
        let answer = Answer::to(request.header(AUTHORIZATION, value)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_is_sound(&answer);
        assert!(
            answer
                .header("www-authenticate")
                .starts_with("Bearer realm=\"tasks\"")
        );
    });
}

#[test]
fn any_request_id_is_taken_over_or_replaced() {
    let values = prop_oneof![
        vec(any::<u8>(), 0..80),
        "[ -~]{0,80}".prop_map(String::into_bytes)
    ];
    let values = values.prop_filter_map("can be sent", |bytes| HeaderValue::from_bytes(&bytes).ok());
    for_every(&values, |api, value| async move {
        let request = api.anonymous().request(Method::GET, "/api/tasks");
        let answer = Answer::to(request.header("x-request-id", value)).await;
        assert_is_sound(&answer);
        let id = answer.header("x-request-id");
        assert!(
            !id.is_empty()
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
            "{id}"
        );
    });
}
