//! Success criteria 3 and 6: isolation, and every operation with the right status. (Criterion 4 has a file of its own.)

use serde_json::json;

use crate::Api;

cases! { success_criteria_cases in contract::seed::success_criteria:
    sc_003_another_users_task_is_404_for_every_operation_and_its_data_never_shows
    sc_006_every_operation_succeeds_with_its_status
}

async fn sc_003_another_users_task_is_404_for_every_operation_and_its_data_never_shows(api: &Api) {
    let (alice, mallory) = (api.user("alice"), api.user("mallory"));
    let secret = json!({ "title": "The secret of Alice", "description": "Her diary" });
    let created = alice.post("/api/tasks", &secret).await;
    let path = created.header("location");
    for answer in [
        mallory.get(path).await,
        mallory.put(path, &json!({ "title": "Mine now" })).await,
        mallory.delete(path).await,
    ] {
        assert_eq!(answer.status, 404);
        assert_eq!(answer.problem(), "task_not_found");
        assert_eq!(answer.header("etag"), "");
        for secret in ["secret of Alice", "diary", "alice"] {
            assert!(!answer.body.contains(secret), "{answer:?}");
        }
    }
    assert_eq!(mallory.get("/api/tasks").await.body, "[]");
    assert_eq!(alice.get(path).await.json(), created.json());
}

async fn sc_006_every_operation_succeeds_with_its_status(api: &Api) {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.status, 201);
    let path = created.header("location");
    let read = alice.get(path).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, created.json()));
    let list = alice.get("/api/tasks").await;
    assert_eq!(
        (list.status.as_u16(), list.json()),
        (200, json!([created.json()]))
    );
    let changed = alice.put(path, &json!({ "status": "completed" })).await;
    assert_eq!(changed.status, 200);
    let list = alice.get("/api/tasks").await;
    assert_eq!(list.json(), json!([changed.json()]));
    assert_eq!(alice.delete(path).await.status, 204);
    assert_eq!(alice.get(path).await.status, 404);
    assert_eq!(alice.put(path, &json!({ "status": "pending" })).await.status, 404);
    assert_eq!(alice.delete(path).await.status, 404);
    assert_eq!(alice.get("/api/tasks").await.body, "[]");
}
