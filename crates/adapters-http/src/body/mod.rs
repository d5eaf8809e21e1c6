//! Reading bodies: media type, coding, size and time, before their content is looked at.

pub(crate) mod json_object;

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::body::json_object::JsonObject;
use crate::problem::fields::FieldErrors;
use crate::problem::{Code, Problem};
use crate::state::App;

/// The largest body, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
/// U+FEFF in UTF-8. Some write it before JSON; a reader may pass over it (RFC 8259, 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// RFC 7396.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 5789, 3.1.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

impl FromRequest for JsonObject {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = check_head(request.method(), request.headers());
        let limit = App::time_limits_of(request).body;
        let payload = payload.take();
        Box::pin(async move {
            announced?;
            let bytes = timeout(limit, read_all(payload))
                .await
                .map_err(|_| Problem::new(Code::RequestTimeout).closing_connection())??;
            let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
            Self::parse(bytes).map_err(|rule| FieldErrors::of_body(&rule).into())
        })
    }
}

/// The part of the head about the body: its media type, its coding, its length.
fn check_head(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    // actix takes all that follows such a head for its body, whatever Content-Length says: another client's request
    // too.
    if headers.get_all(header::UPGRADE).any(is_websocket) {
        return Err(Problem::new(Code::HeaderInvalid).closing_connection());
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let has_body = length.is_some_and(|length| length > 0) || headers.contains_key(header::TRANSFER_ENCODING);
    match headers.get(header::CONTENT_TYPE) {
        Some(value) if !is_json(method, value) => return Err(unsupported_media_type(method)),
        None if has_body => return Err(unsupported_media_type(method)),
        _ => {}
    }
    let is_coded = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).any(is_coded) {
        return Err(unsupported_media_type(method));
    }
    if length.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Problem::new(Code::BodyTooLarge).closing_connection());
    }
    Ok(())
}

fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol
        .to_str()
        .is_ok_and(|name| name.trim().eq_ignore_ascii_case("websocket"))
}

/// `application/json`, for PATCH also `application/merge-patch+json`, with `charset=utf-8` at most, or `utf8`, as
/// some write it (RFC 8259, 8.1: JSON is UTF-8).
fn is_json(method: &Method, value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let is_type = parts.next().is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json")
            || (method == Method::PATCH && essence.eq_ignore_ascii_case(MERGE_PATCH))
    });
    is_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                let charset = charset.trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

fn unsupported_media_type(method: &Method) -> Problem {
    let problem = Problem::new(Code::UnsupportedMediaType).closing_connection();
    if method == Method::PATCH {
        let types = HeaderValue::from_static("application/json, application/merge-patch+json");
        return problem
            .with_header(ACCEPT_PATCH, types.clone())
            .with_header(header::ACCEPT, types);
    }
    problem.with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
}

async fn read_all(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| problem_of(&error))?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Problem::new(Code::BodyTooLarge).closing_connection());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn problem_of(error: &PayloadError) -> Problem {
    let code = match error {
        PayloadError::Overflow => Code::BodyTooLarge,
        _ => Code::HeaderInvalid,
    };
    Problem::new(code).closing_connection()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_read() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
            "application/json;charset=utf8",
            "application/json; charset=\"UTF8\"",
            "application/json;v=1",
        ] {
            assert!(is_json(&Method::PUT, &HeaderValue::from_static(good)), "{good}");
        }
        for bad in [
            "text/json",
            "application/problem+json",
            "application/json; charset=latin1",
            "",
            "json",
            "*/*",
        ] {
            assert!(!is_json(&Method::PUT, &HeaderValue::from_static(bad)), "{bad}");
        }
    }
}
