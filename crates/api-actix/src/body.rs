//! Reading bodies: media type, size, time, and a JSON object whose members are then read one by one, so that a client
//! learns of every error at once. (A derived deserialiser would stop at the first.)

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tokio::time::timeout;

use crate::fields::{FieldErrors, Rule};
use crate::problem::{Code, Problem};
use crate::time_limits::TimeLimits;

/// The largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// How deep JSON may be nested; the object itself is the first level.
const MAX_DEPTH: usize = 16;

/// RFC 7396.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 5789, 3.1.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The members of a JSON object, in the order in which they were sent.
#[derive(Debug, Default, PartialEq)]
pub struct JsonObject(Vec<(String, Value)>);

impl JsonObject {
    /// Hands each member to `read`, which says whether it knows the name and what is wrong with the value. Unknown
    /// and repeated members are errors.
    pub(crate) fn read_members(self, errors: &mut FieldErrors, mut read: impl FnMut(&str, Value) -> Reading) {
        let mut seen = HashSet::new();
        for (name, value) in self.0 {
            if seen.contains(&name) {
                errors.add_member(&name, &Rule::DuplicateKey);
                continue;
            }
            match read(&name, value) {
                Reading::Done => {}
                Reading::Broken(rule) => errors.add_member(&name, &rule),
                Reading::Unknown => errors.add_member(&name, &Rule::Extra),
            }
            seen.insert(name);
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, Rule> {
        if bytes.is_empty() {
            return Err(Rule::Missing);
        }
        let invalid = |error: serde_json::Error| Rule::InvalidJson(without_values(&error));
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let members = deserializer.deserialize_any(Members).map_err(invalid)?;
        deserializer.end().map_err(invalid)?;
        let members = members.ok_or(Rule::NotAnObject)?;
        if members
            .iter()
            .any(|(_, value)| is_deeper_than(value, MAX_DEPTH - 1))
        {
            return Err(Rule::InvalidJson(format!(
                "nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(Self(members))
    }
}

/// What became of a member.
pub(crate) enum Reading {
    /// It was read, or may be ignored.
    Done,
    /// Its value breaks a rule.
    Broken(Rule),
    /// There is no such member.
    Unknown,
}

impl<T> From<Result<T, Rule>> for Reading {
    fn from(result: Result<T, Rule>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(rule) => Self::Broken(rule),
        }
    }
}

/// Where the JSON went wrong and how; the parser's messages name kinds of tokens, never their content.
fn without_values(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early".to_owned(),
        _ => format!(
            "it goes wrong at line {}, column {}",
            error.line(),
            error.column()
        ),
    }
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Value::Object(members) => {
            levels == 0 || members.values().any(|member| is_deeper_than(member, levels - 1))
        }
        _ => false,
    }
}

/// Keeps the members of an object with their order and their repetitions; `None` for anything that is no object.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Option<Vec<(String, Value)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Some(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // Not `IgnoredAny`: that takes texts for JSON which are none (broken UTF-8, lone surrogates).
        while items.next_element::<Value>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

impl FromRequest for JsonObject {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced = check_head(request.method(), request.headers());
        let limit = TimeLimits::of(request).body;
        let payload = payload.take();
        Box::pin(async move {
            announced?;
            let bytes = timeout(limit, read_all(payload))
                .await
                .map_err(|_| Problem::new(Code::RequestTimeout).closing_connection())??;
            Self::parse(&bytes).map_err(|rule| FieldErrors::of_body(&rule).into())
        })
    }
}

/// What the head says about the body: its media type, its coding, its length.
fn check_head(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    // actix takes all that follows such a head for its body, whatever Content-Length says: somebody else's request too.
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

/// `application/json`, for PATCH also `application/merge-patch+json`, with `charset=utf-8` at the most (RFC 8259, 8.1:
/// JSON is UTF-8).
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
                charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn members_keep_their_order_and_their_repetitions() {
        let object = JsonObject::parse(br#"{"b": 1, "a": null, "b": "x"}"#).unwrap();
        let wanted = vec![
            ("b".into(), json!(1)),
            ("a".into(), json!(null)),
            ("b".into(), json!("x")),
        ];
        assert_eq!(object, JsonObject(wanted));
    }

    #[test]
    fn broken_json_is_named_by_its_place_and_never_quoted() {
        let cases: [&[u8]; 8] = [
            b"{",
            b"{\"secret\"}",
            b"{\"title\": \"\\ud800\"}",
            b"{\"title\": \"\xff\"}",
            b"{} {}",
            b"nul",
            b"\xef\xbb\xbf{}",
            b"{\"n\": 01}",
        ];
        for bytes in cases {
            let rule = JsonObject::parse(bytes).unwrap_err();
            let Rule::InvalidJson(reason) = &rule else {
                panic!("{rule:?}")
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn other_json_is_no_object() {
        for text in [
            "[]",
            "[1, {\"a\": []}]",
            "null",
            "true",
            "7",
            "-7",
            "1.5",
            "\"text\"",
        ] {
            assert_eq!(
                JsonObject::parse(text.as_bytes()),
                Err(Rule::NotAnObject),
                "{text}"
            );
        }
    }

    #[test]
    fn an_empty_body_is_missing() {
        assert_eq!(JsonObject::parse(b""), Err(Rule::Missing));
    }

    #[test]
    fn json_is_nested_sixteen_levels_deep_at_the_most() {
        let nested =
            |levels: usize| format!("{{\"id\": {}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(JsonObject::parse(nested(16).as_bytes()).is_ok());
        assert!(matches!(
            JsonObject::parse(nested(17).as_bytes()),
            Err(Rule::InvalidJson(_))
        ));
        assert!(matches!(
            JsonObject::parse(nested(100_000).as_bytes()),
            Err(Rule::InvalidJson(_))
        ));
    }

    #[test]
    fn only_json_in_utf_8_is_read() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=UTF-8",
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

    mod fuzz {
        use super::*;

        fn any_body() -> impl Strategy<Value = Vec<u8>> {
            let scraps = prop::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                "[[[[",
                "]]]]",
                "{\"a\":",
                ",",
                ":",
                " ",
                "\"title\"",
                "\"b\"",
                "\"",
                "\\",
                "\\ud800",
                "\\u0000",
                "null",
                "true",
                "0",
                "-",
                "1e9",
                "1e999",
                ".5",
                "\u{feff}",
                "\n",
                "\0",
            ]);
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..256),
                prop::collection::vec(scraps, 0..40).prop_map(|scraps| scraps.concat().into_bytes()),
            ]
        }

        proptest! {
            /// The parser of the library, which knows no rules of ours, is the judge.
            #[test]
            fn any_body_is_read_or_refused(bytes in any_body()) {
                let judged = serde_json::from_slice::<Value>(&bytes);
                match JsonObject::parse(&bytes) {
                    Ok(JsonObject(members)) => {
                        let judged = judged.unwrap();
                        let names: HashSet<_> = members.iter().map(|(name, _)| name).collect();
                        prop_assert_eq!(names, judged.as_object().unwrap().keys().collect());
                        prop_assert!(!is_deeper_than(&judged, MAX_DEPTH));
                    }
                    Err(Rule::NotAnObject) => prop_assert!(!judged.unwrap().is_object()),
                    Err(Rule::Missing) => prop_assert!(bytes.is_empty()),
                    Err(Rule::InvalidJson(reason)) if reason.starts_with("nested") => {
                        prop_assert!(judged.unwrap().is_object());
                    }
                    Err(Rule::InvalidJson(_)) => prop_assert!(judged.is_err()),
                    Err(rule) => prop_assert!(false, "{:?}", rule),
                }
            }
        }
    }
}
