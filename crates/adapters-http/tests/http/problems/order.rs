//! If several things are wrong, the answer is about the first in a fixed order: token, path, method, media type, size,
//! body, task.

use reqwest::Method;

use super::UNKNOWN;
use test_api::{Answer, Api, User};

/// A request that is wrong in every respect but those that are named.
struct Wrong<'a> {
    user: &'a User,
    method: &'a str,
    path: &'a str,
    media_type: &'a str,
    body: String,
}

impl Wrong<'_> {
    async fn answer(&self) -> Answer {
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let request = self.user.request(method, self.path);
        Answer::to(
            request
                .header("content-type", self.media_type)
                .body(self.body.clone()),
        )
        .await
    }
}

fn too_large_and_broken() -> String {
    "{".repeat(300 * 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_thing_that_is_wrong_is_what_the_answer_is_about() {
    let api = Api::over_memory();
    let (stranger, alice) = (&api.bearer("a.b.c"), &api.user("alice"));
    let all = Wrong {
        user: stranger,
        method: "PURGE",
        path: "/api/nothing",
        media_type: "text/plain",
        body: too_large_and_broken(),
    };
    assert_eq!(all.answer().await.problem(), "token_invalid");
    let with_token = Wrong { user: alice, ..all };
    assert_eq!(with_token.answer().await.problem(), "route_not_found");
    let with_path = Wrong {
        path: UNKNOWN,
        ..with_token
    };
    assert_eq!(with_path.answer().await.problem(), "method_not_allowed");
    let with_method = Wrong {
        method: "PUT",
        ..with_path
    };
    assert_eq!(with_method.answer().await.problem(), "unsupported_media_type");
    let with_type = Wrong {
        media_type: "application/json",
        ..with_method
    };
    assert_eq!(with_type.answer().await.problem(), "body_too_large");
    let with_size = Wrong {
        body: "{".to_owned(),
        ..with_type
    };
    assert_eq!(with_size.answer().await.problem(), "validation_error");
    let with_body = Wrong {
        body: r#"{"title":"x"}"#.to_owned(),
        ..with_size
    };
    assert_eq!(with_body.answer().await.problem(), "task_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_under_api_is_401_without_a_token_and_404_with_one() {
    let api = Api::over_memory();
    for path in ["/api", "/api/nothing", "/api/tasks/1/2", "/api/tasks/1/comments"] {
        assert_eq!(
            api.anonymous().get(path).await.problem(),
            "token_missing",
            "{path}"
        );
        assert_eq!(
            api.user("alice").get(path).await.problem(),
            "route_not_found",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_the_header_allow_lists_the_right_ones() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let cases = [
        (
            "/api/tasks",
            &["PUT", "PATCH", "PURGE"][..],
            vec!["DELETE", "GET", "HEAD", "POST"],
        ),
        (
            UNKNOWN,
            &["POST", "PURGE"],
            vec!["DELETE", "GET", "HEAD", "PATCH", "PUT"],
        ),
        (
            "/api/tasks/no-id",
            &["POST"],
            vec!["DELETE", "GET", "HEAD", "PATCH", "PUT"],
        ),
        ("/api/tasks/summary", &["POST", "DELETE"], vec!["GET", "HEAD"]),
        ("/api/me", &["POST"], vec!["GET", "HEAD"]),
        ("/health", &["POST", "PUT", "DELETE"], vec!["GET", "HEAD"]),
        ("/livez", &["POST"], vec!["GET", "HEAD"]),
        ("/readyz", &["POST"], vec!["GET", "HEAD"]),
    ];
    for (path, methods, allowed) in cases {
        for method in methods {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = Answer::to(alice.request(method.clone(), path)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.problem(), "method_not_allowed");
            let mut listed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            listed.sort_unstable();
            assert_eq!(listed, allowed, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_judged_before_the_id() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for path in [UNKNOWN, "/api/tasks/no-id", "/api/tasks/%00"] {
        let bad = alice.sends(Method::PUT, path, r#"{"title":""}"#).await;
        assert_eq!(bad.problem(), "validation_error", "{path}");
        let good = alice.sends(Method::PUT, path, r#"{"title":"x"}"#).await;
        assert_eq!(good.problem(), "task_not_found", "{path}");
    }
}
