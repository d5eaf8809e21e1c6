//! Errors of single fields and parameters, collected so that a client sees all of them at once.
//!
//! `loc`, `type`, `msg` and `ctx` are named and worded as in FastAPI's responses (Pydantic 2).

use domain::task::Status;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::schema;

/// The most errors that one response lists.
const MAX_ERRORS: usize = 50;
/// The most names that the summary lists.
const MAX_NAMES: usize = 5;

/// An error of one field of a body or one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Where it is in the body (RFC 6901); absent for parameters.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// Where it is: `body` or `query`, then the name.
    loc: Vec<String>,
    #[schema(schema_with = rule_type)]
    r#type: &'static str,
    /// The reason, for people. Never repeats the value that was sent.
    msg: String,
    #[schema(schema_with = rule_context)]
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

/// Which rule was broken, in the words of the contract. None of them repeats the value that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A required field, or the whole body, is not there.
    Missing,
    /// No such field or parameter.
    Extra,
    /// A parameter was given twice where once is meant.
    Repeated,
    /// A field was given twice.
    DuplicateKey,
    /// Not a string.
    NotAString,
    /// No UTF-8.
    NotUnicode,
    /// `null` where a value is meant, or nothing.
    NullStatus,
    /// A string without any visible content.
    Blank,
    /// A string that is too long.
    TooLong {
        /// The limit, in Unicode scalar values.
        max: usize,
        /// Its length.
        actual: usize,
    },
    /// A string with a character that may not be there.
    ForbiddenCharacter {
        /// Which characters those are.
        which: &'static str,
    },
    /// None of the allowed values.
    NotOneOf(Vec<&'static str>),
    /// `user_id` is not the caller's.
    OwnerMismatch,
    /// `id` is not the one of the path.
    IdMismatch,
    /// The body is no JSON.
    InvalidJson(String),
    /// The body is JSON, but no object.
    NotAnObject,
    /// Not a whole number.
    NotAnInteger,
    /// A number below the range.
    TooSmall {
        /// The smallest allowed.
        min: u16,
    },
    /// A number above the range.
    TooLarge {
        /// The largest allowed.
        max: u16,
    },
    /// Not a time.
    NotADateTime,
    /// A cursor that we did not make for this user and this list.
    InvalidCursor,
}

macro_rules! types {
    ($($rule:pat => $type:literal;)+) => {
        /// Every name of a rule.
        pub(crate) const RULE_TYPES: &[&str] = &[$($type),+];

        impl Rule {
            fn r#type(&self) -> &'static str {
                match self { $($rule => $type,)+ }
            }
        }
    };
}

types! {
    Self::Missing => "missing";
    Self::Extra | Self::Repeated => "extra_forbidden";
    Self::DuplicateKey => "duplicate_key";
    Self::NotAString | Self::NullStatus => "string_type";
    Self::NotUnicode => "string_unicode";
    Self::Blank => "string_too_short";
    Self::TooLong { .. } => "string_too_long";
    Self::ForbiddenCharacter { .. } => "string_pattern_mismatch";
    Self::NotOneOf(_) => "enum";
    Self::OwnerMismatch => "owner_mismatch";
    Self::IdMismatch => "id_mismatch";
    Self::InvalidJson(_) => "json_invalid";
    Self::NotAnObject => "model_attributes_type";
    Self::NotAnInteger => "int_parsing";
    Self::TooSmall { .. } => "greater_than_equal";
    Self::TooLarge { .. } => "less_than_equal";
    Self::NotADateTime => "datetime_parsing";
    Self::InvalidCursor => "cursor_invalid";
}

impl Rule {
    /// None of the statuses of a task.
    pub(crate) fn not_a_status() -> Self {
        Self::NotOneOf(Status::ALL.map(Status::as_str).to_vec())
    }

