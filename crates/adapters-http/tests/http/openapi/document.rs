//! The document in itself.

use std::collections::BTreeSet;

use adapters_http::openapi;
use serde_json::Value;

use test_api::description;

const JSON: [&str; 3] = [
    "application/json",
    "application/merge-patch+json",
    "application/problem+json",
];

#[test]
fn the_committed_document_is_the_one_of_this_code() {
    let committed = include_str!("../../../../../docs/openapi.json");
    // Not `assert_eq`, which would print both.
    assert!(
        committed.trim_end() == openapi::json(),
        "docs/openapi.json is out of date; write it again: cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn it_is_openapi_3_1_with_a_title_the_version_of_the_package_and_a_license() {
    let document = description().document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Task API");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        document["info"]["license"]["identifier"],
        env!("CARGO_PKG_LICENSE")
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_words_for_people_and_a_tag() {
    let tags = description().document()["tags"].as_array().expect("tags");
    let mut names = BTreeSet::new();
    for (path, method, operation) in description().operations() {
        let what = format!("{method} {path}");
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{what} is not the only {name}");
        for words in ["summary", "description"] {
            assert!(
                operation[words].as_str().is_some_and(|text| !text.is_empty()),
                "{what}: {words}"
            );
        }
        assert!(
            tags.iter().any(|tag| tag["name"] == operation["tags"][0]),
            "{what}"
        );
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = description().document();
    let mut references = BTreeSet::new();
    collect_references(document, &mut references);
    for reference in &references {
        let pointer = reference
            .strip_prefix('#')
            .expect("a reference into the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (kind, components) in document["components"].as_object().expect("components") {
        // Security is referred to by its name.
        if kind == "securitySchemes" {
            continue;
        }
        for name in components.as_object().expect("a map").keys() {
            assert!(
                references.contains(&format!("#/components/{kind}/{name}")),
                "{kind}/{name}"
            );
        }
    }
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(value["$ref"].as_str().map(str::to_owned));
            fields
                .values()
                .for_each(|field| collect_references(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[test]
fn every_body_has_examples_and_all_of_them_are_true_to_its_schema() {
    for (path, method, operation) in description().operations() {
        let answers = operation["responses"].as_object().expect("answers").values();
        for body in answers.chain(operation.get("requestBody")) {
            let contents = description().resolve(body)["content"].as_object();
            let contents = contents.into_iter().flatten();
            for (_, content) in contents.filter(|(media_type, _)| JSON.contains(&media_type.as_str())) {
                let examples = content["examples"].as_object().expect("examples");
                assert!(!examples.is_empty(), "{method} {path}");
                for (name, example) in examples {
                    let complaints = description().complaints(&content["schema"], &example["value"]);
                    assert!(complaints.is_empty(), "{method} {path}, {name}: {complaints:?}");
                }
            }
        }
    }
}

#[test]
fn a_task_may_be_sent_back_with_every_field_that_it_came_with() {
    let schemas = &description().document()["components"]["schemas"];
    let fields = |name: &str| {
        let fields = schemas[name]["properties"].as_object().expect("fields");
        fields.keys().collect::<BTreeSet<_>>()
    };
    for request in ["NewTask", "TaskUpdate", "TaskPatch"] {
        assert_eq!(fields(request), fields("Task"), "{request}");
    }
}

#[test]
fn every_header_and_every_schema_has_examples_that_are_true_to_it() {
    let components = &description().document()["components"];
    for (name, header) in components["headers"].as_object().expect("headers") {
        let complaints = description().complaints(&header["schema"], &header["example"]);
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
    }
    for (name, schema) in components["schemas"].as_object().expect("schemas") {
        let fields = schema["properties"].as_object().into_iter().flatten();
        for (field, schema) in fields {
            for example in schema["examples"].as_array().into_iter().flatten() {
                let complaints = description().complaints(schema, example);
                assert!(complaints.is_empty(), "{name}.{field}: {complaints:?}");
            }
        }
    }
}

#[test]
fn a_caller_who_needs_a_token_is_told_so() {
    for (path, method, operation) in description().operations() {
        let needs_token = path.starts_with("/api/") && path != "/api/health";
        let security = operation["security"].as_array().expect("a list");
        assert_eq!(!security.is_empty(), needs_token, "{method} {path}");
        assert_eq!(
            operation["responses"]["401"].is_object(),
            needs_token,
            "{method} {path}"
        );
    }
}

/// A task that was read may be sent back, so both have the same fields.
#[test]
fn a_task_to_create_has_the_fields_of_a_task() {
    let fields = |schema: &str| {
        let schema = &description().document()["components"]["schemas"][schema];
        let fields = schema["properties"].as_object().expect("fields");
        fields.keys().cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(fields("NewTask"), fields("Task"));
}
