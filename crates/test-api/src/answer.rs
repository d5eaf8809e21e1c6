//! What the API answered.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What the API answered.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

/// A failed assertion shows the beginning of a large body.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.body.chars().take(2_000).collect();
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &body)
            .finish()
    }
}

impl Answer {
    /// The body, which must be JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The code of a problem document, after a look at everything that every such document must have.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(document["request_id"], self.header("x-request-id"), "{self:?}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(
                document[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {self:?}"
            );
        }
        let code = document["code"].as_str().expect("a code").to_owned();
        let kind = format!("/problems/{}", code.replace('_', "-"));
        assert_eq!(document["type"], kind, "{self:?}");
        code
    }

    /// The `errors` of a problem document of invalid data.
    pub fn errors(&self) -> Value {
        assert_eq!(self.status, 422, "{self:?}");
        assert_eq!(self.problem(), "validation_error", "{self:?}");
        self.json()["errors"].clone()
    }

    /// The `type`s of the field errors of a problem document, each behind the last part of its place.
    #[must_use]
    pub fn field_errors(&self) -> Vec<(String, String)> {
        let document = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            error["loc"]
                .as_array()
                .and_then(|loc| loc.last().map(text))
                .unwrap_or_default()
        };
        errors
            .iter()
            .map(|error| (place(error), text(&error["type"])))
            .collect()
    }
}
