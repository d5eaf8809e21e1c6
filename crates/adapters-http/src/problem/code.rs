//! Every code that a problem can have: its status, and what it means.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident: $status:ident, $code:literal, $title:literal, $detail:literal;)+) => {
        /// The kind of a problem, as a code that never changes its name or its status.
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

            /// The code as it stands in paths: with hyphens.
            #[must_use]
            pub fn slug(self) -> String {
                self.as_str().replace('_', "-")
            }

            /// The status of every response with this code.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The meaning of the code, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// The text when there is nothing more exact to say.
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
    /// A preflight of an origin whose pages may not read answers.
    OriginNotAllowed: FORBIDDEN, "origin_not_allowed", "The origin is not allowed",
        "Pages of this origin may not read answers.";
    /// The caller has no such task; the same for a task of another user.
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
    /// A name of this server under which a web site could pass itself off as it.
    HostNotAllowed: MISDIRECTED_REQUEST, "host_not_allowed", "The host is not allowed",
        "This is served to loopback names, IP addresses and the host that the server was told to listen on.";
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
    /// Too much of what was asked for is not read.
    Overloaded: SERVICE_UNAVAILABLE, "overloaded", "Too many answers wait to be read",
        "Too many answers wait to be read. Read those that you have asked for, then try again.";
    /// The database is unavailable.
    DatabaseUnavailable: SERVICE_UNAVAILABLE, "database_unavailable", "The database is not available",
        "The database cannot be reached. Try again shortly.";
    /// The keys that verify tokens are unavailable.
    KeysUnavailable: SERVICE_UNAVAILABLE, "keys_unavailable", "Tokens cannot be verified",
        "The keys that verify tokens cannot be reached. Try again shortly.";
    /// It took too long on our side.
    Timeout: SERVICE_UNAVAILABLE, "timeout", "The request took too long",
        "The request took too long. Try again shortly.";
    /// The server is stopping.
    ShuttingDown: SERVICE_UNAVAILABLE, "shutting_down", "The service is stopping",
        "This server is stopping. Try again: another one will answer.";
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
