//! The edge cases of the seed that a request can cause.

use futures_util::future::join;
use serde_json::json;

use crate::Api;

cases! { edge_cases_cases in contract::seed::edge_cases:
    edge_case_unknown_user_has_an_empty_list_and_may_create_the_first_task
    edge_case_user_id_that_does_not_match_the_token_is_422_and_writes_nothing
    edge_case_user_id_that_matches_the_token_is_accepted
    edge_case_concurrent_updates_are_both_done_and_lose_nothing
    edge_case_concurrent_updates_of_one_field_leave_one_of_the_two_values
    edge_case_concurrent_deletions_of_one_task_succeed_once
    edge_case_extremely_long_titles_are_422_and_the_longest_allowed_is_kept
    edge_case_extremely_long_descriptions_are_422_and_the_longest_allowed_is_kept
}

async fn edge_case_unknown_user_has_an_empty_list_and_may_create_the_first_task(api: &Api) {
    api.user("somebody known").has_task("Not yours").await;
    let stranger = api.user("never seen before");
    let list = stranger.get("/api/tasks").await;
    assert_eq!(list.status, 200);
    assert_eq!(list.body, "[]");
    let one = stranger
        .get("/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10")
        .await;
    assert_eq!(one.problem(), "task_not_found");
    stranger.has_task("The first").await;
    assert_eq!(stranger.titles().await, ["The first"]);
}

async fn edge_case_user_id_that_does_not_match_the_token_is_422_and_writes_nothing(api: &Api) {
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let foreign = [
        json!("bob"),
        json!("Alice"),
        json!("alice "),
        json!(""),
        json!(null),
        json!(7),
        json!(["alice"]),
    ];
    for user_id in foreign {
        let body = json!({ "title": "Not mine", "user_id": user_id });
        for answer in [
            alice.post("/api/tasks", &body).await,
            alice.put(&path, &body).await,
        ] {
            let errors = answer.errors();
            assert_eq!(errors[0]["type"], "owner_mismatch", "{user_id}");
            assert_eq!(errors[0]["pointer"], "/user_id");
            assert_eq!(errors[0]["loc"], json!(["body", "user_id"]));
        }
    }
    assert_eq!(alice.titles().await, ["Buy milk"]);
    assert_eq!(alice.get(&path).await.json(), task);
    assert!(bob.titles().await.is_empty());
}

async fn edge_case_user_id_that_matches_the_token_is_accepted(api: &Api) {
    let alice = api.user("alice");
    let created = alice
        .post("/api/tasks", &json!({ "title": "Mine", "user_id": "alice" }))
        .await;
    assert_eq!(created.status, 201);
    let changed = alice
        .put(
            created.header("location"),
            &json!({ "title": "Still mine", "user_id": "alice" }),
        )
        .await;
    assert_eq!(changed.status, 200);
}

/// One round catches nothing: requests rarely overlap.
const ROUNDS: u32 = 20;

async fn edge_case_concurrent_updates_are_both_done_and_lose_nothing(api: &Api) {
    let alice = api.user("alice");
    let mut task = alice.has_task("round 0").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for round in 1..=ROUNDS {
        let title = json!({ "title": format!("round {round}") });
        let description = json!({ "description": format!("round {round}") });
        let (one, other) = join(alice.put(&path, &title), alice.put(&path, &description)).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));

        let version = task["version"].as_i64().expect("a number");
        let mut versions = [one, other].map(|answer| answer.json()["version"].as_i64().expect("a number"));
        versions.sort_unstable();
        assert_eq!(versions, [version + 1, version + 2], "each change counts once");
        task = alice.get(&path).await.json();
        assert_eq!(task["title"], title["title"]);
        assert_eq!(task["description"], description["description"]);
        assert_eq!(task["version"], version + 2);
    }
}

async fn edge_case_concurrent_updates_of_one_field_leave_one_of_the_two_values(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("before").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for round in 0..ROUNDS {
        let titles = [format!("{round}, one"), format!("{round}, other")];
        let bodies = titles.clone().map(|title| json!({ "title": title }));
        let (one, other) = join(alice.put(&path, &bodies[0]), alice.put(&path, &bodies[1])).await;
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
        // Each writer is shown its own write, and the one with the higher version is what stays.
        assert_eq!(one.json()["title"], titles[0]);
        assert_eq!(other.json()["title"], titles[1]);
        let last = if one.json()["version"].as_i64() > other.json()["version"].as_i64() {
            one
        } else {
            other
        };
        assert_eq!(alice.get(&path).await.json(), last.json());
    }
}

async fn edge_case_concurrent_deletions_of_one_task_succeed_once(api: &Api) {
    let alice = api.user("alice");
    for _ in 0..ROUNDS {
        let task = alice.has_task("Go").await;
        let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
        let (one, other) = join(alice.delete(&path), alice.delete(&path)).await;
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404]);
    }
}

async fn edge_case_extremely_long_titles_are_422_and_the_longest_allowed_is_kept(api: &Api) {
    lengths_are_limited(api, "title", 255).await;
}

async fn edge_case_extremely_long_descriptions_are_422_and_the_longest_allowed_is_kept(api: &Api) {
    lengths_are_limited(api, "description", 10_000).await;
}

/// The limit counts Unicode scalar values, neither bytes nor UTF-16 units.
async fn lengths_are_limited(api: &Api, member: &str, max: usize) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for letter in ["a", "é", "語", "😀"] {
        let mut body = json!({ "title": "A title" });
        body[member] = letter.repeat(max).into();
        let created = alice.post("/api/tasks", &body).await;
        assert_eq!(created.status, 201, "{letter}");
        let stored = alice.get(created.header("location")).await.json();
        assert_eq!(stored[member], body[member], "{letter}");
        assert_eq!(alice.put(&path, &body).await.json()[member], body[member]);

        body[member] = letter.repeat(max + 1).into();
        for answer in [
            alice.post("/api/tasks", &body).await,
            alice.put(&path, &body).await,
        ] {
            let errors = answer.errors();
            assert_eq!(errors[0]["type"], "string_too_long", "{letter}");
            assert_eq!(
                errors[0]["ctx"],
                json!({ "max_length": max, "actual_length": max + 1 })
            );
        }
    }
    // Far beyond every limit the body itself is too large, and it is not read to its end.
    let huge = json!({ "title": "a".repeat(10_000_000) });
    assert_eq!(alice.post("/api/tasks", &huge).await.problem(), "body_too_large");
}
