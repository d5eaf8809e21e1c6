//! Functional requirements 4 and 7 to 14.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::Api;

cases! { requirements_cases in contract::seed::requirements:
    fr_004_a_task_has_the_members_of_the_specification
    fr_007_post_creates_a_task_for_the_user_of_the_token
    fr_008_get_returns_only_the_tasks_of_the_user
    fr_009_get_of_a_task_works_for_its_owner_only
    fr_010_put_works_for_its_owner_only_and_never_creates
    fr_011_delete_works_for_its_owner_only
    fr_012_no_operation_reaches_a_task_through_the_id_alone
    fr_013_every_status_of_the_specification_is_used_as_it_says
    fr_014_an_invalid_payload_is_422_and_names_every_wrong_member
}

const UNKNOWN: &str = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";

async fn fr_004_a_task_has_the_members_of_the_specification(api: &Api) {
    let task = api.user("alice").has_task("Buy milk").await;
    for name in [
        "id",
        "title",
        "description",
        "status",
        "user_id",
        "version",
        "created_at",
        "updated_at",
    ] {
        assert!(task.get(name).is_some(), "{name}: {task}");
    }
    for name in ["id", "title", "status", "user_id"] {
        assert!(task[name].is_string(), "{name}: {task}");
    }
    assert_eq!(task["description"], Value::Null, "optional");
    for name in ["created_at", "updated_at"] {
        let text = task[name].as_str().expect("a text");
        let time = DateTime::parse_from_rfc3339(text).expect("a time");
        assert_eq!(time.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true), text);
    }
}

async fn fr_007_post_creates_a_task_for_the_user_of_the_token(api: &Api) {
    let created = api
        .user("alice")
        .post("/api/tasks", &json!({ "title": "Buy milk" }))
        .await;
    assert_eq!(created.status, 201);
    let task = created.json();
    assert_eq!(task["user_id"], "alice");
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    assert_eq!(created.header("location"), path);
    assert_eq!(created.header("etag"), "\"1\"");
}

async fn fr_008_get_returns_only_the_tasks_of_the_user(api: &Api) {
    for user in ["alice", "Alice", "alice ", "bob"] {
        api.user(user).has_task(user).await;
    }
    for user in ["alice", "Alice", "alice ", "bob"] {
        assert_eq!(api.user(user).titles().await, [user]);
    }
}

async fn fr_009_get_of_a_task_works_for_its_owner_only(api: &Api) {
    let created = api
        .user("alice")
        .post("/api/tasks", &json!({ "title": "Buy milk" }))
        .await;
    let path = created.header("location");
    let read = api.user("alice").get(path).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, created.json()));
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(api.user("bob").get(path).await.status, 404);
}

async fn fr_010_put_works_for_its_owner_only_and_never_creates(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    let path = created.header("location");
    let change = json!({ "title": "Buy oat milk" });
    assert_eq!(bob.put(path, &change).await.status, 404);
    assert_eq!(bob.put(UNKNOWN, &change).await.status, 404);
    assert_eq!(alice.get(path).await.json(), created.json());
    let changed = alice.put(path, &change).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert!(bob.titles().await.is_empty());
}

async fn fr_011_delete_works_for_its_owner_only(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    let path = created.header("location");
    assert_eq!(bob.delete(path).await.status, 404);
    assert_eq!(alice.get(path).await.status, 200);
    assert_eq!(alice.delete(path).await.status, 204);
    assert_eq!(alice.delete(path).await.status, 404);
}

/// Also after the owner has gone and come back: an id alone opens nothing.
async fn fr_012_no_operation_reaches_a_task_through_the_id_alone(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for stranger in ["Alice", "alice ", "alic", "alicee", "%", "' OR '1'='1"] {
        let stranger = api.user(stranger);
        assert_eq!(stranger.get(&path).await.status, 404);
        assert_eq!(stranger.put(&path, &json!({ "title": "x" })).await.status, 404);
        assert_eq!(stranger.delete(&path).await.status, 404);
        assert_eq!(stranger.get("/api/tasks").await.body, "[]");
    }
    assert_eq!(alice.get(&path).await.json(), task);
}

async fn fr_013_every_status_of_the_specification_is_used_as_it_says(api: &Api) {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.status, 201);
    let path = created.header("location");
    assert_eq!(alice.get(path).await.status, 200);
    assert_eq!(api.anonymous().get(path).await.status, 401);
    assert_eq!(alice.get(UNKNOWN).await.status, 404);
    assert_eq!(alice.put(path, &json!({ "title": "" })).await.status, 422);
    assert_eq!(alice.delete(path).await.status, 204);
}

async fn fr_014_an_invalid_payload_is_422_and_names_every_wrong_member(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let body = json!({ "description": 7, "colour": 1, "status": "done", "title": "" });
    let wanted = [
        ("description", "string_type"),
        ("colour", "extra_forbidden"),
        ("status", "enum"),
        ("title", "string_too_short"),
    ]
    .map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    for answer in [
        alice.post("/api/tasks", &body).await,
        alice.put(&path, &body).await,
    ] {
        assert_eq!(answer.status, 422);
        assert_eq!(answer.problem(), "validation_error");
        assert_eq!(answer.field_errors(), wanted);
    }
    assert_eq!(alice.get(&path).await.json(), task);
    assert_eq!(alice.titles().await, ["Buy milk"]);
}
