//! Behind a proxy that serves the API below a path of its own: every path in a response begins with it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

use adapters_http::context::base_path::BasePath;
use adapters_http::policy::Policy;
use adapters_http::policy::client_address::{TrustedProxies, parse_network};
use reqwest::Method;
use serde_json::{Value, json};
use test_api::{Answer, Api, Parts, User};

fn serving(policy: Policy) -> Api {
    Api::serving(Parts {
        policy,
        ..Parts::default()
    })
}

fn below(base_path: &str) -> Policy {
    Policy {
        base_path: Some(BasePath::parse(base_path).expect("a path")),
        ..Policy::default()
    }
}

fn behind(proxy: &str) -> Policy {
    Policy {
        trusted_proxies: TrustedProxies::new(vec![parse_network(proxy).expect("an address")]),
        ..Policy::default()
    }
}

/// A request with that header. Not judged by the OpenAPI document, which does not know paths below others.
async fn send(
    user: &User,
    method: Method,
    path: &str,
    prefix: Option<&str>,
    body: Option<&Value>,
) -> (u16, String, Value) {
    let mut request = user.request(method, path);
    if let Some(prefix) = prefix {
        request = request.header("X-Forwarded-Prefix", prefix);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.expect("an answer");
    let headers = answer.headers();
    let where_to = headers.get("location").or_else(|| headers.get("link"));
    let where_to = where_to
        .map_or("", |value| value.to_str().expect("text"))
        .to_owned();
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.expect("a body");
    (
        status,
        where_to,
        serde_json::from_slice(&bytes).unwrap_or_default(),
    )
}

/// Every kind of path in an answer, of requests below `sent`.
async fn begins_with(user: &User, wanted: &str, sent: &str, prefix: Option<&str>) {
    let tasks = format!("{sent}/api/tasks");
    let body = json!({ "title": "Buy milk" });
    let (status, location, task) = send(user, Method::POST, &tasks, prefix, Some(&body)).await;
    assert_eq!(status, 201, "{sent}");
    let id = task["id"].as_str().expect("an id");
    assert_eq!(location, format!("{wanted}/api/tasks/{id}"));

    let (status, link, _) = send(
        user,
        Method::GET,
        &format!("{tasks}?q=milk&limit=1"),
        prefix,
        None,
    )
    .await;
    assert_eq!(status, 200);
    assert!(link.starts_with(&format!("<{wanted}/api/tasks?")), "{link}");

    let (status, _, problem) = send(
        user,
        Method::GET,
        &format!("{sent}/api/nothing?a=b"),
        prefix,
        None,
    )
    .await;
    assert_eq!(status, 404);
    assert_eq!(problem["instance"], format!("{wanted}/api/nothing"));
    assert_eq!(problem["type"], format!("{wanted}/problems/route-not-found"));

    let (status, _, service) = send(user, Method::GET, &format!("{sent}/"), prefix, None).await;
    assert_eq!(status, 200);
    assert_eq!(service["docs"], format!("{wanted}/docs"));
    assert_eq!(service["openapi"], format!("{wanted}/openapi.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_take_the_base_path_off_or_leave_it() {
    let api = serving(below("/shop/backend"));
    let alice = api.user("alice");
    begins_with(&alice, "/shop/backend", "/shop/backend", None).await;
    begins_with(&alice, "/shop/backend", "", None).await;
    // The setting counts before what a proxy says.
    begins_with(&alice, "/shop/backend", "", Some("/other")).await;
    for (path, status) in [
        ("/shop/backend", 200),
        ("/shop/backend/health", 200),
        ("/shop/backend/docs", 200),
        ("/shop/backend/openapi.json", 200),
        ("/shop/backendhealth", 404),
        ("/shop/health", 404),
        ("/shop/backend/shop/backend/health", 404),
    ] {
        assert_eq!(
            send(&alice, Method::GET, path, None, None).await.0,
            status,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_may_say_which_path_it_has_taken_off() {
    let api = serving(behind("127.0.0.1"));
    let alice = api.user("alice");
    begins_with(&alice, "/backend", "", Some("/backend")).await;
    begins_with(&alice, "/backend", "", Some("/backend/")).await;
    for prefix in [
        "",
        "/",
        "//evil.example",
        "/a b",
        "/a\"><script>",
        "backend",
        "/../x",
        "https://evil.example",
    ] {
        begins_with(&alice, "", "", Some(prefix)).await;
    }
    let strangers = serving(behind("192.0.2.1"));
    begins_with(&strangers.user("alice"), "", "", Some("/backend")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_either_nothing_changes() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    begins_with(&alice, "", "", Some("/backend")).await;
    let answer = alice.get("/backend/api/tasks").await;
    assert_eq!(answer.status, 404);
    let document = api.anonymous().get("/openapi.json").await;
    assert_eq!(document.json().get("servers"), None);
    let answer: Answer = alice.get("/health").await;
    assert_eq!(answer.status, 200);
}
