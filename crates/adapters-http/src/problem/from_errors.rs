//! What becomes of the errors of the other rooms: which code each has, and what of it goes to the log.

use actix_web::http::header::{self, HeaderValue};
use domain::chain;
use domain::identity::AuthError;
use domain::task::{RepositoryError, TaskError, Version};

use super::{Code, Incident, Problem};
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
        match error.class() {
            Some(class) => answer.caused_by(DB_ERROR, class, chain(&error)),
            None => answer,
        }
    }
}

/// The event of a failure of the storage in the audit log.
pub(super) const DB_ERROR: &str = "db_error";

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
            let class = error.class().unwrap();
            assert!(RepositoryError::CLASSES.contains(&class), "{class}");
            assert!(Problem::from(error).incident.is_some(), "{class}");
        }
        assert_eq!(RepositoryError::NotFound.class(), None);
        assert!(Problem::from(RepositoryError::NotFound).incident.is_none());
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
