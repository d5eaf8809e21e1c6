//! The document and the router know the same paths and methods.

use std::collections::BTreeSet;

use reqwest::Method;

use test_api::{Answer, Api, User, description};

/// What is for people, and therefore not described.
const PAGES: [&str; 3] = ["/docs", "/docs/{file}", "/redoc"];

/// A path with something in the place of its parameters.
fn filled(path: &str) -> String {
    let filled = path
        .replace("{task_id}", "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10")
        .replace("{code}", "task-not-found");
    assert!(!filled.contains('{'), "{filled} has a parameter without a value");
    filled
}

async fn methods_of(user: &User, path: &str) -> BTreeSet<String> {
    let answer = Answer::to(user.request(Method::OPTIONS, path)).await;
    assert_eq!(answer.status, 204, "{path}");
    let methods = answer.header("allow").split(", ").map(str::to_owned);
    methods.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_takes_the_methods_that_are_described_and_no_other() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let paths: BTreeSet<_> = description().operations().map(|(path, ..)| path).collect();
    for path in paths {
        let operations = description().operations().filter(|(other, ..)| *other == path);
        let mut described: BTreeSet<_> = operations.map(|(_, method, _)| method.to_string()).collect();
        described.insert("OPTIONS".to_owned());
        if described.contains("GET") {
            described.insert("HEAD".to_owned());
        }
        assert_eq!(methods_of(&alice, &filled(path)).await, described, "{path}");
    }
}

/// The router cannot be asked for its paths, but its source can: they are the texts in it, but for the scope around them.
#[test]
fn every_path_of_the_router_is_described() {
    let source = include_str!("../../../src/routes/mod.rs");
    let described: BTreeSet<_> = description()
        .operations()
        .map(|(path, ..)| path)
        .chain(PAGES)
        .collect();
    let texts = source.split('"').skip(1).step_by(2);
    let routed: Vec<_> = texts.filter(|text| *text != "/api").collect();
    assert_eq!(routed.len(), described.len(), "{routed:?}");
    for path in routed {
        let below_api = format!("/api{path}");
        assert!(
            described.contains(path) || described.contains(below_api.as_str()),
            "{path}"
        );
    }
}
