//! One line for requests, on the target `access`. It never holds a query string, a body, a token or a user, and a
//! path only for developers.

use std::str::FromStr;

use actix_web::http::StatusCode;
use thiserror::Error;

use super::{Outcome, milliseconds};
use crate::context::RequestContext;

/// Which requests are logged.
#[derive(Debug, Clone, Copy, Default)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that failed on our side (5xx).
    #[default]
    Errors,
    /// All.
    All,
    /// All, with their paths: for the developer whose requests they are.
    Paths,
}

/// A text that does not say which requests to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be off, errors or all")]
pub struct InvalidAccessLog;

impl FromStr for AccessLog {
    type Err = InvalidAccessLog;

    fn from_str(text: &str) -> Result<Self, InvalidAccessLog> {
        match text {
            "off" => Ok(Self::Off),
            "errors" => Ok(Self::Errors),
            "all" => Ok(Self::All),
            _ => Err(InvalidAccessLog),
        }
    }
}

impl AccessLog {
    /// Whether a request with this outcome is logged.
    pub(crate) fn wants(self, status: StatusCode) -> bool {
        match self {
            Self::Off => false,
            Self::All | Self::Paths => true,
            Self::Errors => status.is_server_error(),
        }
    }
}

pub(crate) fn log(wanted: AccessLog, outcome: &Outcome, context: &RequestContext) {
    let Outcome { method, status, .. } = *outcome;
    let (route, code) = (outcome.route.as_deref(), outcome.code);
    let duration_ms = milliseconds(outcome.took);
    let path = matches!(wanted, AccessLog::Paths).then(|| context.path());
    let (request_id, trace_id) = (context.id(), context.trace_id());
    // The level is part of what tracing prepares for a line.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "access",
                event = "request",
                method,
                path,
                route,
                status = status.as_u16(),
                code,
                duration_ms,
                request_id,
                trace_id,
            )
        };
    }
    if status.is_server_error() {
        line!(warn);
    } else {
        line!(info);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(setting: &str, status: StatusCode) -> bool {
        setting.parse::<AccessLog>().unwrap().wants(status)
    }

    #[test]
    fn failures_on_our_side_are_always_logged_unless_it_is_off() {
        for (setting, wanted) in [("off", false), ("errors", true), ("all", true)] {
            assert_eq!(
                logs(setting, StatusCode::SERVICE_UNAVAILABLE),
                wanted,
                "{setting}"
            );
        }
    }

    #[test]
    fn everything_else_is_logged_as_far_as_it_is_asked_for() {
        for (setting, wanted) in [("off", false), ("errors", false), ("all", true)] {
            assert_eq!(logs(setting, StatusCode::OK), wanted, "{setting}");
            assert_eq!(logs(setting, StatusCode::NOT_FOUND), wanted, "{setting}");
        }
    }

    #[test]
    fn other_words_are_refused() {
        for word in ["some", "sampled", ""] {
            let error = word.parse::<AccessLog>().unwrap_err();
            assert_eq!(error.to_string(), "must be off, errors or all", "{word}");
        }
    }
}
