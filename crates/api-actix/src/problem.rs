//! Every error as a problem document (RFC 9457): the one place that gives errors their status.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use domain::identity::AuthError;
use domain::task::{RepositoryError, TaskError, Version};
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::chain;
use crate::fields::{FieldError, FieldErrors};
use crate::openapi::schemas;
use crate::request_context::RequestContext;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident: $status:ident, $code:literal, $title:literal, $detail:literal;)+) => {
        /// What went wrong, as a code that never changes its name or its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $variant,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it stands in the document.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status of every answer with this code.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What the code means, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What to say when there is nothing more exact to say.
            #[must_use]
            pub fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }
        }
    };
}

codes! {
    /// A header has no readable value.
    HeaderInvalid: BAD_REQUEST, "header_invalid", "A header or the framing of the request cannot be read",
        "The request cannot be read.";
    /// No bearer token.
    TokenMissing: UNAUTHORIZED, "token_missing", "Authentication is required",
        "Send a token in the header Authorization: Bearer.";
    /// A bearer token that proves nothing.
    TokenInvalid: UNAUTHORIZED, "token_invalid", "The token is not valid", "The token is not valid.";
    /// A bearer token that was good once.
    TokenExpired: UNAUTHORIZED, "token_expired", "The token has expired", "The token has expired.";
    /// The caller has no such task; the same for a task of somebody else.
    TaskNotFound: NOT_FOUND, "task_not_found", "There is no such task", "You have no task with this id.";
    /// Nothing lives at this path.
    RouteNotFound: NOT_FOUND, "route_not_found", "There is no such path", "Nothing lives at this path.";
    /// Something lives at this path, but it does not take this method.
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed here",
        "This path does not take this method; the header Allow lists those that it takes.";
    /// The body took too long to arrive.
    RequestTimeout: REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive",
        "The body did not arrive within 10 seconds.";
    /// The task is at another version.
    VersionMismatch: PRECONDITION_FAILED, "version_mismatch", "The task was changed meanwhile",
        "The task is at another version; the header ETag names it.";
    /// The body is longer than we read.
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large",
        "The body is larger than 256 KiB.";
    /// The body is of a type that we do not read.
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The media type is not supported",
        "Send the body as application/json, in UTF-8, without a content coding.";
    /// The data breaks rules; `errors` lists them.
    ValidationError: UNPROCESSABLE_ENTITY, "validation_error", "The request is not valid",
        "The request is not valid.";
    /// The key stands for another creation.
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency_key_reused",
        "The idempotency key was used for another request",
        "This Idempotency-Key was used to create another task; use a new key.";
    /// A deletion of many tasks without saying which.
    FilterRequired: UNPROCESSABLE_ENTITY, "filter_required", "A filter is required",
        "Deleting many tasks needs the parameter status; nothing was deleted.";
    /// The server insists on `If-Match`.
    PreconditionRequired: PRECONDITION_REQUIRED, "precondition_required", "A precondition is required",
        "Send the ETag of the task that you have read in the header If-Match.";
    /// Too many requests of one client.
    RateLimited: TOO_MANY_REQUESTS, "rate_limited", "Too many requests",
        "Too many requests. Try again after the seconds of the header Retry-After.";
    /// A fault of ours.
    InternalError: INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong on our side",
        "Something went wrong on our side. The request id leads to the cause.";
    /// Too many callers at once.
    PoolExhausted: SERVICE_UNAVAILABLE, "pool_exhausted", "The service is busy",
        "Too many requests are waiting for the database. Try again shortly.";
    /// The database is away.
    DatabaseUnavailable: SERVICE_UNAVAILABLE, "database_unavailable", "The database is not available",
        "The database cannot be reached. Try again shortly.";
    /// The keys that verify tokens are away.
    KeysUnavailable: SERVICE_UNAVAILABLE, "keys_unavailable", "Tokens cannot be verified",
        "The keys that verify tokens cannot be reached. Try again shortly.";
    /// It took too long on our side.
    Timeout: SERVICE_UNAVAILABLE, "timeout", "The request took too long",
        "The request took too long. Try again shortly.";
    /// The server is stopping.
    ShuttingDown: SERVICE_UNAVAILABLE, "shutting_down", "The service is stopping",
        "This server is stopping. Try again: another one will answer.";
}

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

