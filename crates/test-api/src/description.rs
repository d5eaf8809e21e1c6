//! The OpenAPI document as a judge: whatever the API answers to any test must be described there.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::answer::Answer;

/// What is served for people and not described.
const PAGES: [&str; 2] = ["docs", "redoc"];
/// What a request is told that the document does not describe; `header_invalid` and
/// `origin_not_allowed` are for preflights.
const CODES_OF_UNDESCRIBED_REQUESTS: [&str; 10] = [
    "header_invalid",
    "origin_not_allowed",
    "route_not_found",
    "method_not_allowed",
    "token_missing",
    "token_invalid",
    "token_expired",
    "rate_limited",
    "keys_unavailable",
    "internal_error",
];
/// Headers that belong to the exchange and not to an operation.
const HEADERS_OF_EVERY_EXCHANGE: [&str; 15] = [
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "server-timing",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "upgrade",
];

static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    let document = serde_json::from_str(adapters_http::openapi::json()).expect("JSON");
    Description {
        document,
        validators: Mutex::default(),
    }
});

/// The document, and its schemas as far as they were needed.
pub struct Description {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// A request that has everything that its operation requires.
pub struct GoodRequest<'a> {
    /// The method of the operation.
    pub method: Method,
    /// The path as the document has it.
    pub path: &'a str,
    /// The path and the query to ask for.
    pub target: String,
    /// The body to send, if the operation takes one.
    pub body: Option<&'a Value>,
    /// The description of the operation.
    pub operation: &'a Value,
}

impl GoodRequest<'_> {
    /// Whether the operation answers only users with a token.
    pub fn needs_token(&self) -> bool {
        self.operation["security"]
            .as_array()
            .is_some_and(|schemes| !schemes.is_empty())
    }
}

/// The examples of the body that an operation takes, by their names.
fn examples_of(operation: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let contents = operation["requestBody"]["content"].as_object();
    let content = contents.and_then(|contents| contents.values().next());
    let examples = content.and_then(|content| content["examples"].as_object());
    let examples = examples.into_iter().flatten();
    examples.map(|(name, example)| (name.as_str(), &example["value"]))
}

/// The one of this version.
#[must_use]
pub fn description() -> &'static Description {
    &DESCRIPTION
}