    fn message(&self) -> String {
        match self {
            Self::Missing => "Field required".to_owned(),
            Self::Extra => "Extra inputs are not permitted".to_owned(),
            Self::Repeated => "The parameter is given twice; it should be given only once".to_owned(),
            Self::DuplicateKey => "Field should be given only once".to_owned(),
            Self::NotAString => "Input should be a valid string".to_owned(),
            Self::NotUnicode => "Input should be a valid string in UTF-8, percent-encoded".to_owned(),
            Self::NullStatus => {
                "Input should be a valid string; leave the field out to keep or to get the default".to_owned()
            }
            Self::Blank => "String should have at least 1 character that is not white space".to_owned(),
            Self::TooLong { max, .. } => format!("String should have at most {max} characters"),
            Self::ForbiddenCharacter { which } => format!("String should not contain {which}"),
            Self::NotOneOf(expected) => format!("Input should be {}", alternatives(expected)),
            Self::OwnerMismatch => "Input should be the user id of the token, or be left out".to_owned(),
            Self::IdMismatch => "Input should be the id in the path, or be left out".to_owned(),
            Self::InvalidJson(reason) => format!("Invalid JSON: {reason}"),
            Self::NotAnObject => "Input should be a valid JSON object".to_owned(),
            Self::NotAnInteger => "Input should be a valid integer".to_owned(),
            Self::TooSmall { min } => format!("Input should be greater than or equal to {min}"),
            Self::TooLarge { max } => format!("Input should be less than or equal to {max}"),
            Self::NotADateTime => {
                "Input should be a valid datetime with an offset (RFC 3339); in a URL a plus sign is %2B"
                    .to_owned()
            }
            Self::InvalidCursor => {
                "Input should be a cursor of the previous page, used by the same user with the same list"
                    .to_owned()
            }
        }
    }

    fn context(&self) -> Option<Value> {
        match self {
            Self::Blank => Some(json!({ "min_length": 1 })),
            Self::TooLong { max, actual } => Some(json!({ "max_length": max, "actual_length": actual })),
            Self::NotOneOf(expected) => Some(json!({ "expected": expected })),
            Self::TooSmall { min } => Some(json!({ "ge": min })),
            Self::TooLarge { max } => Some(json!({ "le": max })),
            Self::Missing
            | Self::Extra
            | Self::Repeated
            | Self::DuplicateKey
            | Self::NotAString
            | Self::NotUnicode
            | Self::NullStatus
            | Self::ForbiddenCharacter { .. }
            | Self::OwnerMismatch
            | Self::IdMismatch
            | Self::InvalidJson(_)
            | Self::NotAnObject
            | Self::NotAnInteger
            | Self::NotADateTime
            | Self::InvalidCursor => None,
        }
    }
}

fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Collects errors, in the order in which they are found. A body can hold tens of thousands of errors: those
/// beyond the first ones are counted only.
#[derive(Debug, Default)]
pub struct FieldErrors {
    listed: Vec<FieldError>,
    beyond: usize,
    has_owner_mismatch: bool,
}

impl FieldErrors {
    /// One error about the body as a whole.
    #[must_use]
    pub fn of_body(rule: &Rule) -> Self {
        let mut errors = Self::default();
        errors.push(rule, || (Some(String::new()), vec!["body".to_owned()]));
        errors
    }

    /// One error about a query parameter.
    #[must_use]
    pub fn of_parameter(name: &str, rule: &Rule) -> Self {
        let mut errors = Self::default();
        errors.add_parameter(name, rule);
        errors
    }

    /// Notes an error of a field of the body.
    pub fn add_field(&mut self, name: &str, rule: &Rule) {
        self.push(rule, || {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            (
                Some(format!("/{escaped}")),
                vec!["body".to_owned(), name.to_owned()],
            )
        });
    }

    /// Notes an error of a query parameter.
    pub fn add_parameter(&mut self, name: &str, rule: &Rule) {
        self.push(rule, || (None, vec!["query".to_owned(), name.to_owned()]));
    }

    /// `value` if nothing is wrong, everything that is wrong otherwise.
    ///
    /// # Errors
    /// The errors that were noted.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Whether nothing is wrong with any field or parameter but these.
    pub(crate) fn are_only_about(&self, names: &[&str]) -> bool {
        let is_one_of_them = |error: &FieldError| {
            error
                .loc
                .last()
                .is_some_and(|name| names.contains(&name.as_str()))
        };
        self.beyond == 0 && self.listed.iter().all(is_one_of_them)
    }

