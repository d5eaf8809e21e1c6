//! How the document is served: for programs, and for people.

use adapters_http::openapi;
use adapters_http::policy::Policy;
use reqwest::{Method, Url};

use test_api::{Answer, Api, Parts};

#[tokio::test(flavor = "multi_thread")]
async fn the_service_says_where_it_is_described() {
    let api = Api::over_memory();
    let service = api.anonymous().get("/").await.json();
    assert_eq!(service["version"], env!("CARGO_PKG_VERSION"));
    for field in ["docs", "openapi"] {
        let place = service[field].as_str().expect("a path");
        assert_eq!(api.anonymous().get(place).await.status, 200, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_without_a_token_and_may_be_kept_until_it_changes() {
    let api = Api::over_memory();
    let answer = api.anonymous().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body == openapi::json());
    assert_eq!(answer.header("cache-control"), "no-cache");
    let again = api
        .anonymous()
        .request(Method::GET, "/openapi.json")
        .header("If-None-Match", answer.header("etag"));
    let again = Answer::to(again).await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    assert_eq!(again.header("etag"), answer.header("etag"));
}

/// Where a browser looks for what a page names, as a path of this server, if a proxy in front of it removes a prefix.
fn target(prefix: &str, page: &str, link: &str) -> String {
    let page = Url::parse(&format!("https://proxy.example{prefix}{page}")).expect("an address");
    let target = page.join(link).expect("a link");
    let path = target.path().strip_prefix(prefix);
    path.unwrap_or_else(|| panic!("{link} on {page} leads to {target}"))
        .to_owned()
}

const PREFIXES: [&str; 2] = ["", "/some/tasks"];

#[tokio::test(flavor = "multi_thread")]
async fn the_page_loads_everything_from_this_server_also_behind_a_prefix() {
    let api = Api::over_memory();
    for (prefix, path) in PREFIXES
        .map(|prefix| ["/docs", "/docs/"].map(|path| (prefix, path)))
        .concat()
    {
        let page = api.anonymous().get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let links: Vec<_> = page
            .body
            .split(['"'])
            .zip(page.body.split('"').skip(1))
            .filter(|(before, _)| before.ends_with("src=") || before.ends_with("href="))
            .map(|(_, link)| link)
            .collect();
        assert_eq!(links.len(), 4, "{links:?}");
        for link in links {
            let file = target(prefix, path, link);
            let answer = api.anonymous().get(&file).await;
            assert_eq!(answer.status, 200, "{link} on {prefix}{path}");
            assert!(!answer.header("content-type").is_empty(), "{link}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{link}");
            if file.ends_with("/start.js") {
                let document = quoted_behind("url: new URL(", &answer.body);
                assert_eq!(target(prefix, &file, document), "/openapi.json");
            }
        }
    }
}

fn quoted_behind<'a>(words: &str, text: &'a str) -> &'a str {
    let rest = text.split_once(words).expect("these words").1;
    rest.split('"').nth(1).expect("a quoted text")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_may_run_scripts_and_only_its_own() {
    let api = Api::over_memory();
    let policy_of = async |path: &str| {
        let answer = api.anonymous().get(path).await;
        answer.header("content-security-policy").to_owned()
    };
    let policy = policy_of("/docs").await;
    assert!(
        policy.contains("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    for other in [
        "/",
        "/openapi.json",
        "/docs/start.js",
        "/docs/nothing",
        "/problems/timeout",
        "/api/tasks",
    ] {
        let policy = policy_of(other).await;
        assert!(!policy.contains("script-src"), "{other}: {policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_does_not_need_is_not_there() {
    let api = Api::over_memory();
    for file in [
        "nothing",
        "index.html",
        "swagger-initializer.js",
        "oauth2-redirect.html",
        "..%2fetc%2fpasswd",
        "%00",
    ] {
        let answer = api.anonymous().get(&format!("/docs/{file}")).await;
        assert_eq!(answer.problem(), "route_not_found", "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_brings_a_token_only_if_it_was_given_one() {
    let without = Api::over_memory().anonymous().get("/docs").await;
    assert!(without.body.contains("data-token=\"\""), "{without:?}");
    let policy = Policy {
        docs_token: Some("a.b-c_d".into()),
        ..Policy::default()
    };
    let api = Api::serving(Parts {
        policy,
        ..Parts::default()
    });
    let with = api.anonymous().get("/docs").await;
    assert!(with.body.contains("data-token=\"a.b-c_d\""), "{with:?}");
    assert_eq!(with.header("cache-control"), "no-store");
}

#[tokio::test(flavor = "multi_thread")]
async fn redoc_leads_to_the_page_also_behind_a_prefix() {
    let api = Api::over_memory();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build();
    let client = client.expect("a client");
    for path in ["/redoc", "/redoc/"] {
        let answer = Answer::to(client.get(format!("{}{path}", api.url()))).await;
        assert_eq!(answer.status, 307);
        for prefix in PREFIXES {
            assert_eq!(target(prefix, path, answer.header("location")), "/docs");
        }
        assert_ne!(answer.header("x-request-id"), "");
    }
}