impl Description {
    /// The whole document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every operation: path, method in capitals, description.
    pub fn operations(&self) -> impl Iterator<Item = (&str, Method, &Value)> {
        let paths = self.document["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let members = item.as_object().expect("a path").iter();
            members
                .filter(|(name, _)| *name != "parameters")
                .map(|(method, operation)| {
                    let method = Method::from_bytes(method.to_uppercase().as_bytes());
                    (path.as_str(), method.expect("a method"), operation)
                })
        })
    }

    /// A good request of every operation, made of what the document requires. `id` is the id of whatever its path
    /// names.
    pub fn good_requests(&self, id: &str) -> Vec<GoodRequest<'_>> {
        let operations = self.operations();
        operations
            .map(|(path, method, operation)| GoodRequest {
                method,
                path,
                target: self.target(path, operation, id),
                body: examples_of(operation).map(|(_, body)| body).next(),
                operation,
            })
            .collect()
    }

    /// The path with a value for every parameter, and the query with those that are required.
    fn target(&self, path: &str, operation: &Value, id: &str) -> String {
        let mut target = path.to_owned();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.map(|parameter| self.resolve(parameter)) {
            let name = parameter["name"].as_str().expect("a name");
            let schema = &parameter["schema"];
            let single = self.resolve(schema.get("items").unwrap_or(schema));
            let listed = single["enum"][0].as_str();
            if parameter["in"] == "path" {
                target = target.replace(&format!("{{{name}}}"), listed.unwrap_or(id));
            } else if parameter["in"] == "query" && parameter["required"] == true {
                let separator = if target.contains('?') { '&' } else { '?' };
                let value = listed.expect("a required parameter is one of a list");
                target = format!("{target}{separator}{name}={value}");
            }
        }
        assert!(
            !target.contains('{'),
            "{target} has a parameter that is not described"
        );
        target
    }

    /// An example of the body of an operation, both by their names.
    pub fn example(&self, operation: &str, name: &str) -> Value {
        let mut operations = self.operations();
        let (.., operation) = operations
            .find(|(.., other)| other["operationId"] == operation)
            .unwrap_or_else(|| panic!("there is no {operation}"));
        let mut examples = examples_of(operation);
        let example = examples.find(|(other, _)| *other == name);
        let (_, example) = example.unwrap_or_else(|| panic!("there is no example {name}"));
        example.clone()
    }

    /// What a reference leads to, or the value itself.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference
                    .strip_prefix('#')
                    .expect("a reference into the document");
                let target = self.document.pointer(pointer);
                target.unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => value,
        }
    }

    /// What is wrong with a value, in the eyes of a schema of the document.
    pub fn complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        let complaints = validator.iter_errors(value);
        complaints
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("the validators");
        let validator = validators.entry(schema.to_string()).or_insert_with(|| {
            // References of a schema start at the root of the document.
            let mut root = schema.clone();
            root["components"] = self.document["components"].clone();
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&root).expect("a schema"))
        });
        Arc::clone(validator)
    }

    /// Panics unless the document describes this answer to that request.
    pub(crate) fn expects(&self, method: &Method, path: &str, answer: &Answer) {
        let what = format!("{method} {path}: {answer:?}");
        let path = normalized(path);
        if path.split('/').nth(1).is_some_and(|first| PAGES.contains(&first)) {
            return;
        }
        match self.operation(method, &path) {
            Some(operation) => self.expects_of(operation, method, answer, &what),
            None if *method == Method::OPTIONS && answer.status.is_success() => {
                assert_eq!(answer.body, "", "{what}");
            }
            None => self.expects_refusal(answer, &what),
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let described = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let matches = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            let is_alike = |(wanted, given): (&str, &str)| wanted == given || wanted.starts_with('{');
            wanted.clone().count() == given.clone().count()
                && wanted.by_ref().zip(given.by_ref()).all(is_alike)
        };
        // Paths without parameters come first (OpenAPI 3.1, 4.8.8).
        let mut operations: Vec<_> = self.operations().filter(|(path, ..)| matches(path)).collect();
        operations.sort_by_key(|(path, ..)| path.contains('{'));
        let (first, ..) = operations.first()?;
        let mut operations = operations.iter().filter(|(path, ..)| path == first);
        operations.find_map(|(_, method, operation)| (method == described).then_some(*operation))
    }

    fn expects_of(&self, operation: &Value, method: &Method, answer: &Answer, what: &str) {
        let response = &operation["responses"][answer.status.as_str()];
        assert!(
            response.is_object(),
            "the document does not know this status: {what}"
        );
        let response = self.resolve(response);
        self.expects_headers(&response["headers"], &answer.headers, what);
        let Some(contents) = response["content"].as_object() else {
            assert_eq!(answer.body, "", "the document does not know a body: {what}");
            return;
        };
        let media_type = answer
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default();
        let content = contents.get(media_type);
        let content = content.unwrap_or_else(|| panic!("the document does not know this media type: {what}"));
        let is_readable = answer.header("content-encoding").is_empty();
        if *method == Method::HEAD || !media_type.ends_with("json") || !is_readable {
            return;
        }
        let body = answer.json();
        assert_eq!(self.complaints(&content["schema"], &body), [""; 0], "{what}");
        if media_type == "application/problem+json" {
            // The examples are named after the codes that may be meant.
            let code = body["code"].as_str().expect("a code");
            assert!(
                content["examples"][code].is_object(),
                "the document does not know this code: {what}"
            );
        }
    }

    fn expects_headers(&self, described: &Value, headers: &HeaderMap, what: &str) {
        let described: HashMap<String, &Value> = described
            .as_object()
            .expect("headers")
            .iter()
            .map(|(name, header)| (name.to_lowercase(), self.resolve(header)))
            .collect();
        for (name, header) in &described {
            let is_there = headers.contains_key(name);
            assert!(
                is_there || header["required"] != true,
                "{name} is missing: {what}"
            );
        }
        for (name, value) in headers {
            if HEADERS_OF_EVERY_EXCHANGE.contains(&name.as_str()) {
                continue;
            }
            let header = described.get(name.as_str());
            let header = header.unwrap_or_else(|| panic!("the document does not know {name}: {what}"));
            let text = value.to_str().expect("text");
            let value = match header["schema"]["type"].as_str() {
                Some("integer") => text.parse::<u64>().map_or(Value::Null, Value::from),
                _ => Value::from(text),
            };
            assert_eq!(
                self.complaints(&header["schema"], &value),
                [""; 0],
                "{name}: {what}"
            );
        }
    }

    /// The answer to a request that nothing here describes.
    fn expects_refusal(&self, answer: &Answer, what: &str) {
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{what}"
        );
        // A HEAD has no body to look at.
        if answer.body.is_empty() {
            return;
        }
        let problem = &self.document["components"]["schemas"]["Problem"];
        let body = answer.json();
        assert_eq!(self.complaints(problem, &body), [""; 0], "{what}");
        let code = body["code"].as_str().expect("a code");
        assert!(
            CODES_OF_UNDESCRIBED_REQUESTS.contains(&code),
            "the document does not know this request: {what}"
        );
    }
}

/// What the parser refuses before there is a request has neither a body nor any of our headers.
pub(crate) fn is_refusal_of_the_parser(answer: &Answer) -> bool {
    let is_its_status = [400, 408, 431].contains(&answer.status.as_u16());
    is_its_status && answer.body.is_empty() && answer.header("x-request-id").is_empty()
}

/// A slash at the end and doubled slashes make no difference.
fn normalized(path: &str) -> String {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    format!("/{}", segments.join("/"))
}