/// What the audit log says about it.
#[derive(Debug)]
enum Incident {
    /// A failure on our side.
    Failure {
        event: &'static str,
        class: &'static str,
        cause: String,
    },
    /// A body that named another user as the owner of a task.
    OwnerMismatch,
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
    pub fn with_detail(self, detail: &'static str) -> Self {
        Self {
            detail: Some(detail.to_owned()),
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

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Ends the connection after the answer: the rest of the request is not worth reading.
    #[must_use]
    pub fn closing_connection(mut self) -> Self {
        self.closes_connection = true;
        self
    }

    /// The answer to a request whose handling panicked.
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

    /// What went wrong.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The whole answer; the cause of a failure on our side goes to the log under the same request id.
    #[must_use]
    pub fn render(&self, request: &RequestContext) -> HttpResponse {
        self.log(request);
        let mut answer = HttpResponse::build(self.code.status());
        answer.extensions_mut().insert(self.code);
        for header in &self.headers {
            answer.append_header(header.clone());
        }
        if self.closes_connection {
            answer.force_close();
        }
        // A document of strings and numbers cannot fail to become JSON.
        let body = serde_json::to_vec(&self.document(request.path(), request.id())).unwrap_or_default();
        answer.content_type("application/problem+json").body(body)
    }

    /// What the client reads.
    pub(crate) fn document<'a>(&'a self, instance: &'a str, request_id: &'a str) -> Document<'a> {
        Document {
            r#type: format!("/problems/{}", self.code.as_str().replace('_', "-")),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref().unwrap_or_else(|| self.code.detail()),
            instance,
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
            violated_policies: self.violated_policy.as_slice(),
        }
    }

    fn log(&self, request: &RequestContext) {
        let (request_id, trace_id) = (request.id(), request.trace_id());
        let (method, path) = (request.method(), request.path());
        match self.incident.as_deref() {
            None => {}
            Some(Incident::Failure { event, class, cause }) => {
                tracing::error!(target: "audit", event, class, cause, request_id, trace_id, %method, path);
                let metrics = request
                    .observers()
                    .and_then(|observers| observers.metrics.as_ref());
                if *event == DB_ERROR
                    && let Some(metrics) = metrics
                {
                    metrics.database_failed(class);
                }
            }
            Some(Incident::OwnerMismatch) => {
                tracing::warn!(target: "audit", event = "owner_mismatch", request_id, trace_id, %method, path);
            }
        }
    }
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    #[schema(schema_with = schemas::problem_type)]
    r#type: String,
    /// What the code means, in a few words.
    title: &'static str,
    #[schema(schema_with = schemas::problem_status)]
    status: u16,
    /// What went wrong, for people.
    detail: &'a str,
    /// The path of the request as it was sent, without its query.
    instance: &'a str,
    #[schema(schema_with = schemas::problem_code)]
    code: &'static str,
    #[schema(schema_with = schemas::request_id)]
    request_id: &'a str,
    /// With the code `validation_error`: what is wrong with each member or parameter, in the order of the request.
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

impl From<FieldErrors> for Problem {
    fn from(errors: FieldErrors) -> Self {
        Self {
            detail: Some(errors.summary()),
            incident: errors
                .has_owner_mismatch()
                .then(|| Box::new(Incident::OwnerMismatch)),
            errors: errors.into_vec(),
            ..Self::new(Code::ValidationError)
        }
    }
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::NotFound => Self::new(Code::TaskNotFound),
            TaskError::VersionMismatch { current } => version_mismatch(current),
            TaskError::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused),
            TaskError::Storage(error) => error.into(),
        }
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        let answer = match &error {
            RepositoryError::NotFound => Self::new(Code::TaskNotFound),
            RepositoryError::VersionMismatch { current } => version_mismatch(*current),
            RepositoryError::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused),
            RepositoryError::Busy => Self::new(Code::PoolExhausted),
            RepositoryError::TimedOut(_) => Self::new(Code::Timeout),
            RepositoryError::Unavailable(_) => Self::new(Code::DatabaseUnavailable),
            RepositoryError::Refused(_) => Self::new(Code::ValidationError),
            RepositoryError::Corrupt(_) | RepositoryError::AlreadyExists | RepositoryError::Unexpected(_) => {
                Self::new(Code::InternalError)
            }
        };
        match class_of_failure(&error) {
            Some(class) => answer.caused_by(DB_ERROR, class, chain(&error)),
            None => answer,
        }
    }
}

/// The event of a failure of the storage in the audit log.
const DB_ERROR: &str = "db_error";

/// Every class of failures of the storage.
pub(crate) const FAILURE_CLASSES: [&str; 6] = [
    "pool_exhausted",
    "timeout",
    "connection",
    "refused",
    "corrupt",
    "unexpected",
];

