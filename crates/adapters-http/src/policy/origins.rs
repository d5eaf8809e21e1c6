//! Which other origins may read our answers in a browser (Fetch standard, 3.2). Off unless origins are named.

use actix_cors::Cors;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use thiserror::Error;

use crate::problem::{Code, Problem};

/// Every request header that the HTTP contract names, those of operations to come too.
const REQUEST_HEADERS: [&str; 10] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "prefer",
    "traceparent",
    "tracestate",
    "x-request-id",
];
/// Every answer header that a front end may want to read.
const EXPOSED_HEADERS: [&str; 13] = [
    "ETag",
    "Location",
    "Link",
    "X-Next-Cursor",
    "X-Page-Limit",
    "X-Total-Count",
    "X-Request-Id",
    "WWW-Authenticate",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotency-Replayed",
    "Server-Timing",
];
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: usize = 600;

/// The longest list of headers that a preflight may ask for, in bytes: browsers get it back.
const LONGEST_LIST: usize = 1024;

/// Refuses a list of headers that is too long to be answered.
///
/// # Errors
/// `header_invalid`
pub(crate) fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let lists = request.headers().get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    if lists.map(HeaderValue::len).sum::<usize>() > LONGEST_LIST {
        return Err(Problem::new(Code::HeaderInvalid)
            .with_detail("The header Access-Control-Request-Headers is longer than 1 KiB."));
    }
    Ok(())
}

/// Takes back what the middleware has said to a browser.
pub(crate) fn take_from(headers: &mut HeaderMap) {
    let said: Vec<_> = headers.keys().cloned().collect();
    for name in said
        .iter()
        .filter(|name| name.as_str().starts_with("access-control-"))
    {
        headers.remove(name);
    }
}

/// The origins whose pages may read our answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowedOrigins {
    /// None but our own: no CORS headers at all.
    #[default]
    None,
    /// Every one. For development.
    Any,
    /// These.
    These(Vec<Origin>),
}

/// A scheme, a host and perhaps a port, written as browsers send them: `https://app.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an origin is written like https://app.example or http://localhost:3000, without a path")]
pub struct InvalidOrigin;

impl Origin {
    /// Reads an origin; a slash at its end is dropped.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let origin = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let authority = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let is_authority = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte))
        };
        if authority.is_some_and(is_authority) {
            Ok(Self(origin))
        } else {
            Err(InvalidOrigin)
        }
    }
}

impl AllowedOrigins {
    /// The middleware that says so to browsers. Credentials are never allowed: tokens travel in a header.
    pub fn middleware(&self) -> Cors {
        let cors = Cors::default()
            .allowed_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
            ])
            .allowed_headers(REQUEST_HEADERS)
            .expose_headers(EXPOSED_HEADERS)
            .max_age(MAX_AGE);
        match self {
            Self::None => cors,
            Self::Any => cors.allow_any_origin().send_wildcard(),
            Self::These(origins) => origins
                .iter()
                .fold(cors, |cors, Origin(origin)| cors.allowed_origin(origin)),
        }
    }

    /// Whether there are CORS headers at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        for good in [
            "https://app.example",
            "http://localhost:3000",
            "http://[::1]:5173",
            "https://App.Example/",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "app.example",
            "https://",
            "https://a.example/path",
            "https://u@a.example",
            "ftp://a",
            "null",
        ] {
            assert_eq!(Origin::parse(bad), Err(InvalidOrigin), "{bad}");
        }
    }
}
