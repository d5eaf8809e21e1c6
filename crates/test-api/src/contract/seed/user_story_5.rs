//! User story 5: the endpoints, as a front end uses them.

use serde_json::{Value, json};

use crate::Api;

cases! { user_story_5_cases in contract::seed::user_story_5:
    us5_1_post_creates_a_task_and_returns_it_with_201
    us5_2_get_lists_the_tasks_of_the_user_and_no_others
    us5_3_get_returns_an_own_task
    us5_4_get_of_another_users_task_is_404
    us5_5_put_changes_a_task_and_returns_it
    us5_6_delete_removes_an_own_task_with_204
}

fn path_of(task: &Value) -> String {
    format!("/api/tasks/{}", task["id"].as_str().expect("an id"))
}

async fn us5_1_post_creates_a_task_and_returns_it_with_201(api: &Api) {
    let alice = api.user("alice");
    let created = alice.post("/api/tasks", &json!({ "title": "Buy milk" })).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("content-type"), "application/json");
    let task = created.json();
    assert_eq!(task["title"], "Buy milk");
    assert_eq!(task["description"], Value::Null);
    assert_eq!(task["status"], "pending");
    assert_eq!(alice.titles().await, ["Buy milk"]);
}

async fn us5_2_get_lists_the_tasks_of_the_user_and_no_others(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    alice.has_task("Alice's first").await;
    bob.has_task("Bob's only").await;
    alice.has_task("Alice's second").await;
    assert_eq!(alice.titles().await, ["Alice's second", "Alice's first"]);
    assert_eq!(bob.titles().await, ["Bob's only"]);
}

async fn us5_3_get_returns_an_own_task(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let answer = alice.get(&path_of(&task)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), task);
}

async fn us5_4_get_of_another_users_task_is_404(api: &Api) {
    let task = api.user("alice").has_task("Buy milk").await;
    let answer = api.user("bob").get(&path_of(&task)).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.problem(), "task_not_found");
}

async fn us5_5_put_changes_a_task_and_returns_it(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let answer = alice
        .put(
            &path_of(&task),
            &json!({ "title": "Buy oat milk", "status": "completed" }),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["title"], "Buy oat milk");
    assert_eq!(answer.json()["status"], "completed");
    assert_eq!(alice.get(&path_of(&task)).await.json(), answer.json());
}

async fn us5_6_delete_removes_an_own_task_with_204(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let answer = alice.delete(&path_of(&task)).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.body, "");
    assert_eq!(alice.delete(&path_of(&task)).await.status, 404);
    assert!(alice.titles().await.is_empty());
}
