//! Every exchange: other origins, HEAD and OPTIONS, compression, limits of rate, and what the API says
//! about itself.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use adapters_http::policy::Policy;
use adapters_http::policy::origins::{AllowedOrigins, Origin};
use adapters_http::policy::rate_limit::RateLimits;
use reqwest::Method;
use serde_json::json;
use test_api::{Answer, Api, Parts, User, path_of};

const APP: &str = "https://app.example";

fn with_policy(policy: Policy) -> Api {
    Api::serving(Parts {
        policy,
        ..Parts::default()
    })
}

fn for_the_app() -> Api {
    let origins = vec![Origin::parse(APP).expect("an origin")];
    with_policy(Policy {
        allowed_origins: AllowedOrigins::These(origins),
        ..Policy::default()
    })
}

async fn from_origin(user: &User, method: Method, path: &str, origin: &str) -> Answer {
    Answer::to(user.request(method, path).header("Origin", origin)).await
}

async fn preflight(api: &Api, origin: &str) -> Answer {
    let request = api.anonymous().request(Method::OPTIONS, "/api/tasks");
    let request = request
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "authorization, content-type, idempotency-key",
        );
    Answer::to(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_of_an_allowed_origin_needs_no_token() {
    let answer = preflight(&for_the_app(), APP).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
    assert_eq!(answer.header("access-control-max-age"), "600");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_may_ask_for_any_header() {
    const ASKED: &str = "authorization,baggage,sentry-trace,x-anything,x-datadog-trace-id,x-requested-with";
    let api = for_the_app();
    let request = api.anonymous().request(Method::OPTIONS, "/api/tasks");
    let request = request
        .header("Origin", APP)
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", ASKED);
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-headers"), ASKED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_of_another_origin_is_told_so_and_what_would_allow_it() {
    let listed = Policy {
        allowed_origins: AllowedOrigins::These(vec![Origin::parse(APP).expect("an origin")]),
        origins_setting: Some("ORIGINS"),
        ..Policy::default()
    };
    let unset = Policy {
        origins_setting: Some("ORIGINS"),
        ..Policy::default()
    };
    let long = format!("https://{}.example", "a".repeat(300));
    for (policy, origin, detail) in [
        (
            &listed,
            "https://evil.example",
            "The origin https://evil.example is not allowed: ORIGINS does not list it.",
        ),
        (
            &listed,
            "null",
            "The origin null is not allowed: ORIGINS does not list it.",
        ),
        (
            &unset,
            APP,
            "The origin https://app.example is not allowed: ORIGINS does not list it.",
        ),
        (
            &unset,
            &long,
            "The origin of this request is not allowed: ORIGINS does not list it.",
        ),
        (
            &Policy::default(),
            APP,
            "The origin https://app.example is not allowed.",
        ),
    ] {
        let answer = preflight(&with_policy(policy.clone()), origin).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert_eq!(answer.problem(), "origin_not_allowed");
        assert_eq!(answer.json()["detail"], detail);
        for name in answer.headers.keys() {
            assert!(!name.as_str().starts_with("access-control-"), "{name}");
        }
        assert!(answer.header("vary").contains("Origin"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_origin_nothing_is_a_preflight_so_it_needs_the_token() {
    let any_origin = with_policy(Policy {
        allowed_origins: AllowedOrigins::Any,
        ..Policy::default()
    });
    for api in [&for_the_app(), &any_origin] {
        for (user, status) in [(api.anonymous(), 401), (api.user("alice"), 204)] {
            let request = user.request(Method::OPTIONS, "/api/tasks");
            let answer = Answer::to(request.header("Access-Control-Request-Method", "POST")).await;
            assert_eq!(answer.status, status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_and_every_error_can_be_read_from_an_allowed_origin() {
    let api = for_the_app();
    let alice = api.user("alice");
    for (answer, status) in [
        (from_origin(&alice, Method::GET, "/api/tasks", APP).await, 200),
        (
            from_origin(&alice, Method::GET, "/api/tasks/nothing", APP).await,
            404,
        ),
        (
            from_origin(&api.anonymous(), Method::GET, "/api/tasks", APP).await,
            401,
        ),
        (
            from_origin(&alice, Method::GET, "/api/tasks?limit=0", APP).await,
            422,
        ),
        (from_origin(&alice, Method::PUT, "/api/tasks", APP).await, 405),
        (from_origin(&alice, Method::OPTIONS, "/api/tasks", APP).await, 204),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), APP, "{status}");
        assert!(
            answer
                .header("access-control-expose-headers")
                .to_lowercase()
                .contains("x-next-cursor"),
            "{status}"
        );
        if status >= 400 {
            answer.problem();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_read_nothing_and_without_a_list_no_one_does() {
    let without_origins = Api::over_memory();
    for (api, origin) in [(&for_the_app(), "https://evil.example"), (&without_origins, APP)] {
        for answer in [
            from_origin(&api.user("alice"), Method::GET, "/api/tasks", origin).await,
            preflight(api, origin).await,
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_like_get_without_the_body() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    for path in [path.as_str(), "/api/tasks", "/api/me", "/health", "/"] {
        let (get, head) = (
            alice.get(path).await,
            Answer::to(alice.request(Method::HEAD, path)).await,
        );
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        // It may be missing, and must not be wrong (RFC 9110, 8.6).
        let length = head.header("content-length");
        assert!(
            length.is_empty() || length == get.header("content-length"),
            "{path}: {length}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_lists_the_methods_and_needs_the_token_under_api() {
    let api = Api::over_memory();
    let answer = Answer::to(api.user("alice").request(Method::OPTIONS, "/api/tasks")).await;
    assert_eq!(answer.status, 204);
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        assert!(answer.header("allow").contains(method), "{method}");
    }
    let anonymous = Answer::to(api.anonymous().request(Method::OPTIONS, "/api/tasks")).await;
    assert_eq!(anonymous.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_and_short_ones_are_not() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let coding_of = async |accepted: &str| {
        let request = alice
            .request(Method::GET, "/api/tasks")
            .header("Accept-Encoding", accepted);
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200);
        answer.header("content-encoding").to_owned()
    };
    assert_eq!(coding_of("gzip").await, "");
    for number in 0..20 {
        alice.has_task(&format!("task {number}")).await;
    }
    assert_eq!(coding_of("gzip").await, "gzip");
    assert_eq!(coding_of("br").await, "br");
    assert_eq!(coding_of("identity;q=0").await, "");
    assert_eq!(coding_of("compress").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_has_a_weak_tag_which_a_change_may_name() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let body = json!({ "title": "Buy milk", "description": "x".repeat(4_000) });
    let path = path_of(&alice.post("/api/tasks", &body).await.json());
    let tag_of = async |accepted: &str| {
        let request = alice
            .request(Method::GET, &path)
            .header("Accept-Encoding", accepted);
        Answer::to(request).await.header("etag").to_owned()
    };
    assert_eq!(tag_of("identity").await, "\"1\"");
    for coding in ["gzip", "br", "deflate"] {
        assert_eq!(tag_of(coding).await, "W/\"1\"", "{coding}");
    }
    let request = alice.request(Method::PUT, &path).header("If-Match", "W/\"1\"");
    let answer = Answer::to(request.json(&json!({ "title": "Buy bread" }))).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_over_the_limit_is_told_when_to_come_back() {
    let rate = "1/s:3".parse().expect("a rate");
    let api = with_policy(Policy {
        rate_limits: RateLimits::new(Some(rate), None),
        ..Policy::default()
    });
    let alice = api.user("alice");
    let first = alice.get("/api/tasks").await;
    assert_eq!(first.header("ratelimit-policy"), "\"user\";q=3;w=3");
    assert_eq!(first.header("ratelimit"), "\"user\";r=2;t=1");
    alice.get("/api/tasks").await;
    alice.get("/api/tasks").await;
    let refused = alice.get("/api/tasks").await;
    assert_eq!(
        (refused.status.as_u16(), refused.problem()),
        (429, "rate_limited".to_owned())
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["violated-policies"], json!(["user"]));
    assert_eq!(api.user("bob").get("/api/tasks").await.status, 200);
    assert_eq!(alice.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_refused_tokens_is_told_to_wait_and_good_tokens_are_not() {
    let rate = "1/s:2".parse().expect("a rate");
    let api = with_policy(Policy {
        rate_limits: RateLimits::new(None, Some(rate)),
        ..Policy::default()
    });
    let statuses = [
        api.bearer("a.b.c").get("/api/tasks").await.status.as_u16(),
        api.anonymous().get("/api/tasks").await.status.as_u16(),
        api.bearer("a.b.c").get("/api/tasks").await.status.as_u16(),
    ];
    assert_eq!(statuses, [401, 401, 429]);
    assert_eq!(api.user("alice").get("/api/tasks").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_insists_on_if_match_says_so_only_about_tasks_that_are_there() {
    let api = with_policy(Policy {
        requires_if_match: true,
        ..Policy::default()
    });
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let body = json!({ "title": "changed" });
    let answer = alice.put(&path, &body).await;
    assert_eq!(
        (answer.status.as_u16(), answer.problem()),
        (428, "precondition_required".to_owned())
    );
    assert_eq!(alice.delete(&path).await.status, 428);
    assert_eq!(api.user("mallory").put(&path, &body).await.status, 404);
    let conditional = alice
        .request(Method::PUT, &path)
        .header("If-Match", "\"1\"")
        .json(&body);
    assert_eq!(Answer::to(conditional).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn me_says_whose_token_it_is() {
    let api = Api::over_memory();
    let me = api.user("alice").get("/api/me").await.json();
    assert_eq!((&me["user_id"], &me["issuer"]), (&json!("alice"), &json!(null)));
    assert!(
        me["expires_at"].as_str().is_some_and(|time| time.ends_with('Z')),
        "{me}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_every_problem_leads_to_an_explanation() {
    let api = Api::over_memory();
    let problem = api.user("alice").get("/api/tasks/nothing").await.json();
    let place = problem["type"].as_str().expect("a reference");
    let explanation = api.anonymous().get(place).await.json();
    assert_eq!(explanation["code"], problem["code"]);
    let page = api
        .anonymous()
        .request(Method::GET, place)
        .header("Accept", "text/html");
    let page = Answer::to(page).await;
    assert!(page.body.starts_with("<!doctype html>"));
    assert!(
        page.header("vary").contains("Accept,") || page.header("vary").ends_with("Accept"),
        "{page:?}"
    );
    assert_eq!(
        api.anonymous().get("/problems/nothing").await.problem(),
        "route_not_found"
    );
}
