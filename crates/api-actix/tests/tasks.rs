//! What the API does with tasks, on every storage.

mod support;

use serde_json::json;
use support::{Api, on_every_storage};

on_every_storage! {
    a_created_task_can_be_read_changed_and_deleted
}

async fn a_created_task_can_be_read_changed_and_deleted(api: &Api) {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.status, 201);
    let path = created.header("location").to_owned();
    assert_eq!(alice.get(&path).await.json(), created.json());
    let changed = alice.put(&path, &json!({ "status": "completed" })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["status"], "completed");
    assert_eq!(changed.json()["title"], "Buy milk");
    assert_eq!(alice.delete(&path).await.status, 204);
    assert_eq!(alice.get(&path).await.status, 404);
}
