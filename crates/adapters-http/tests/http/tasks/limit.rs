//! The parameters of the list: what is wrong is refused, never quietly replaced.

use serde_json::{Value, json};

use test_api::{Answer, Api};

async fn listed(query: &str) -> Answer {
    let api = Api::over_memory();
    api.user("alice").get(&format!("/api/tasks?{query}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_from_1_to_500_is_taken_as_it_is() {
    for limit in ["1", "2", "100", "499", "500", "007", "%2B5"] {
        let answer = listed(&format!("limit={limit}")).await;
        assert_eq!(answer.status, 200, "{limit}");
        let plain = limit.trim_start_matches("%2B").trim_start_matches('0');
        assert_eq!(answer.header("x-page-limit"), plain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_out_of_range_is_refused() {
    let too_small = json!([{
        "loc": ["query", "limit"], "type": "greater_than_equal",
        "msg": "Input should be greater than or equal to 1", "ctx": { "ge": 1 },
    }]);
    for limit in ["0", "-0", "-1", "-501", "-99999999999999999999999"] {
        assert_eq!(
            listed(&format!("limit={limit}")).await.errors(),
            too_small,
            "{limit}"
        );
    }
    let too_large = json!([{
        "loc": ["query", "limit"], "type": "less_than_equal",
        "msg": "Input should be less than or equal to 500", "ctx": { "le": 500 },
    }]);
    for limit in ["501", "65536", "65537", "4294967297", "99999999999999999999999"] {
        assert_eq!(
            listed(&format!("limit={limit}")).await.errors(),
            too_large,
            "{limit}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_no_whole_number_is_refused() {
    let wanted = json!([{
        "loc": ["query", "limit"], "type": "int_parsing", "msg": "Input should be a valid integer",
    }]);
    for limit in [
        "1.5", "1e2", "ten", "0x10", "%205", "5%20", "+5", "--5", "%2B", "-", "1_000", "%D9%A5", "5,6", "%00",
    ] {
        assert_eq!(
            listed(&format!("limit={limit}")).await.errors(),
            wanted,
            "{limit}"
        );
    }
    assert_eq!(listed("limit").await.status, 200, "no value is no parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_parameter_is_refused_because_a_mistyped_filter_must_not_return_everything() {
    for name in ["Limit", "limits", "page", "offset", "user_id", "_", "limit[]"] {
        let answer = listed(&format!("{name}=1")).await;
        let wanted = json!([{
            "loc": ["query", name], "type": "extra_forbidden", "msg": "Extra inputs are not permitted",
        }]);
        assert_eq!(answer.errors(), wanted);
    }
    for query in ["=", "=1", "limit=1&=", "%00=1", "limit=1?cursor=2"] {
        assert_eq!(listed(query).await.status, 422, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_given_twice_is_refused_even_if_both_agree() {
    let extra = |name: &str| json!({ "loc": ["query", name], "type": "extra_forbidden", "msg": "The parameter is given twice; it should be given only once" });
    assert_eq!(listed("limit=1&limit=1").await.errors(), json!([extra("limit")]));
    assert_eq!(
        listed("limit=1&%6Cimit=2").await.errors(),
        json!([extra("limit")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_errors_come_at_once_in_the_order_of_the_query() {
    let answer = listed("offset=3&cursor=x&limit=0&cursor=y&page=1").await;
    let wanted = [
        ("offset", "extra_forbidden"),
        ("limit", "greater_than_equal"),
        ("cursor", "extra_forbidden"),
        ("page", "extra_forbidden"),
    ]
    .map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    assert_eq!(answer.field_errors(), wanted);
    assert!(
        answer.errors().as_array().is_some_and(|errors| errors
            .iter()
            .all(|error| error.get("pointer").is_none() && error["loc"][0] == "query")),
        "a parameter is in no document that a pointer could point into"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_wrong_parameters_fifty_are_listed() {
    let names: Vec<String> = (0..12_000).map(|number| format!("{number:x}")).collect();
    let answer = listed(&names.join("&")).await;
    assert_eq!(answer.errors().as_array().map(Vec::len), Some(50));
    assert_eq!(
        answer.json()["detail"],
        "12000 fields are invalid: 0, 1, 2, 3, 4, …"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_without_parameters_ignore_a_query() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    let created = alice
        .post("/api/tasks?limit=0&x=1", &json!({ "title": "Buy milk" }))
        .await;
    assert_eq!(created.status, 201);
    let path = format!("{}?limit=0&x=1", created.header("location"));
    assert_eq!(alice.get(&path).await.json(), created.json());
    let changed: Value = alice.put(&path, &json!({ "title": "Buy oat milk" })).await.json();
    assert_eq!(changed["title"], "Buy oat milk");
    assert_eq!(alice.delete(&path).await.status, 204);
}
