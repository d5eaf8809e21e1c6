//! A change touches what was sent and nothing else.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Api, User, description, path_of};

cases! { update_cases in contract::tasks::update:
    each_member_can_be_changed_alone_and_the_others_stay
    whatever_may_be_null_can_be_set_and_cleared_alone
    a_null_description_clears_it_and_an_empty_one_empties_it
    a_real_change_counts_the_version_up_and_moves_the_time_of_the_last_change
    a_change_to_the_same_values_changes_nothing_at_all
    a_task_that_is_sent_back_as_it_came_is_accepted_and_changes_nothing
    a_task_that_is_sent_back_with_one_new_value_gets_that_value
    a_refused_change_changes_nothing_at_all
    every_status_may_follow_every_other
    a_null_title_or_status_is_an_error
    a_change_that_says_nothing_is_a_mistake
    an_id_in_the_body_must_be_the_one_of_the_path
    all_errors_of_a_change_come_at_once_in_the_order_of_the_body
}

/// A value for every member that a client may set.
fn everything() -> Value {
    let mut everything = description().example("createTask", "full");
    everything["status"] = json!("in_progress");
    everything
}

async fn a_full_task(alice: &User) -> Value {
    alice.post("/api/tasks", &everything()).await.json()
}

async fn each_member_can_be_changed_alone_and_the_others_stay(api: &Api) {
    let alice = api.user("alice");
    for (member, value) in [
        ("title", json!("Buy oat milk")),
        ("description", json!("1 litre")),
        ("description", Value::Null),
        ("status", json!("completed")),
    ] {
        let mut wanted = a_full_task(&alice).await;
        let path = path_of(&wanted);
        let changed = alice.put(&path, &json!({ member: value })).await;
        assert_eq!(changed.status, 200, "{member}");
        let changed = changed.json();
        wanted[member] = value;
        wanted["version"] = json!(2);
        wanted["updated_at"] = changed["updated_at"].clone();
        assert_eq!(changed, wanted);
        assert_eq!(alice.get(&path).await.json(), wanted);
    }
}

async fn whatever_may_be_null_can_be_set_and_cleared_alone(api: &Api) {
    let alice = api.user("alice");
    let mut count = 0;
    for (member, value) in everything().as_object().into_iter().flatten() {
        let mut wanted = alice.has_task("Buy milk").await;
        if !wanted[member].is_null() {
            continue;
        }
        count += 1;
        for (version, value) in [(2, value), (3, &Value::Null)] {
            let changed = alice
                .put(&path_of(&wanted), &json!({ member: value }))
                .await
                .json();
            wanted[member] = value.clone();
            wanted["version"] = json!(version);
            wanted["updated_at"] = changed["updated_at"].clone();
            assert_eq!(changed, wanted, "{member}");
            assert_eq!(alice.get(&path_of(&wanted)).await.json(), wanted);
        }
    }
    assert!(count >= 1, "the members were not found");
}

async fn a_null_description_clears_it_and_an_empty_one_empties_it(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&a_full_task(&alice).await);
    for (version, description) in [
        (2, json!("")),
        (3, Value::Null),
        (4, json!("")),
        (5, json!("back")),
    ] {
        let changed = alice.put(&path, &json!({ "description": description })).await;
        assert_eq!(changed.json()["description"], description);
        assert_eq!(changed.json()["version"], version);
    }
}

async fn a_real_change_counts_the_version_up_and_moves_the_time_of_the_last_change(api: &Api) {
    let alice = api.user("alice");
    let mut before = a_full_task(&alice).await;
    for round in 0..20 {
        let change = json!({ "title": format!("round {round}") });
        let after = alice.put(&path_of(&before), &change).await.json();
        assert_eq!(
            after["version"].as_i64(),
            before["version"].as_i64().map(|version| version + 1)
        );
        // The texts are of one length and end in Z: their order is that of time.
        assert!(
            after["updated_at"].as_str() > before["updated_at"].as_str(),
            "{before} {after}"
        );
        assert_eq!(after["created_at"], before["created_at"]);
        before = after;
    }
}

async fn a_change_to_the_same_values_changes_nothing_at_all(api: &Api) {
    let alice = api.user("alice");
    let task = a_full_task(&alice).await;
    let path = path_of(&task);
    for same in [
        json!({ "title": "Buy milk" }),
        json!({ "status": "in_progress" }),
        everything(),
    ] {
        let answer = alice.put(&path, &same).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("etag"), "\"1\"");
        assert_eq!(answer.json(), task);
    }
    assert_eq!(alice.get(&path).await.json(), task);
}

