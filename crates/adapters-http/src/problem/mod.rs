//! Every error as a problem document (RFC 9457): the one place that gives errors their status.
//!
//! | Module | Contents |
//! |---|---|
//! | here | the problem, its document and what of it goes to the log |
//! | `code` | every code with its status |
//! | `from_errors` | which error has which code |

mod code;
pub(crate) mod common_headers;
pub(crate) mod fields;
pub(crate) mod from_errors;

use std::borrow::Cow;
use std::fmt;

use actix_web::body::EitherBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::context::base_path::BasePath;
use crate::problem::fields::FieldError;
use crate::schema;

pub use code::Code;

/// An error on its way to the client. Whatever the client must not see stays in the incident, which goes to the log.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    violated_policy: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    closes_connection: bool,
    // Boxed: it is rare, and problems travel through many results.
    incident: Option<Box<Incident>>,
}

/// The event of a failure of the storage in the audit log.
const DB_ERROR: &str = "db_error";

/// Its entry in the audit log.
#[derive(Debug)]
pub(crate) enum Incident {
    /// A failure on our side.
    Failure {
        event: &'static str,
        class: &'static str,
        cause: String,
    },
    /// A body that named another user as the owner of a task.
    OwnerMismatch,
    /// A preflight of this origin, which is not allowed.
    RefusedOrigin(String),
}

impl Problem {
    /// A problem with the words of its code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        let mut headers = Vec::new();
        if code.status() == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = if code == Code::KeysUnavailable { "5" } else { "1" };
            headers.push((header::RETRY_AFTER, HeaderValue::from_static(seconds)));
        }
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            violated_policy: None,
            headers,
            closes_connection: false,
            incident: None,
        }
    }

    /// Says it more exactly than the code does. For the client: no values, no internals.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Names the rate limit that was exceeded.
    #[must_use]
    pub fn with_violated_policy(self, name: &'static str) -> Self {
        Self {
            violated_policy: Some(name),
            ..self
        }
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Ends the connection after the response: the rest of the request is not worth reading.
    #[must_use]
    pub fn closing_connection(mut self) -> Self {
        self.closes_connection = true;
        self
    }

    /// The response to a request whose handling panicked.
    #[must_use]
    pub fn of_panic(message: String) -> Self {
        Self::new(Code::InternalError).caused_by("panic", "panic", message)
    }

    fn caused_by(self, event: &'static str, class: &'static str, cause: String) -> Self {
        Self {
            incident: Some(Box::new(Incident::Failure { event, class, cause })),
            ..self
        }
    }

    /// A line about this origin goes to the audit log.
    pub(crate) fn of_refused_origin(self, origin: String) -> Self {
        Self {
            incident: Some(Box::new(Incident::RefusedOrigin(origin))),
            ..self
        }
    }

    /// The code of the problem.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The entry for the audit log.
    pub(crate) fn incident(&self) -> Option<&Incident> {
        self.incident.as_deref()
    }

    /// The whole response. Says nothing of the incident.
    #[must_use]
    pub fn render(&self, request: &RequestContext) -> HttpResponse {
        let mut answer = HttpResponse::build(self.code.status());
        answer.extensions_mut().insert(self.code);
        for header in &self.headers {
            answer.append_header(header.clone());
        }
        if self.closes_connection {
            answer.force_close();
        }
        // A document of strings and numbers cannot fail to become JSON.
        let body = serde_json::to_vec(&self.document(request.base_path(), request.path(), request.id()))
            .unwrap_or_default();
        answer.content_type("application/problem+json").body(body)
    }

    /// The document for the client.
    pub(crate) fn document<'a>(
        &'a self,
        base_path: Option<&BasePath>,
        path: &'a str,
        request_id: &'a str,
    ) -> Document<'a> {
        Document {
            r#type: BasePath::before(base_path, &format!("/problems/{}", self.code.slug())).into_owned(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref().unwrap_or_else(|| self.code.detail()),
            instance: BasePath::before(base_path, path),
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
            violated_policies: self.violated_policy.as_slice(),
        }
    }
}

impl Incident {
    /// A line in the audit log, under the id that the client has.
    pub(crate) fn log(&self, request: &RequestContext) {
        let (request_id, trace_id) = (request.id(), request.trace_id());
        let (method, path) = (request.method(), request.path());
        match self {
            Self::Failure { event, class, cause } => {
                // A readable line is cut at its end, and the cause and the path may be long.
                tracing::error!(target: "audit", event, class, request_id, trace_id, cause, %method, path);
            }
            Self::OwnerMismatch => {
                tracing::warn!(target: "audit", event = "owner_mismatch", request_id, trace_id, %method, path);
            }
            Self::RefusedOrigin(origin) => {
                let event = "origin_not_allowed";
                tracing::warn!(target: "audit", event, origin, request_id, trace_id, %method, path);
            }
        }
    }

    /// The class, if it is a failure of the storage.
    pub(crate) fn class_of_storage(&self) -> Option<&'static str> {
        match self {
            Self::Failure { event, class, .. } if *event == DB_ERROR => Some(class),
            Self::Failure { .. } | Self::OwnerMismatch | Self::RefusedOrigin(_) => None,
        }
    }
}

/// The response of a middleware that lets a request go no further.
pub(crate) fn refused<B>(request: ServiceRequest, problem: Problem) -> ServiceResponse<EitherBody<B>> {
    // Not `into_response`: that forgets the problem, and the edge could not render it.
    let (request, _) = request.into_parts();
    ServiceResponse::new(request, HttpResponse::from_error(problem)).map_into_right_body()
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    #[schema(schema_with = schema::problem_type)]
    r#type: String,
    /// The meaning of the code, in a few words.
    title: &'static str,
    #[schema(schema_with = schema::problem_status)]
    status: u16,
    /// The reason, for people.
    detail: &'a str,
    /// The path of the request as clients send it, without its query.
    instance: Cow<'a, str>,
    #[schema(schema_with = schema::problem_code)]
    code: &'static str,
    #[schema(schema_with = schema::request_id)]
    request_id: &'a str,
    /// With the code `validation_error`: the errors of each field or parameter, in the order of the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// With the code `rate_limited`: which limits were exceeded.
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    violated_policies: &'a [&'static str],
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

/// The bare status: the edge renders the document, because only it knows the request.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.code.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_503_says_when_to_come_back() {
        for code in Code::ALL
            .iter()
            .filter(|code| code.status() == StatusCode::SERVICE_UNAVAILABLE)
        {
            let problem = Problem::new(*code);
            assert!(
                problem
                    .headers
                    .iter()
                    .any(|(name, _)| name == header::RETRY_AFTER),
                "{code:?}"
            );
        }
    }
}
