//! What an answer about a task says: times, ids, `Location`, `ETag`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::{Api, path_of};

cases! { answers_cases in contract::tasks::answers:
    times_are_in_utc_with_six_digits_of_a_second
    the_creation_time_is_the_millisecond_inside_the_id
    ids_are_uuids_of_version_7_in_small_letters_and_grow
    an_id_in_capitals_is_the_same_id
    a_creation_says_where_the_task_is_and_at_which_version
    the_entity_tag_is_the_version_in_quotation_marks
    a_deletion_has_no_body_and_no_entity_tag
}

fn time(task: &Value, member: &str) -> DateTime<Utc> {
    let text = task[member].as_str().expect("a text");
    let time = DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
    assert_eq!(time.to_rfc3339_opts(SecondsFormat::Micros, true), text);
    time
}

async fn times_are_in_utc_with_six_digits_of_a_second(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let changed = alice
        .put(&path_of(&task), &json!({ "status": "completed" }))
        .await
        .json();
    let list = alice.get("/api/tasks").await.json();
    for task in [&task, &changed, &list[0]] {
        for member in ["created_at", "updated_at"] {
            let text = task[member].as_str().expect("a text");
            assert_eq!((text.len(), &text[19..20], &text[26..]), (27, ".", "Z"), "{text}");
            time(task, member);
        }
    }
}

async fn the_creation_time_is_the_millisecond_inside_the_id(api: &Api) {
    let task = api.user("alice").has_task("Buy milk").await;
    let id = task["id"].as_str().expect("an id").replace('-', "");
    let millisecond = i64::from_str_radix(&id[..12], 16).expect("a number");
    assert_eq!(time(&task, "created_at").timestamp_millis(), millisecond);
    assert!(
        task["created_at"]
            .as_str()
            .is_some_and(|text| text.ends_with("000Z")),
        "{task}"
    );
    assert_eq!(task["updated_at"], task["created_at"]);
}

async fn ids_are_uuids_of_version_7_in_small_letters_and_grow(api: &Api) {
    let alice = api.user("alice");
    let mut before = String::new();
    for _ in 0..20 {
        let task = alice.has_task("Buy milk").await;
        let id = task["id"].as_str().expect("an id").to_owned();
        let uuid = uuid::Uuid::parse_str(&id).expect("a UUID");
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.hyphenated().to_string(), id);
        assert!(before < id, "{before} {id}");
        before = id;
    }
}

async fn an_id_in_capitals_is_the_same_id(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let id = task["id"].as_str().expect("an id").to_uppercase();
    let path = format!("/api/tasks/{id}");
    assert_eq!(alice.get(&path).await.json(), task);
    let change = json!({ "id": task["id"], "title": "Buy oat milk" });
    assert_eq!(alice.put(&path, &change).await.json()["id"], task["id"]);
    assert_eq!(alice.delete(&path).await.status, 204);
}

async fn a_creation_says_where_the_task_is_and_at_which_version(api: &Api) {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.header("location"), path_of(&created.json()));
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("cache-control"), "private, no-cache");
}

async fn the_entity_tag_is_the_version_in_quotation_marks(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = path_of(&task);
    assert_eq!(alice.get(&path).await.header("etag"), "\"1\"");
    for version in 2..=11 {
        let change = json!({ "title": format!("version {version}") });
        let changed = alice.put(&path, &change).await;
        assert_eq!(changed.header("etag"), format!("\"{version}\""));
        assert_eq!(changed.json()["version"], version);
        assert_eq!(alice.get(&path).await.header("etag"), format!("\"{version}\""));
    }
}

async fn a_deletion_has_no_body_and_no_entity_tag(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let deleted = alice.delete(&path_of(&task)).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(deleted.body, "");
    for name in ["etag", "content-type", "location"] {
        assert_eq!(deleted.header(name), "", "{name}");
    }
}