    /// Whether another user was named as the owner.
    pub(crate) fn has_owner_mismatch(&self) -> bool {
        self.has_owner_mismatch
    }

    pub(crate) fn into_vec(self) -> Vec<FieldError> {
        self.listed
    }

    /// A sentence for people.
    pub(crate) fn summary(&self) -> String {
        let names: Vec<_> = self.listed.iter().filter_map(|error| error.loc.get(1)).collect();
        let first: Vec<_> = names.iter().take(MAX_NAMES).map(|name| name.as_str()).collect();
        let first = first.join(", ");
        match names.len() + self.beyond {
            0 => "The body is not valid".to_owned(),
            1 => format!("1 field is invalid: {first}"),
            count if count > MAX_NAMES => format!("{count} fields are invalid: {first}, …"),
            count => format!("{count} fields are invalid: {first}"),
        }
    }

    /// Notes an error whose place is only spelled out if it is listed.
    fn push(&mut self, rule: &Rule, place: impl FnOnce() -> (Option<String>, Vec<String>)) {
        self.has_owner_mismatch |= *rule == Rule::OwnerMismatch;
        if self.listed.len() == MAX_ERRORS {
            self.beyond += 1;
            return;
        }
        let (pointer, loc) = place();
        self.listed.push(FieldError {
            pointer,
            loc,
            r#type: rule.r#type(),
            msg: rule.message(),
            ctx: rule.context(),
        });
    }
}

fn rule_type() -> ObjectBuilder {
    schema::one_of(RULE_TYPES.iter().copied())
        .description(Some("Which rule is broken, as Pydantic 2 names it."))
}

fn rule_context() -> ObjectBuilder {
    let number = || schema::integer().minimum(Some(0_u16));
    ObjectBuilder::new()
        .description(Some("The values of the rule."))
        .property("min_length", number())
        .property("max_length", number())
        .property("actual_length", number())
        .property("ge", number())
        .property("le", number())
        .property(
            "expected",
            schema::text()
                .description(Some("The values that are allowed."))
                .to_array_builder(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_field_says_where_what_and_why() {
        let mut errors = FieldErrors::default();
        errors.add_field(
            "title",
            &Rule::TooLong {
                max: 255,
                actual: 300,
            },
        );
        let [error] = errors.into_vec().try_into().unwrap();
        let json = serde_json::to_value(error).unwrap();
        let wanted = json!({
            "pointer": "/title", "loc": ["body", "title"], "type": "string_too_long",
            "msg": "String should have at most 255 characters",
            "ctx": { "max_length": 255, "actual_length": 300 },
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn an_error_of_a_parameter_has_no_pointer() {
        let mut errors = FieldErrors::default();
        errors.add_parameter("limit", &Rule::NotAnInteger);
        let json = serde_json::to_value(errors.into_vec()).unwrap();
        assert_eq!(json[0]["loc"], json!(["query", "limit"]));
        assert_eq!(json[0].get("pointer"), None);
    }

    #[test]
    fn a_pointer_is_escaped_as_rfc_6901_says() {
        let mut errors = FieldErrors::default();
        errors.add_field("a/b~c", &Rule::Extra);
        assert_eq!(errors.into_vec()[0].pointer.as_deref(), Some("/a~1b~0c"));
    }

    #[test]
    fn at_most_fifty_errors_are_listed_and_a_few_of_them_named() {
        let mut errors = FieldErrors::default();
        for number in 0..60 {
            errors.add_field(&format!("m{number}"), &Rule::Extra);
        }
        assert_eq!(errors.summary(), "60 fields are invalid: m0, m1, m2, m3, m4, …");
        assert_eq!(errors.into_vec().len(), 50);
    }

    #[test]
    fn another_owner_is_noticed_behind_any_number_of_errors() {
        let mut errors = FieldErrors::default();
        for _ in 0..60 {
            errors.add_field("m", &Rule::Extra);
        }
        assert!(!errors.has_owner_mismatch());
        errors.add_field("user_id", &Rule::OwnerMismatch);
        assert!(errors.has_owner_mismatch());
    }
}
