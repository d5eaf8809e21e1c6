//! The operations, each with everything that it takes and returns; called like their handlers.

pub(super) mod about;
pub(super) mod docs;
pub(super) mod health;
pub(super) mod tasks;

use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ContentBuilder, RefOr, ResponseBuilder, Schema};

use super::failures::{INTERNAL_ERROR, ProblemResponse, TOO_MANY_REQUESTS, UNAUTHORIZED};
use super::{headers, parameters};
use crate::schema;

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";
/// The tags.
pub(super) const TASKS: &str = "tasks";
pub(super) const USER: &str = "user";
pub(super) const SERVICE: &str = "service";

const JSON: &str = "application/json";

/// An operation that needs a token.
fn of_user(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    operation(tag, id, summary, description)
        .security(SecurityRequirement::new(BEARER, Vec::<String>::new()))
        .fails_with(&[UNAUTHORIZED, TOO_MANY_REQUESTS])
}

/// An operation that needs none.
fn of_any_client(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    operation(tag, id, summary, description).securities(Some([]))
}

fn operation(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(id))
        .summary(Some(summary))
        .description(Some(description))
        .fails_with(&[INTERNAL_ERROR])
}

/// The parts that an operation has in common with others: it is referred to by name.
trait Referring {
    fn takes(self, parameters: &[&str]) -> Self;
    fn fails_with(self, failures: &[ProblemResponse]) -> Self;
}

impl Referring for OperationBuilder {
    fn takes(self, parameters: &[&str]) -> Self {
        parameters.iter().fold(self, |operation, name| {
            operation.parameter_ref(parameters::reference(name))
        })
    }

    fn fails_with(self, failures: &[ProblemResponse]) -> Self {
        failures.iter().fold(self, |operation, failure| {
            operation.response(failure.status(), failure.reference())
        })
    }
}

/// A success, with these headers besides those of every response.
fn answer(description: &str, headers: &[&str]) -> ResponseBuilder {
    let answer = ResponseBuilder::new().description(description);
    ["X-Request-Id"]
        .iter()
        .chain(headers)
        .fold(answer, |answer, name| {
            answer.header_ref(*name, headers::reference(name))
        })
}

/// A success that counts for the user's rate limit.
fn answer_to_user(description: &str, headers: &[&str]) -> ResponseBuilder {
    let rate_limit = ["RateLimit", "RateLimit-Policy"];
    answer(description, &[headers, &rate_limit].concat())
}

/// An example: its name, a summary and the value.
type Example<'a> = (&'a str, &'a str, Value);

trait JsonBody {
    /// A body of this component, with an example of it.
    fn json(self, component: &str, example: Example<'_>) -> Self;
}

impl JsonBody for ResponseBuilder {
    fn json(self, component: &str, example: Example<'_>) -> Self {
        self.content(JSON, content(schema::reference(component), [example]))
    }
}

fn content<const N: usize>(schema: impl Into<RefOr<Schema>>, examples: [Example<'_>; N]) -> Content {
    let examples = examples
        .map(|(name, summary, value)| (name, ExampleBuilder::new().summary(summary).value(Some(value))));
    ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter(examples)
        .build()
}
