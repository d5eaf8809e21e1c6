//! Requests that the document allows are accepted, and those that it forbids are refused.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use test_api::{Api, description};

fn parameter(name: &str) -> &'static Value {
    &description().document()["components"]["parameters"][name]
}

async fn status_of(api: &Api, name: &str, value: &str) -> u16 {
    let answer = api.user("alice").get(&format!("/api/tasks?{name}={value}")).await;
    answer.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_value_of_a_parameter_is_accepted_and_no_other() {
    let api = Api::over_memory();
    let statuses = &description().document()["components"]["schemas"]["Status"];
    for (name, schema) in [
        ("status", statuses),
        ("sort", &parameter("sort")["schema"]),
        ("count", &parameter("count")["schema"]),
    ] {
        for value in schema["enum"].as_array().expect("values") {
            let value = value.as_str().expect("text");
            assert_eq!(status_of(&api, name, value).await, 200, "{name}={value}");
        }
        assert_eq!(status_of(&api, name, "another").await, 422, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_parameters_are_those_of_the_server() {
    let api = Api::over_memory();
    let limit = &parameter("limit")["schema"];
    let (min, max) = (
        limit["minimum"].as_i64().expect("one"),
        limit["maximum"].as_i64().expect("one"),
    );
    for (value, status) in [(min - 1, 422), (min, 200), (max, 200), (max + 1, 422)] {
        assert_eq!(
            status_of(&api, "limit", &value.to_string()).await,
            status,
            "{value}"
        );
    }
    // An empty text counts as none.
    let longest = parameter("q")["schema"]["maxLength"].as_u64().expect("one");
    for (length, status) in [(0, 200), (1, 200), (longest, 200), (longest + 1, 422)] {
        let text = "é".repeat(usize::try_from(length).expect("a length"));
        assert_eq!(status_of(&api, "q", &text).await, status, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_parameter_is_by_default_is_what_happens_without_it() {
    let api = Api::over_memory();
    let alice = api.user("alice");
    for title in ["b", "a", "c"] {
        alice.has_task(title).await;
    }
    let without = alice.get("/api/tasks").await;
    for name in ["limit", "sort"] {
        let default = &parameter(name)["schema"]["default"];
        let default = default
            .as_str()
            .map_or_else(|| default.to_string(), str::to_owned);
        let with = alice.get(&format!("/api/tasks?{name}={default}")).await;
        assert_eq!(with.body, without.body, "{name}");
        assert_eq!(
            with.header("x-page-limit"),
            without.header("x-page-limit"),
            "{name}"
        );
    }
}

/// Each field that the server reads, with values that the document calls good.
fn fields() -> Vec<(String, Vec<Value>)> {
    let properties = &description().document()["components"]["schemas"]["NewTask"]["properties"];
    let fields = properties.as_object().into_iter().flatten();
    fields
        .filter(|(_, schema)| schema["readOnly"] != true)
        .map(|(name, schema)| {
            let schema = description().resolve(schema);
            let good = ["examples", "enum"].map(|list| schema[list].as_array());
            (
                name.clone(),
                good.into_iter().flatten().flatten().cloned().collect(),
            )
        })
        .collect()
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![Just(254_usize), Just(255), Just(256), Just(10_000), Just(10_001)]
            .prop_map(|length| Value::from("\u{1F95B}".repeat(length))),
    ];
    prop_oneof![
        8 => text,
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(json!([])),
    ]
}

/// Fields, with values that are good more often than chance would give.
fn any_field() -> impl Strategy<Value = (String, Value)> {
    let field =
        select(fields()).prop_flat_map(|(name, good)| (Just(name), prop_oneof![select(good), any_value()]));
    prop_oneof![18 => field, 1 => ("[a-z]{1,8}", any_value())]
}

#[test]
fn a_new_task_is_accepted_if_the_document_allows_it_and_refused_if_not() {
    let schema = json!({ "$ref": "#/components/schemas/NewTask" });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let api = Api::over_memory();
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(256)
    });
    let outcome = runner.run(&vec(any_field(), 0..5), |fields| {
        let body: Value = fields.into_iter().collect();
        let complaints = description().complaints(&schema, &body);
        // The one rule that no schema can tell: Unicode's white space is not that of regular expressions.
        let is_blank = body["title"]
            .as_str()
            .is_some_and(|title| title.trim().is_empty());
        let wanted = if complaints.is_empty() && !is_blank {
            201
        } else {
            422
        };
        let answer = runtime.block_on(api.user("alice").post("/api/tasks", &body));
        prop_assert_eq!(answer.status.as_u16(), wanted, "{:?}: {:?}", complaints, answer);
        Ok(())
    });
    outcome.expect("a rule that holds for every body");
}
