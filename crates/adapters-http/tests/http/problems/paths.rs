//! The texts that may stand in a path.

use reqwest::Method;
use serde_json::json;

use test_api::{Answer, Api, Wire};

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_end_and_doubled_slashes_make_no_difference() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let created = alice.post("/api/tasks/", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.status, 201);
    let path = created.header("location");
    assert_eq!(alice.get(&format!("{path}/")).await.json(), created.json());
    assert_eq!(alice.get("/api/tasks/?limit=5").await.header("x-page-limit"), "5");
    assert_eq!(alice.get("//api//tasks").await.json(), json!([created.json()]));
    assert_eq!(alice.get("/health/").await.status, 200);
    let change = json!({ "id": created.json()["id"], "title": "Buy oat milk" });
    assert_eq!(alice.put(&format!("{path}/"), &change).await.status, 200);
    assert_eq!(alice.delete(&format!("{path}/")).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_the_place_of_an_id_is_the_id_of_no_task() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let long = "x".repeat(60_000);
    let long_and_encoded = "%FF".repeat(20_000);
    for junk in [
        "1",
        "-1",
        "%00",
        "%FF",
        "%FF%FE",
        "%2F",
        "%2e%2e%2fhealth",
        "..%2f..%2fetc%2fpasswd",
        "%25",
        "%25%30%30",
        "%",
        "%zz",
        "%E2%80%AE",
        "%F0%9F%98%80",
        "+",
        "*",
        "'",
        "%22",
        "null",
        "{task_id}",
        "%7Btask_id%7D",
        "%20",
        "%0A%0D",
        ";",
        "@",
        "01939f6e2f4b7c1d9a557f1f2b8e6d10",
        "%7B01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10%7D",
        "urn:uuid:01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10",
        "%2001939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10",
        &long,
        &long_and_encoded,
    ] {
        let path = format!("/api/tasks/{junk}");
        let what = &path[..path.len().min(60)];
        for method in [Method::GET, Method::DELETE] {
            let answer = Answer::to(alice.request(method, &path)).await;
            assert_eq!(answer.status, 404, "{what}");
            assert_eq!(answer.problem(), "task_not_found", "{what}");
        }
        let answer = alice.put(&path, &json!({ "title": "x" })).await;
        assert_eq!(answer.problem(), "task_not_found", "{what}");
    }
}

/// The encoded form of a character is that character.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_be_percent_encoded() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let id = task["id"].as_str().expect("an id");
    let path = format!("/api/tasks/{}", id.replace('-', "%2D"));
    assert_eq!(alice.get(&path).await.json(), task);
    let change = json!({ "id": id, "title": "Buy oat milk" });
    assert_eq!(alice.put(&path, &change).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_names_the_path_as_it_was_sent_without_the_query() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for (path, instance) in [
        ("/api/tasks/%E9?secret=hunter2", "/api/tasks/%E9"),
        ("/api/tasks/x/?a=b", "/api/tasks/x/"),
        ("/api//nothing", "/api//nothing"),
        ("/nothing?q", "/nothing"),
    ] {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["instance"], instance);
        assert!(!answer.body.contains("hunter2"));
    }
}

/// Bytes that no client library sends are refused by the parser, or are the id of no task.
#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_in_a_path_are_never_a_failure_of_ours() {
    let api = Api::over_memory();
    for byte in 1..=u8::MAX {
        if b"\r\n /?#".contains(&byte) {
            continue;
        }
        let mut wire = Wire::to(&api);
        wire.send(b"GET /api/tasks/");
        wire.send([byte]);
        wire.send_head("", &["Connection: close"]);
        let answer = wire.answer();
        match answer.status.as_u16() {
            400 => assert_eq!(answer.body, "", "{byte}"),
            _ => assert_eq!(answer.problem(), "task_not_found", "{byte}"),
        }
    }
}
