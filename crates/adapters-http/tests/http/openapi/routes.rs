//! The document and the router know the same paths and methods.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;

use test_api::{Answer, Api, User, description};

/// The paths for people, which are therefore not described.
const PAGES: [&str; 3] = ["/docs", "/docs/{file}", "/redoc"];

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
    let mut described: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for good in description().good_requests("01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10") {
        let target = good.target.split('?').next().unwrap_or_default().to_owned();
        let methods = described.entry(target).or_default();
        methods.insert(good.method.to_string());
        methods.insert("OPTIONS".to_owned());
        if good.method == Method::GET {
            methods.insert("HEAD".to_owned());
        }
    }
    for (target, methods) in described {
        assert_eq!(methods_of(&alice, &target).await, methods, "{target}");
    }
}

/// The rest stands in the one table that makes both the router and the document.
#[test]
fn only_pages_for_people_have_a_path_that_is_not_described() {
    let source = include_str!("../../../src/routes/mod.rs");
    let texts = source.split('"').skip(1).step_by(2);
    let paths: Vec<_> = texts.filter(|text| *text != "/api").collect();
    assert_eq!(paths, PAGES);
}
