//! A JSON object whose fields are read one by one, so that a client learns of every error at once. (A derived
//! deserialiser would stop at the first.)

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::problem::fields::{FieldErrors, Rule};

/// How deep JSON may be nested; the object itself is the first level.
const MAX_DEPTH: usize = 16;

/// The fields of a JSON object, in the order in which they were sent.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct JsonObject(Vec<(String, Value)>);

impl JsonObject {
    /// Whether it has a field of this name, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(sent, _)| sent == name)
    }

    /// Hands each field to `read`, which says whether it knows the name and what is wrong with the value. Unknown
    /// and repeated fields are errors.
    pub(crate) fn read_fields(self, errors: &mut FieldErrors, mut read: impl FnMut(&str, Value) -> Reading) {
        let mut seen = HashSet::new();
        for (name, value) in self.0 {
            if seen.contains(&name) {
                errors.add_field(&name, &Rule::DuplicateKey);
                continue;
            }
            match read(&name, value) {
                Reading::Done => {}
                Reading::Broken(rule) => errors.add_field(&name, &rule),
                Reading::Unknown => errors.add_field(&name, &Rule::Extra),
            }
            seen.insert(name);
        }
    }

    /// Reads the bytes of a body. What is wrong is said without any of them.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Rule> {
        if bytes.is_empty() {
            return Err(Rule::Missing);
        }
        let invalid = |error: serde_json::Error| Rule::InvalidJson(without_values(&error));
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let fields = deserializer.deserialize_any(Fields).map_err(invalid)?;
        deserializer.end().map_err(invalid)?;
        let fields = fields.ok_or(Rule::NotAnObject)?;
        if fields
            .iter()
            .any(|(_, value)| is_deeper_than(value, MAX_DEPTH - 1))
        {
            return Err(Rule::InvalidJson(format!(
                "nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(Self(fields))
    }
}

/// The outcome of reading a field.
pub(crate) enum Reading {
    /// It was read, or may be ignored.
    Done,
    /// Its value breaks a rule.
    Broken(Rule),
    /// There is no such field.
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
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|field| is_deeper_than(field, levels - 1))
        }
        _ => false,
    }
}

/// Keeps the fields of an object with their order and their repetitions; `None` for anything that is no object.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Option<Vec<(String, Value)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Some(fields))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_keep_their_order_and_their_repetitions() {
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
                    Ok(JsonObject(fields)) => {
                        let judged = judged.unwrap();
                        let names: HashSet<_> = fields.iter().map(|(name, _)| name).collect();
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