async fn a_task_that_is_sent_back_as_it_came_is_accepted_and_changes_nothing(api: &Api) {
    let alice = api.user("alice");
    for task in [
        a_full_task(&alice).await,
        alice.has_task("without a description").await,
    ] {
        let answer = alice.put(&path_of(&task), &task).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), task);
    }
}

/// Also with the version it had before: the version of a body is no precondition.
async fn a_task_that_is_sent_back_with_one_new_value_gets_that_value(api: &Api) {
    let alice = api.user("alice");
    let mut task = a_full_task(&alice).await;
    for (version, status) in [(2, "completed"), (3, "pending")] {
        task["status"] = json!(status);
        let answer = alice.put(&path_of(&task), &task).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["status"], status);
        assert_eq!(answer.json()["version"], version);
    }
}

async fn a_refused_change_changes_nothing_at_all(api: &Api) {
    let alice = api.user("alice");
    let task = a_full_task(&alice).await;
    for body in [
        json!({ "title": "fine", "status": null }),
        json!({ "title": "fine", "description": 7 }),
        json!({ "title": "fine", "id": "another" }),
        json!({ "title": "fine", "user_id": "bob" }),
        json!({ "title": "fine", "due": "tomorrow" }),
        json!({ "status": "completed", "title": " " }),
    ] {
        assert_eq!(alice.put(&path_of(&task), &body).await.status, 422, "{body}");
    }
    assert_eq!(alice.get(&path_of(&task)).await.json(), task);
}

async fn every_status_may_follow_every_other(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    for from in ["pending", "in_progress", "completed"] {
        for to in ["pending", "in_progress", "completed"] {
            for status in [from, to] {
                let answer = alice.put(&path, &json!({ "status": status })).await;
                assert_eq!(answer.json()["status"], status);
            }
        }
    }
}

async fn a_null_title_or_status_is_an_error(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    for (member, message) in [
        ("title", "Input should be a valid string"),
        (
            "status",
            "Input should be a valid string; leave the field out to keep or to get the default",
        ),
    ] {
        let errors = alice.put(&path, &json!({ member: null })).await.errors();
        let wanted = json!([{
            "pointer": format!("/{member}"), "loc": ["body", member], "type": "string_type",
            "msg": message,
        }]);
        assert_eq!(errors, wanted);
    }
}

async fn a_change_that_says_nothing_is_a_mistake(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let wanted = json!([{ "pointer": "", "loc": ["body"], "type": "missing", "msg": "Field required" }]);
    for body in [
        json!({}),
        json!({ "version": 1 }),
        json!({ "user_id": "alice" }),
        json!({ "id": task["id"], "created_at": 1, "updated_at": null, "version": "x" }),
    ] {
        assert_eq!(alice.put(&path_of(&task), &body).await.errors(), wanted, "{body}");
    }
}

async fn an_id_in_the_body_must_be_the_one_of_the_path(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let other = alice.has_task("Another").await;
    for id in [other["id"].clone(), json!(""), json!(null), json!(1)] {
        let errors = alice
            .put(&path_of(&task), &json!({ "id": id, "title": "x" }))
            .await
            .errors();
        let wanted = json!([{
            "pointer": "/id", "loc": ["body", "id"], "type": "id_mismatch",
            "msg": "Input should be the id in the path, or be left out",
        }]);
        assert_eq!(errors, wanted, "{id}");
    }
    let capitals = task["id"].as_str().map(str::to_uppercase);
    let answer = alice
        .put(&path_of(&task), &json!({ "id": capitals, "title": "x" }))
        .await;
    assert_eq!(answer.status, 200);
}

async fn all_errors_of_a_change_come_at_once_in_the_order_of_the_body(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    let body = r#"{"status":null,"id":"x","due":1,"title":"","user_id":7,"description":[],"title":"t"}"#;
    let answer = alice.sends(Method::PUT, &path, body).await;
    let wanted = [
        ("status", "string_type"),
        ("id", "id_mismatch"),
        ("due", "extra_forbidden"),
        ("title", "string_too_short"),
        ("user_id", "owner_mismatch"),
        ("description", "string_type"),
        ("title", "duplicate_key"),
    ]
    .map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    assert_eq!(answer.field_errors(), wanted);
}
