//! PATCH is a merge patch (RFC 7396), and it asks for less than PUT.

use reqwest::Method;
use serde_json::json;

use crate::{Answer, Api, User, path_of};

cases! { patch_cases in contract::tasks::patch:
    a_patch_changes_what_it_names
    an_empty_patch_changes_nothing
    both_media_types_are_read_and_no_other
}

async fn patch(user: &User, path: &str, media_type: &str, body: &'static str) -> Answer {
    Answer::to(
        user.request(Method::PATCH, path)
            .header("Content-Type", media_type)
            .body(body),
    )
    .await
}

async fn a_patch_changes_what_it_names(api: &Api) {
    let alice = api.user("alice");
    let body = json!({ "title": "Buy milk", "description": "2 litres" });
    let path = path_of(&alice.post("/api/tasks", &body).await.json());
    let changed = patch(&alice, &path, "application/json", r#"{"status":"completed"}"#).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.header("etag"), "\"2\"");
    let task = changed.json();
    assert_eq!(
        [&task["title"], &task["description"], &task["status"]],
        ["Buy milk", "2 litres", "completed"]
    );
    let cleared = patch(&alice, &path, "application/json", r#"{"description":null}"#)
        .await
        .json();
    assert_eq!(cleared["description"], json!(null));
}

async fn an_empty_patch_changes_nothing(api: &Api) {
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    for body in ["{}", r#"{"version":9}"#] {
        let answer = patch(&alice, &path_of(&task), "application/json", body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), task);
    }
}

async fn both_media_types_are_read_and_no_other(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    for good in [
        "application/json",
        "application/merge-patch+json",
        "Application/Merge-Patch+JSON; charset=utf-8",
    ] {
        assert_eq!(patch(&alice, &path, good, "{}").await.status, 200, "{good}");
    }
    let refused = patch(&alice, &path, "application/json-patch+json", "[]").await;
    assert_eq!(refused.status, 415);
    assert_eq!(
        refused.header("accept-patch"),
        "application/json, application/merge-patch+json"
    );
    let put = alice
        .request(Method::PUT, &path)
        .header("Content-Type", "application/merge-patch+json")
        .body("{}");
    assert_eq!(Answer::to(put).await.status, 415);
}
