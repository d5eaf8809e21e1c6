//! Many tasks at once: how many there are, and deleting those with a status.

use serde_json::json;

use crate::Api;

cases! { many_cases in contract::tasks::many:
    a_summary_counts_the_callers_tasks_by_status
    deleting_by_status_takes_the_callers_tasks_with_it
    deleting_without_a_filter_deletes_nothing
}

async fn a_summary_counts_the_callers_tasks_by_status(api: &Api) {
    let alice = api.user("alice");
    for status in ["pending", "pending", "completed"] {
        alice
            .post("/api/tasks", &json!({ "title": "task", "status": status }))
            .await;
    }
    api.user("bob").has_task("Bob's").await;
    let wanted = json!({ "total": 3, "by_status": { "pending": 2, "in_progress": 0, "completed": 1 } });
    assert_eq!(alice.get("/api/tasks/summary").await.json(), wanted);
    assert_eq!(alice.get("/api/tasks/summary?status=pending").await.status, 422);
}

async fn deleting_by_status_takes_the_callers_tasks_with_it(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    for user in [&alice, &bob] {
        for status in ["pending", "in_progress", "completed"] {
            user.post("/api/tasks", &json!({ "title": status, "status": status }))
                .await;
        }
    }
    let answer = alice.delete("/api/tasks?status=completed,in_progress").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "deleted": 2 }))
    );
    assert_eq!(alice.titles().await, ["pending"]);
    assert_eq!(bob.titles().await.len(), 3);
}

async fn deleting_without_a_filter_deletes_nothing(api: &Api) {
    let alice = api.user("alice");
    alice.has_task("Buy milk").await;
    for query in ["", "?status=", "?status[]="] {
        let answer = alice.delete(&format!("/api/tasks{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (422, "filter_required".to_owned()),
            "{query}"
        );
    }
    for query in ["status=done", "status[]=done", "q=milk", "status=pending&limit=1"] {
        let answer = alice.delete(&format!("/api/tasks?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem()),
            (422, "validation_error".to_owned()),
            "{query}"
        );
    }
    assert_eq!(alice.titles().await, ["Buy milk"]);
}
