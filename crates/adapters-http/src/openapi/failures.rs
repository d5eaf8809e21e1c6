//! Responses with a problem document. The examples are rendered by the code that renders the real ones.

use domain::task::{PageLimit, Title};
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, Ref, Response, ResponseBuilder};

use super::headers;
use crate::problem::fields::{FieldErrors, Rule};
use crate::problem::{Code, Problem};
use crate::schema;
use crate::schema::REQUEST_ID;

/// A response with a problem document that operations have in common.
pub(super) struct ProblemResponse {
    name: &'static str,
    /// The codes that it may have; all of one status.
    codes: &'static [Code],
    headers: &'static [&'static str],
}

macro_rules! failures {
    ($($constant:ident = $name:literal [$($code:ident),+] [$($header:literal),*];)+) => {
        $(pub(super) const $constant: ProblemResponse = ProblemResponse {
            name: $name,
            codes: &[$(Code::$code),+],
            headers: &[$($header),*],
        };)+

        const ALL: &[ProblemResponse] = &[$($constant),+];
    };
}

failures! {
    BAD_REQUEST = "BadRequest" [HeaderInvalid] [];
    UNAUTHORIZED = "Unauthorized" [TokenMissing, TokenInvalid, TokenExpired] ["WWW-Authenticate"];
    TASK_NOT_FOUND = "TaskNotFound" [TaskNotFound] [];
    ROUTE_NOT_FOUND = "RouteNotFound" [RouteNotFound] [];
    REQUEST_TIMEOUT = "RequestTimeout" [RequestTimeout] [];
    PRECONDITION_FAILED = "PreconditionFailed" [VersionMismatch] ["ETag"];
    BODY_TOO_LARGE = "BodyTooLarge" [BodyTooLarge] [];
    UNSUPPORTED_MEDIA_TYPE = "UnsupportedMediaType" [UnsupportedMediaType] ["Accept"];
    UNSUPPORTED_PATCH_TYPE = "UnsupportedPatchType" [UnsupportedMediaType] ["Accept", "Accept-Patch"];
    INVALID_TASK = "InvalidTask" [ValidationError] [];
    INVALID_NEW_TASK = "InvalidNewTask" [ValidationError, IdempotencyKeyReused] [];
    INVALID_QUERY = "InvalidQuery" [ValidationError] [];
    INVALID_FILTER = "InvalidFilter" [ValidationError, FilterRequired] [];
    PRECONDITION_REQUIRED = "PreconditionRequired" [PreconditionRequired] [];
    TOO_MANY_REQUESTS = "TooManyRequests" [RateLimited] ["Retry-After", "RateLimit", "RateLimit-Policy"];
    INTERNAL_ERROR = "InternalError" [InternalError] [];
    UNAVAILABLE = "Unavailable" [PoolExhausted, Overloaded, DatabaseUnavailable, KeysUnavailable, Timeout] ["Retry-After"];
    KEYS_UNAVAILABLE = "KeysUnavailable" [KeysUnavailable, Overloaded, Timeout] ["Retry-After"];
    NOT_READY = "NotReady" [DatabaseUnavailable, PoolExhausted, Timeout, ShuttingDown] ["Retry-After"];
}

impl ProblemResponse {
    pub(super) fn status(&self) -> String {
        let status = self.codes.first().map(|code| code.status().as_str().to_owned());
        status.unwrap_or_default()
    }

    pub(super) fn reference(&self) -> Ref {
        Ref::from_response_name(self.name)
    }

    fn response(&self) -> Response {
        let lines: Vec<_> = self
            .codes
            .iter()
            .map(|code| format!("- `{}`: {}", code.as_str(), code.detail()))
            .collect();
        let examples = self.codes.iter().map(|code| {
            let example = ExampleBuilder::new().summary(code.title());
            (code.as_str(), example.value(Some(self.example(*code))))
        });
        let content = ContentBuilder::new()
            .schema(Some(schema::reference("Problem")))
            .examples_from_iter(examples);
        let response = ResponseBuilder::new()
            .description(lines.join("\n"))
            .header_ref("X-Request-Id", headers::reference("X-Request-Id"))
            .content("application/problem+json", content.build());
        let with_headers = self.headers.iter().fold(response, |response, name| {
            response.header_ref(*name, headers::reference(name))
        });
        with_headers.build()
    }

    /// The document that such a failure really sends.
    fn example(&self, code: Code) -> Value {
        let problem = match code {
            Code::ValidationError => self.field_errors().into(),
            Code::RateLimited => Problem::new(code).with_violated_policy("user"),
            code => Problem::new(code),
        };
        json!(problem.document(None, "/api/tasks", REQUEST_ID))
    }

    fn field_errors(&self) -> FieldErrors {
        let statuses = Rule::not_a_status();
        let mut errors = FieldErrors::default();
        match self.name {
            name if name == INVALID_QUERY.name => {
                errors.add_parameter("limit", &Rule::TooLarge { max: PageLimit::MAX });
                errors.add_parameter("sotr", &Rule::Extra);
            }
            name if name == INVALID_FILTER.name => errors.add_parameter("status", &statuses),
            _ => {
                let (max, actual) = (Title::MAX_CHARS, 300);
                errors.add_field("title", &Rule::TooLong { max, actual });
                errors.add_field("status", &statuses);
            }
        }
        errors
    }
}

pub(super) fn all() -> impl Iterator<Item = (&'static str, Response)> {
    ALL.iter().map(|failure| (failure.name, failure.response()))
}
