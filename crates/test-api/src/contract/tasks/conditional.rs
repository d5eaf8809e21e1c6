//! Reading what has not changed costs nothing, and no one overwrites what they have not seen.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::{Answer, Api, User, path_of};

cases! { conditional_cases in contract::tasks::conditional:
    an_unchanged_task_is_not_sent_again
    an_unchanged_list_is_not_sent_again
    a_change_of_another_version_is_412_and_names_the_current_one
    every_form_of_if_match_is_understood
    what_is_no_entity_tag_is_400_and_changes_nothing
    a_precondition_on_a_task_of_somebody_else_is_404
    of_many_who_have_read_one_version_exactly_one_changes_it
}

async fn with(user: &User, method: Method, path: &str, header: (&str, &str)) -> Answer {
    let request = user.request(method.clone(), path).header(header.0, header.1);
    let has_body = [Method::PUT, Method::PATCH].contains(&method);
    Answer::to(if has_body {
        request.json(&json!({ "title": "changed" }))
    } else {
        request
    })
    .await
}

async fn an_unchanged_task_is_not_sent_again(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    for tag in [
        "\"1\"",
        "W/\"1\"",
        "\"7\", \"1\"",
        "*",
        "\"1-gzip\"",
        "W/\"1-br\"",
        "\"1-zstd\"",
        "\"1;gzip\"",
    ] {
        let answer = with(&alice, Method::GET, &path, ("If-None-Match", tag)).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (304, ""), "{tag}");
        assert_eq!(answer.header("etag"), "\"1\"");
    }
    for tag in [
        "\"2\"",
        "1",
        "nonsense",
        "\"1-\"",
        "\"1-gzip-gzip\"",
        "\"2-gzip\"",
    ] {
        assert_eq!(
            with(&alice, Method::GET, &path, ("If-None-Match", tag))
                .await
                .status,
            200,
            "{tag}"
        );
    }
}

async fn an_unchanged_list_is_not_sent_again(api: &Api) {
    let alice = api.user("alice");
    alice.has_task("Buy milk").await;
    let list = alice.get("/api/tasks").await;
    let tag = list.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = with(&alice, Method::GET, "/api/tasks", ("If-None-Match", &tag)).await;
    assert_eq!(again.status, 304);
    let behind_apache = format!("{}-gzip\"", tag.trim_end_matches('"'));
    let again = with(
        &alice,
        Method::GET,
        "/api/tasks",
        ("If-None-Match", &behind_apache),
    )
    .await;
    assert_eq!(again.status, 304);
    alice.has_task("Buy bread").await;
    let changed = with(&alice, Method::GET, "/api/tasks", ("If-None-Match", &tag)).await;
    assert_eq!(changed.status, 200);
}

async fn a_change_of_another_version_is_412_and_names_the_current_one(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    alice.put(&path, &json!({ "title": "Buy bread" })).await;
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = with(&alice, method.clone(), &path, ("If-Match", "\"1\"")).await;
        assert_eq!(answer.status, 412, "{method}");
        assert_eq!(answer.problem(), "version_mismatch");
        assert_eq!(answer.header("etag"), "\"2\"");
        assert!(!answer.body.contains("Buy bread"));
    }
    assert_eq!(alice.titles().await, ["Buy bread"]);
}

async fn every_form_of_if_match_is_understood(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    // The first one changes the title; the others find it changed already, so that the version stays.
    for tag in [
        "\"1\"",
        "*",
        "W/\"2\"",
        "\"1\", \"2\"",
        "\"2-gzip\"",
        "W/\"2;gzip\"",
    ] {
        assert_eq!(
            with(&alice, Method::PUT, &path, ("If-Match", tag)).await.status,
            200,
            "{tag}"
        );
    }
    for tag in ["\"x\"", "\"02\"", "\"1\""] {
        assert_eq!(
            with(&alice, Method::PUT, &path, ("If-Match", tag)).await.status,
            412,
            "{tag}"
        );
    }
    assert_eq!(
        with(&alice, Method::DELETE, &path, ("If-Match", "\"2\""))
            .await
            .status,
        204
    );
}

async fn what_is_no_entity_tag_is_400_and_changes_nothing(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    for tag in ["1", "abc", "\"1", "*, \"1\""] {
        let answer = with(&alice, Method::PUT, &path, ("If-Match", tag)).await;
        assert_eq!(answer.status, 400, "{tag}");
        assert_eq!(answer.problem(), "header_invalid");
    }
    assert_eq!(alice.titles().await, ["Buy milk"]);
}

async fn a_precondition_on_a_task_of_somebody_else_is_404(api: &Api) {
    let path = path_of(&api.user("alice").has_task("Alice's").await);
    let mallory = api.user("mallory");
    for tag in ["\"1\"", "\"9\"", "*"] {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(
                with(&mallory, method, &path, ("If-Match", tag)).await.status,
                404,
                "{tag}"
            );
        }
        assert_eq!(
            with(&mallory, Method::GET, &path, ("If-None-Match", tag))
                .await
                .status,
            404,
            "{tag}"
        );
    }
}

async fn of_many_who_have_read_one_version_exactly_one_changes_it(api: &Api) {
    let alice = api.user("alice");
    let path = path_of(&alice.has_task("Buy milk").await);
    let racers = (0..100).map(|racer| {
        let request = alice.request(Method::PUT, &path).header("If-Match", "\"1\"");
        Answer::to(request.json(&json!({ "title": format!("racer {racer}") })))
    });
    let answers = join_all(racers).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(412)), (1, 99));
}
