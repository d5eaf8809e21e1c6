//! User story 3: a task belongs to a user, and what was stored stays stored.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::Api;

cases! { user_story_3_cases in contract::seed::user_story_3:
    us3_1_a_created_task_is_stored_with_all_its_fields
    us3_2_users_who_take_turns_see_only_their_own_tasks
    us3_3_changed_fields_are_stored
    us3_4_a_deleted_task_exists_no_more
}

async fn us3_1_a_created_task_is_stored_with_all_its_fields(api: &Api) {
    let alice = api.user("alice");
    let sent = json!({
        "title": "Buy milk", "description": "2 litres, the blue one", "status": "in_progress", "user_id": "alice",
    });
    let created = alice.post("/api/tasks", &sent).await;
    assert_eq!(created.status, 201);

    let stored = alice.get(created.header("location")).await.json();
    assert_eq!(stored, created.json());
    for (name, value) in sent.as_object().expect("members") {
        assert_eq!(stored[name], *value, "{name}");
    }
    assert_eq!(stored["version"], 1);
    assert_eq!(stored["updated_at"], stored["created_at"]);
}

async fn us3_3_changed_fields_are_stored(api: &Api) {
    let alice = api.user("alice");
    let before = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", before["id"].as_str().expect("an id"));
    let change = json!({ "title": "Buy oat milk", "description": "1 litre", "status": "completed" });
    let changed = alice.put(&path, &change).await;
    assert_eq!(changed.status, 200);

    let stored = alice.get(&path).await.json();
    assert_eq!(stored, changed.json());
    for (name, value) in change.as_object().expect("members") {
        assert_eq!(stored[name], *value, "{name}");
    }
    assert_eq!(stored["version"], 2);
    assert_eq!(stored["created_at"], before["created_at"]);
    assert!(stored["updated_at"].as_str() > before["updated_at"].as_str());
}

async fn us3_4_a_deleted_task_exists_no_more(api: &Api) {
    let alice = api.user("alice");
    alice.has_task("Stay").await;
    let task = alice.has_task("Go").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    assert_eq!(alice.delete(&path).await.status, 204);
    assert_eq!(alice.get(&path).await.status, 404);
    assert_eq!(alice.titles().await, ["Stay"]);
}

const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// What one of the users does; `nth` points at any task that was ever made, anyone who made it.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Creates a task.
    Creates {
        /// Who.
        user: usize,
    },
    /// Gives a task another title.
    Retitles {
        /// Who.
        user: usize,
        /// Which task.
        nth: usize,
    },
    /// Deletes a task.
    Deletes {
        /// Who.
        user: usize,
        /// Which task.
        nth: usize,
    },
}

/// At least one turn and up to `length` turns.
pub fn turns(length: usize) -> impl Strategy<Value = Vec<Turn>> {
    let user = 0..USERS.len();
    let turn = prop_oneof![
        3 => user.clone().prop_map(|user| Turn::Creates { user }),
        2 => (user.clone(), 0..length).prop_map(|(user, nth)| Turn::Retitles { user, nth }),
        1 => (user, 0..length).prop_map(|(user, nth)| Turn::Deletes { user, nth }),
    ];
    proptest::collection::vec(turn, 1..=length)
}

async fn us3_2_users_who_take_turns_see_only_their_own_tasks(api: &Api) {
    let mut runner = TestRunner::deterministic();
    let turns = turns(100).new_tree(&mut runner).expect("turns").current();
    each_list_equals_its_model(api, &turns).await;
}

/// Plays the turns, and compares each user's list with what that user alone should have, newest first.
pub async fn each_list_equals_its_model(api: &Api, turns: &[Turn]) {
    let users = USERS.map(|name| api.user(name));
    let mut made: Vec<(usize, String)> = Vec::new();
    let mut models: [Vec<(String, String)>; USERS.len()] = Default::default();
    for (number, turn) in turns.iter().enumerate() {
        let title = format!("turn {number}");
        match *turn {
            Turn::Creates { user } => {
                let id = users[user].has_task(&title).await["id"]
                    .as_str()
                    .expect("an id")
                    .to_owned();
                made.push((user, id.clone()));
                models[user].insert(0, (id, title));
            }
            Turn::Retitles { user, nth } => {
                let Some((_, id)) = made.get(nth % made.len().max(1)) else {
                    continue;
                };
                let path = format!("/api/tasks/{id}");
                let answer = users[user].put(&path, &json!({ "title": title })).await;
                let own = models[user].iter_mut().find(|(own, _)| own == id);
                assert_eq!(answer.status, if own.is_some() { 200 } else { 404 }, "{turn:?}");
                if let Some((_, own)) = own {
                    *own = title;
                }
            }
            Turn::Deletes { user, nth } => {
                let Some((_, id)) = made.get(nth % made.len().max(1)) else {
                    continue;
                };
                let answer = users[user].delete(&format!("/api/tasks/{id}")).await;
                let before = models[user].len();
                models[user].retain(|(own, _)| own != id);
                let was_own = models[user].len() < before;
                assert_eq!(answer.status, if was_own { 204 } else { 404 }, "{turn:?}");
            }
        }
    }
    for (user, model) in users.iter().zip(&models) {
        let list = user.get("/api/tasks?limit=500").await.json();
        let seen: Vec<(String, String)> = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|task| (&task["id"], &task["title"]))
            .map(|(id, title)| (id.as_str(), title.as_str()))
            .map(|(id, title)| (id.expect("an id").to_owned(), title.expect("a title").to_owned()))
            .collect();
        assert_eq!(seen, *model);
    }
}
