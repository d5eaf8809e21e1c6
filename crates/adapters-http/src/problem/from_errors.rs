//! The problems that the errors of other modules become: which code each has, and what of it goes to the log.

use actix_web::http::header::{self, HeaderValue};
use domain::chain;
use domain::identity::AuthError;
use domain::storage::StorageError;
use domain::task::{GetError, InsertError, UpdateError};

use super::{Code, DB_ERROR, Incident, Problem};
use crate::problem::fields::FieldErrors;

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

impl From<GetError> for Problem {
    fn from(error: GetError) -> Self {
        match error {
            GetError::NotFound => Self::new(Code::TaskNotFound),
            GetError::Storage(error) => error.into(),
        }
    }
}

impl From<InsertError> for Problem {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused),
            // The server makes the ids: the client is not to blame, and the log is to know.
            InsertError::AlreadyExists => {
                Self::new(Code::InternalError).caused_by(DB_ERROR, StorageError::UNEXPECTED, chain(&error))
            }
            InsertError::Storage(error) => error.into(),
        }
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::NotFound => Self::new(Code::TaskNotFound),
            UpdateError::VersionMismatch { current } => {
                Self::new(Code::VersionMismatch).with_header(header::ETAG, crate::etag::of(current))
            }
            UpdateError::Storage(error) => error.into(),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let code = match error {
            StorageError::Busy => Code::PoolExhausted,
            StorageError::TimedOut(_) => Code::Timeout,
            StorageError::Unavailable(_) => Code::DatabaseUnavailable,
            StorageError::Refused(_) => Code::ValidationError,
            StorageError::Corrupt(_) | StorageError::Unexpected(_) => Code::InternalError,
        };
        Self::new(code).caused_by(DB_ERROR, error.class(), chain(&error))
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

#[cfg(test)]
mod tests {
    use domain::Cause;
    use domain::identity::{Refusal, RefusalReason};

    use super::*;
    use crate::context::RequestContext;

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
            StorageError::TimedOut(cause()).into(),
            StorageError::Unavailable(cause()).into(),
            StorageError::Refused(cause()).into(),
            StorageError::Corrupt(cause()).into(),
            StorageError::Unexpected(cause()).into(),
            InsertError::Storage(StorageError::Unexpected(cause())).into(),
            GetError::Storage(StorageError::Unexpected(cause())).into(),
            UpdateError::Storage(StorageError::Unexpected(cause())).into(),
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
    fn a_failure_of_the_storage_is_an_incident_of_its_class_and_a_refusal_is_none() {
        let failures: Vec<(Option<&str>, Problem)> = vec![
            (Some("pool_exhausted"), StorageError::Busy.into()),
            (Some("timeout"), StorageError::TimedOut(cause()).into()),
            (Some("connection"), StorageError::Unavailable(cause()).into()),
            (Some("refused"), StorageError::Refused(cause()).into()),
            (Some("corrupt"), StorageError::Corrupt(cause()).into()),
            (Some("unexpected"), StorageError::Unexpected(cause()).into()),
            (
                InsertError::AlreadyExists.class(),
                InsertError::AlreadyExists.into(),
            ),
            (None, InsertError::IdempotencyKeyReused.into()),
            (None, GetError::NotFound.into()),
            (None, UpdateError::NotFound.into()),
        ];
        for (class, problem) in failures {
            let counted = problem.incident().and_then(Incident::class_of_storage);
            assert_eq!(counted, class, "{problem}");
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
