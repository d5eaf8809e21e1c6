//! Proxies take heads of a limited size (nginx: 4 KiB with those that it adds). Ours stay under 3.5 KiB for every
//! input.

use std::sync::atomic::{AtomicUsize, Ordering};

use adapters_http::observe::Observers;
use adapters_http::policy::Policy;
use adapters_http::policy::origins::AllowedOrigins;
use adapters_http::policy::rate_limit::RateLimits;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::json;

use test_api::{Api, Parts};

const MOST: usize = 3_584;

/// A server that adds every header that it can.
fn talkative() -> Api {
    let rate = "4294967295/s:4294967295".parse().ok();
    Api::serving(Parts {
        policy: Policy {
            allowed_origins: AllowedOrigins::Any,
            rate_limits: RateLimits::new(rate, rate),
            ..Policy::default()
        },
        observers: Observers {
            server_timing: true,
            ..Observers::default()
        },
        ..Parts::default()
    })
}

fn size_of_head(answer: &reqwest::Response) -> usize {
    let lines = answer.headers().iter();
    let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    "HTTP/1.1 200 OK\r\n\r\n".len() + lines.sum::<usize>()
}

/// Two tasks with this title, and the first page of those that the beginning of it finds, by title: how long its head
/// is.
async fn head_of_a_page(api: &Api, title: &str) -> Result<usize, TestCaseError> {
    static USERS: AtomicUsize = AtomicUsize::new(0);
    let user = api.user(&format!("user {}", USERS.fetch_add(1, Ordering::Relaxed)));
    for _ in 0..2 {
        let created = user.post("/api/tasks", &json!({ "title": title })).await;
        prop_assert_eq!(created.status.as_u16(), 201);
    }
    let search: String = title.chars().take(100).collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("status", "pending,in_progress,completed"),
        ("q", &search),
        ("sort", "-title"),
        ("limit", "1"),
        ("updated_since", "2000-01-01T00:00:00.000000000000001+00:00"),
        ("count", "exact"),
    ]);
    let request = user.request(Method::GET, &format!("/api/tasks?{}", query.finish()));
    let request = request
        .header("X-Request-Id", "x".repeat(64))
        .header("Accept-Encoding", "gzip")
        .header("Origin", format!("https://{}.example", "a".repeat(1_000)));
    let page = request.send().await.expect("an answer");
    let size = size_of_head(&page);
    let link = page.headers()["link"].to_str().expect("text").to_owned();
    let next = page.headers()["x-next-cursor"].to_str().expect("text");
    prop_assert!(
        link.contains(&format!("cursor={next}>; rel=\"next\"")),
        "{}",
        link
    );
    prop_assert_eq!(
        link.contains("rel=\"first\""),
        link.len() <= 2_000 && link.contains(", <")
    );
    let path = link
        .strip_prefix('<')
        .and_then(|link| link.split('>').next())
        .expect("a path");
    let last = user.get(path).await;
    prop_assert_eq!(last.status.as_u16(), 200, "{}", last.body);
    prop_assert_eq!(last.json().as_array().map(Vec::len), Some(1));
    Ok(size)
}

#[test]
fn no_title_and_no_search_makes_a_head_that_a_proxy_refuses() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let api = talkative();
    for letter in ["a", "%", "\"", "é", "漢", "\u{1F95B}", "\u{10FFFF}"] {
        let size = runtime.block_on(head_of_a_page(&api, &letter.repeat(255)));
        let size = size.expect("a page");
        assert!(size < MOST, "{letter:?}: {size}");
    }
    let cases = Config::with_cases(48);
    let outcome = TestRunner::new(cases).run(&"[^\\p{Cc}\\s]\\PC{0,254}", |title| {
        let size = runtime.block_on(head_of_a_page(&api, &title))?;
        prop_assert!(size < MOST, "{}", size);
        Ok(())
    });
    outcome.expect("short heads");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_that_asks_for_a_kibibyte_of_headers_is_answered_and_one_that_asks_for_more_is_400() {
    let api = talkative();
    for (length, status) in [(1_024, 200), (1_025, 400), (30_000, 400)] {
        let request = api.anonymous().request(Method::OPTIONS, "/api/tasks");
        let request = request
            .header("Origin", "https://app.example")
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "x".repeat(length));
        let answer = request.send().await.expect("an answer");
        assert!(size_of_head(&answer) < MOST);
        assert_eq!(answer.status().as_u16(), status, "{length}");
        let is_ours = answer.text().await.expect("a text").contains("longer than 1 KiB");
        assert_eq!(is_ours, length > 1_024, "{length}");
    }
}