/// The class of a failure of the storage, for logs and figures; `None` for what it answers in good order.
pub(crate) fn class_of_failure(error: &RepositoryError) -> Option<&'static str> {
    match error {
        RepositoryError::NotFound
        | RepositoryError::VersionMismatch { .. }
        | RepositoryError::IdempotencyKeyReused => None,
        RepositoryError::Busy => Some("pool_exhausted"),
        RepositoryError::TimedOut(_) => Some("timeout"),
        RepositoryError::Unavailable(_) => Some("connection"),
        RepositoryError::Refused(_) => Some("refused"),
        RepositoryError::Corrupt(_) => Some("corrupt"),
        RepositoryError::AlreadyExists | RepositoryError::Unexpected(_) => Some("unexpected"),
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(_) => unauthorized(Code::TokenInvalid),
            AuthError::Expired(_) => unauthorized(Code::TokenExpired),
            AuthError::KeysUnavailable(_) => {
                Self::new(Code::KeysUnavailable).caused_by("keys_unavailable", "keys", chain(&error))
            }
        }
    }
}

/// A 401 with the challenge of RFC 6750, section 3. Only a request that brought a token is told what was wrong.
pub(crate) fn unauthorized(code: Code) -> Problem {
    let challenge = match code {
        Code::TokenExpired => {
            r#"Bearer realm="tasks", error="invalid_token", error_description="The token has expired""#
        }
        Code::TokenInvalid => {
            r#"Bearer realm="tasks", error="invalid_token", error_description="The token is not valid""#
        }
        _ => r#"Bearer realm="tasks""#,
    };
    Problem::new(code).with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn version_mismatch(current: Version) -> Problem {
    Problem::new(Code::VersionMismatch).with_header(header::ETAG, crate::etag::of(current))
}

#[cfg(test)]
mod tests {
    use domain::Cause;
    use domain::identity::{Refusal, RefusalReason};

    use super::*;

    const SECRET: &str = "postgresql://user:hunter2@db";

    fn cause() -> Cause {
        SECRET.into()
    }

    fn body_of(problem: &Problem) -> String {
        let answer = problem.render(&RequestContext::for_tests("/api/tasks"));
        let body = answer.into_body();
        let bytes = actix_web::body::MessageBody::try_into_bytes(body).expect("a body in memory");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn no_error_shows_its_cause_to_the_client_and_every_failure_keeps_it_for_the_log() {
        let problems: Vec<Problem> = vec![
            RepositoryError::TimedOut(cause()).into(),
            RepositoryError::Unavailable(cause()).into(),
            RepositoryError::Refused(cause()).into(),
            RepositoryError::Corrupt(cause()).into(),
            RepositoryError::Unexpected(cause()).into(),
            TaskError::Storage(RepositoryError::Unexpected(cause())).into(),
            AuthError::KeysUnavailable(cause()).into(),
            Problem::of_panic(SECRET.to_owned()),
        ];
        for problem in problems {
            assert!(!body_of(&problem).contains("hunter2"), "{problem}");
            let Some(Incident::Failure { cause, .. }) = problem.incident.as_deref() else {
                panic!("{problem}")
            };
            assert!(cause.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn every_failure_of_the_storage_has_a_class_and_nothing_else_has_one() {
        let failures = [
            RepositoryError::Busy,
            RepositoryError::TimedOut(cause()),
            RepositoryError::Unavailable(cause()),
            RepositoryError::Refused(cause()),
            RepositoryError::Corrupt(cause()),
            RepositoryError::AlreadyExists,
            RepositoryError::Unexpected(cause()),
        ];
        for error in failures {
            let class = class_of_failure(&error).unwrap();
            assert!(FAILURE_CLASSES.contains(&class), "{class}");
            assert!(Problem::from(error).incident.is_some(), "{class}");
        }
        assert_eq!(class_of_failure(&RepositoryError::NotFound), None);
        assert!(Problem::from(RepositoryError::NotFound).incident.is_none());
    }

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert_eq!(
                Code::ALL
                    .iter()
                    .filter(|other| other.as_str() == code.as_str())
                    .count(),
                1
            );
        }
    }

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

    #[test]
    fn every_401_carries_a_challenge() {
        for error in [
            AuthError::Invalid(Refusal::new(RefusalReason::BadSignature)),
            AuthError::Expired(Refusal::new(RefusalReason::Expired)),
        ] {
            let answer = Problem::from(error).render(&RequestContext::for_tests("/"));
            let challenge = answer
                .headers()
                .get(header::WWW_AUTHENTICATE)
                .unwrap()
                .to_str()
                .unwrap();
            assert!(
                challenge.starts_with("Bearer realm=\"tasks\", error=\"invalid_token\""),
                "{challenge}"
            );
        }
    }
}
