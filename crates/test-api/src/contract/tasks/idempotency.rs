//! A creation that is repeated under its `Idempotency-Key` makes one task.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, Api, User, path_of};

cases! { idempotency_cases in contract::tasks::idempotency:
    a_repeated_creation_answers_the_same_task
    a_repeat_answers_the_task_as_it_is_now_and_survives_a_new_token
    a_key_for_another_creation_is_422
    a_key_that_is_none_is_400_and_creates_nothing
    a_refused_creation_does_not_use_up_its_key
    a_hundred_callers_with_one_key_make_one_task
}

async fn create(user: &User, key: &str, body: &Value) -> Answer {
    Answer::to(
        user.request(Method::POST, "/api/tasks")
            .header("Idempotency-Key", key)
            .json(body),
    )
    .await
}

async fn a_repeated_creation_answers_the_same_task(api: &Api) {
    let alice = api.user("alice");
    let body = json!({ "title": "Buy milk" });
    let first = create(&alice, "\"k-1\"", &body).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotency-replayed")),
        (201, "")
    );
    for key in ["\"k-1\"", "k-1"] {
        let again = create(
            &alice,
            key,
            &json!({ "status": "pending", "title": "Buy milk", "version": 4 }),
        )
        .await;
        assert_eq!(
            (again.status.as_u16(), again.header("idempotency-replayed")),
            (201, "true")
        );
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.json(), first.json());
    }
    assert_eq!(alice.titles().await.len(), 1);
    assert_eq!(
        create(&api.user("bob"), "k-1", &body)
            .await
            .header("idempotency-replayed"),
        ""
    );
}

async fn a_repeat_answers_the_task_as_it_is_now_and_survives_a_new_token(api: &Api) {
    let body = json!({ "title": "Buy milk" });
    let first = create(&api.user("alice"), "k-1", &body).await.json();
    let later = api.bearer(&api.tokens().another("alice"));
    later
        .put(&path_of(&first), &json!({ "status": "completed" }))
        .await;
    let again = create(&later, "k-1", &body).await;
    assert_eq!(again.json()["status"], "completed");
    assert_eq!(again.header("etag"), "\"2\"");
}

async fn a_key_for_another_creation_is_422(api: &Api) {
    let alice = api.user("alice");
    create(&alice, "k-1", &json!({ "title": "Buy milk" })).await;
    for other in [
        json!({ "title": "Buy bread" }),
        json!({ "title": "Buy milk", "description": "" }),
    ] {
        let answer = create(&alice, "k-1", &other).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.problem(), "idempotency_key_reused");
    }
    assert_eq!(alice.titles().await, ["Buy milk"]);
}

async fn a_key_that_is_none_is_400_and_creates_nothing(api: &Api) {
    let alice = api.user("alice");
    for key in ["", "\"\"", "a b", "\"a", "a\"b", &"k".repeat(256)] {
        let answer = create(&alice, key, &json!({ "title": "Buy milk" })).await;
        assert_eq!(answer.status, 400, "{key}");
        assert_eq!(answer.problem(), "header_invalid");
    }
    assert!(alice.titles().await.is_empty());
}

async fn a_refused_creation_does_not_use_up_its_key(api: &Api) {
    let alice = api.user("alice");
    assert_eq!(create(&alice, "k-1", &json!({ "title": "" })).await.status, 422);
    let corrected = create(&alice, "k-1", &json!({ "title": "Buy milk" })).await;
    assert_eq!(
        (
            corrected.status.as_u16(),
            corrected.header("idempotency-replayed")
        ),
        (201, "")
    );
}

async fn a_hundred_callers_with_one_key_make_one_task(api: &Api) {
    let alice = api.user("alice");
    let body = json!({ "title": "Buy milk" });
    let answers = join_all((0..100).map(|_| create(&alice, "k-1", &body))).await;
    let made = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed").is_empty())
        .count();
    assert_eq!(made, 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.json() == answers[0].json())
    );
    assert_eq!(alice.titles().await, ["Buy milk"]);
}
