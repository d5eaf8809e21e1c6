//! No one learns anything about the tasks of another user, not even that they exist, and no one without a token learns
//! anything at all.

use std::collections::BTreeMap;

use crate::{Answer, Api, GoodRequest, User, description};
use reqwest::Method;
use serde_json::{Value, json};

cases! { isolation_cases in contract::isolation:
    foreign_unknown_and_malformed_ids_get_the_same_answer_whatever_is_asked
    the_id_of_a_deleted_task_is_an_unknown_id
    a_task_seen_in_a_list_or_a_cursor_opens_nothing_for_others
    every_operation_that_needs_a_token_is_401_without_a_good_one
    every_operation_on_a_task_answers_a_stranger_as_if_there_were_none
    without_a_good_token_every_path_under_api_is_401_whatever_the_method_the_path_or_the_body
    what_is_not_under_api_needs_no_token
}

const UNKNOWN: &str = "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";

/// Ids that are none, as long as a real one, so that even the length of the answer must be the same.
const MALFORMED: [&str; 6] = [
    "550e8400-e29b-41d4-a716-446655440000", // version 4
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d1g",
    "01939f6e_2f4b_7c1d_9a55_7f1f2b8e6d10",
    "not-the-id-of-any-task-in-the-world-",
];

/// Every method of the route of a task, and bodies that are good and bad, with the status for a task that the caller
/// has and for one that the caller does not have.
fn requests() -> Vec<(Method, Option<&'static str>, u16, u16)> {
    vec![
        (Method::GET, None, 200, 404),
        (Method::GET, Some(r#"{"title":"ignored"}"#), 200, 404),
        (Method::GET, Some("broken {"), 200, 404),
        (Method::PUT, Some(r#"{"title":"Mine now"}"#), 200, 404),
        (Method::PUT, Some(r#"{"description":null}"#), 200, 404),
        (
            Method::PUT,
            Some(r#"{"status":"completed","version":7}"#),
            200,
            404,
        ),
        (Method::PUT, Some("{}"), 422, 422),
        (Method::PUT, Some(r#"{"title":""}"#), 422, 422),
        (Method::PUT, Some(r#"{"title":"x","user_id":"alice"}"#), 422, 422),
        (Method::PUT, Some(r#"{"title":"x","unknown":1}"#), 422, 422),
        (Method::PUT, Some("broken {"), 422, 422),
        (Method::PUT, None, 422, 422),
        (Method::POST, Some(r#"{"title":"x"}"#), 405, 405),
        (Method::PATCH, Some(r#"{"title":"Mine now"}"#), 200, 404),
        (Method::PATCH, Some("{}"), 200, 404),
        (Method::PATCH, Some(r#"{"title":""}"#), 422, 422),
        (Method::DELETE, None, 204, 404),
        (Method::DELETE, Some("broken {"), 204, 404),
    ]
}

async fn asks(user: &User, method: &Method, id: &str, body: Option<&'static str>) -> Answer {
    let path = format!("/api/tasks/{id}");
    match body {
        Some(body) => user.sends(method.clone(), &path, body).await,
        None => Answer::to(user.request(method.clone(), &path)).await,
    }
}

/// Everything of an answer but what must differ: the request id, the time, the path that was asked for, and whether the
/// connection stays, which only tells whether a body that no one reads had arrived.
fn essence(answer: &Answer) -> (u16, BTreeMap<String, String>, Value) {
    let mut body: Value = answer.json();
    for member in ["request_id", "instance"] {
        body.as_object_mut().expect("a document").remove(member);
    }
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date", "connection"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
        .collect();
    (answer.status.as_u16(), headers, body)
}

async fn foreign_unknown_and_malformed_ids_get_the_same_answer_whatever_is_asked(api: &Api) {
    let (alice, mallory) = (api.user("alice"), api.user("mallory"));
    let foreign = alice.has_task("Alice's secret").await;
    let foreign_id = foreign["id"].as_str().expect("an id");
    for (method, body, status_of_own, status_of_others) in requests() {
        let own = mallory.has_task("Mallory's own").await;
        let own_id = own["id"].as_str().expect("an id");
        let what = format!("{method} {body:?}");
        let answer = asks(&mallory, &method, own_id, body).await;
        assert_eq!(answer.status, status_of_own, "{what}: {answer:?}");
        mallory.delete(&format!("/api/tasks/{own_id}")).await;

        let answer = asks(&mallory, &method, UNKNOWN, body).await;
        assert_eq!(answer.status, status_of_others, "{what}: {answer:?}");
        let wanted = essence(&answer);
        let capitals = foreign_id.to_uppercase();
        for id in [foreign_id, &capitals].into_iter().chain(MALFORMED) {
            let answer = asks(&mallory, &method, id, body).await;
            assert_eq!(essence(&answer), wanted, "{what} of {id}");
            assert_eq!(answer.json()["instance"], format!("/api/tasks/{id}"));
        }
    }
    let path = format!("/api/tasks/{foreign_id}");
    assert_eq!(
        alice.get(&path).await.json(),
        foreign,
        "a stranger has changed it"
    );
    assert_eq!(alice.titles().await, ["Alice's secret"]);
    assert!(
        mallory.titles().await.is_empty(),
        "a change has created something"
    );
}

async fn the_id_of_a_deleted_task_is_an_unknown_id(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let id = task["id"].as_str().expect("an id");
    assert_eq!(alice.delete(&format!("/api/tasks/{id}")).await.status, 204);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let body = (method == Method::PUT).then_some(r#"{"title":"back"}"#);
        let deleted = asks(&alice, &method, id, body).await;
        let unknown = asks(&alice, &method, UNKNOWN, body).await;
        assert_eq!(essence(&deleted), essence(&unknown), "{method}");
    }
}

async fn a_task_seen_in_a_list_or_a_cursor_opens_nothing_for_others(api: &Api) {
    let (alice, mallory) = (api.user("alice"), api.user("mallory"));
    for title in ["one", "two", "three"] {
        alice.has_task(title).await;
    }
    let page = alice.get("/api/tasks?limit=1").await;
    let cursor = page.header("x-next-cursor");
    let stolen = mallory.get(&format!("/api/tasks?cursor={cursor}")).await;
    let invented = mallory.get("/api/tasks?cursor=AAAA").await;
    assert_eq!(stolen.status, 422);
    assert_eq!(essence(&stolen), essence(&invented));
    assert_eq!(mallory.get("/api/tasks").await.body, "[]");
}

/// A good request of every operation that needs a token, about the task with this id.
fn walk(id: &str) -> impl Iterator<Item = GoodRequest<'static>> {
    let requests = description().good_requests(id).into_iter();
    requests.filter(GoodRequest::needs_token)
}

async fn every_operation_that_needs_a_token_is_401_without_a_good_one(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let mut steps = 0;
    for request in walk(task["id"].as_str().expect("an id")) {
        steps += 1;
        for (stranger, code) in [
            (api.anonymous(), "token_missing"),
            (api.bearer("a.b.c"), "token_invalid"),
        ] {
            let answer = stranger.requests(&request).await;
            let GoodRequest { method, path, .. } = &request;
            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (401, code),
                "{method} {path}"
            );
        }
    }
    assert!(steps >= 9, "the operations were not found");
    assert_eq!(
        alice.get("/api/tasks").await.json(),
        json!([task]),
        "a stranger has written"
    );
}

async fn every_operation_on_a_task_answers_a_stranger_as_if_there_were_none(api: &Api) {
    let (alice, mallory) = (api.user("alice"), api.user("mallory"));
    let task = alice.has_task("Buy milk").await;
    let steps = walk(task["id"].as_str().expect("an id")).zip(walk(UNKNOWN));
    let mut count = 0;
    for (foreign, unknown) in steps.filter(|(foreign, unknown)| foreign.target != unknown.target) {
        count += 1;
        let GoodRequest { method, path, .. } = &foreign;
        let answer = mallory.requests(&foreign).await;
        assert_eq!(answer.problem(), "task_not_found", "{method} {path}");
        let wanted = mallory.requests(&unknown).await;
        assert_eq!(essence(&answer), essence(&wanted), "{method} {path}");
    }
    assert!(count >= 4, "the operations were not found");
    assert_eq!(
        alice.get("/api/tasks").await.json(),
        json!([task]),
        "a stranger has written"
    );
}

async fn without_a_good_token_every_path_under_api_is_401_whatever_the_method_the_path_or_the_body(
    api: &Api,
) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let own = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let paths = [
        "/api",
        "/api/",
        "/api/tasks",
        "/api/tasks/",
        "/api//tasks",
        "/api/tasks?limit=0",
        &own,
        "/api/tasks/1",
        "/api/tasks/%00",
        "/api/tasks/a/b/c",
        "/api/nothing",
        "/api/nothing/at/all",
        "/api/health/more",
        "/api/me",
        "/%61pi/tasks",
    ];
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"];
    let bodies = [
        None,
        Some((
            "application/json",
            r#"{"title":"Written by a stranger"}"#.to_owned(),
        )),
        Some(("application/json", "broken {".to_owned())),
        Some(("text/plain", "no JSON".to_owned())),
        Some(("application/json", "x".repeat(300 * 1024))),
    ];
    for (stranger, code) in [
        (api.anonymous(), "token_missing"),
        (api.bearer("a.b.c"), "token_invalid"),
    ] {
        for path in paths {
            for method in methods {
                for body in &bodies {
                    let method = Method::from_bytes(method.as_bytes()).expect("a method");
                    let what = format!("{method} {path}");
                    let mut request = stranger.request(method, path);
                    if let Some((media_type, body)) = body {
                        request = request.header("content-type", *media_type).body(body.clone());
                    }
                    let answer = Answer::to(request).await;
                    assert_eq!(answer.status, 401, "{what}");
                    assert_eq!(answer.problem(), code, "{what}");
                }
            }
        }
    }
    assert_eq!(alice.titles().await, ["Buy milk"], "a stranger has written");
    assert_eq!(alice.get(&own).await.json(), task);
}

async fn what_is_not_under_api_needs_no_token(api: &Api) {
    for (path, status) in [
        ("/health", 200),
        ("/healthz", 200),
        ("/api/health", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/", 200),
        ("/problems/task-not-found", 200),
        ("/problems/nothing", 404),
        ("/apis", 404),
        ("/API/tasks", 404),
        ("/tasks", 404),
    ] {
        for stranger in [api.anonymous(), api.bearer("a.b.c"), api.user("alice")] {
            assert_eq!(stranger.get(path).await.status, status, "{path}");
        }
    }
}
