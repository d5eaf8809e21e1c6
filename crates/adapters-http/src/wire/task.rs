//! A task in bodies: the one file that knows what its fields are called, which rules they have and how they are
//! written.

use chrono::{DateTime, Utc};
use domain::identity::Caller;
use domain::task::{
    Description, DescriptionError, Edit, Fingerprint, NewTask, Status, Task, TaskChange, TaskId, TaskParts,
    Title, TitleError,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use uuid::Uuid;

use crate::body::json_object::{JsonObject, Reading};
use crate::problem::fields::{FieldErrors, Rule};
use crate::schema;
use crate::wire::timestamp::write_timestamp;

/// A task as clients see it.
#[derive(ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskBody<'a> {
    #[schema(schema_with = schema::task_id)]
    id: TaskId,
    #[schema(schema_with = title)]
    title: &'a str,
    #[schema(required, schema_with = description)]
    description: Option<&'a str>,
    #[schema(schema_with = schema::status)]
    status: &'static str,
    #[schema(schema_with = schema::user_id)]
    user_id: &'a str,
    #[schema(schema_with = version)]
    version: i32,
    #[schema(schema_with = created_at)]
    created_at: DateTime<Utc>,
    #[schema(schema_with = updated_at)]
    updated_at: DateTime<Utc>,
}

impl<'a> From<&'a Task> for TaskBody<'a> {
    fn from(task: &'a Task) -> Self {
        let TaskParts {
            id,
            owner,
            title,
            description,
            status,
            version,
            created_at,
            updated_at,
        } = task.parts();
        Self {
            id: *id,
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            status: status.as_str(),
            user_id: owner.as_str(),
            version: version.get(),
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

impl TaskBody<'_> {
    /// Appends the task as JSON. Not through serde, which would look for something to escape in ids and times as well:
    /// a page of a hundred tasks has four hundred of them.
    pub(crate) fn write_to(&self, json: &mut Vec<u8>) {
        let Self {
            id,
            title,
            description,
            status,
            user_id,
            version,
            created_at,
            updated_at,
        } = self;
        json.extend_from_slice(br#"{"id":""#);
        json.extend_from_slice(
            id.as_uuid()
                .hyphenated()
                .encode_lower(&mut Uuid::encode_buffer())
                .as_bytes(),
        );
        json.extend_from_slice(br#"","title":"#);
        write_text(json, title);
        json.extend_from_slice(br#","description":"#);
        match description {
            Some(text) => write_text(json, text),
            None => json.extend_from_slice(b"null"),
        }
        json.extend_from_slice(br#","status":""#);
        json.extend_from_slice(status.as_bytes());
        json.extend_from_slice(br#"","user_id":"#);
        write_text(json, user_id);
        json.extend_from_slice(br#","version":"#);
        json.extend_from_slice(version.to_string().as_bytes());
        json.extend_from_slice(br#","created_at":""#);
        write_timestamp(json, *created_at);
        json.extend_from_slice(br#"","updated_at":""#);
        write_timestamp(json, *updated_at);
        json.extend_from_slice(br#""}"#);
    }
}

/// Appends a task as JSON, as clients see it.
pub fn write_task(task: &Task, json: &mut Vec<u8>) {
    TaskBody::from(task).write_to(json);
}

/// Most texts have nothing to escape (RFC 8259, 7), which is seen without looking at one byte after the other.
fn write_text(json: &mut Vec<u8>, text: &str) {
    let needs_escape = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        // Neither a text nor a vector refuses anything.
        let _ = serde_json::to_writer(json, text);
    } else {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    }
}

/// A field that a client may set.
struct Field {
    name: &'static str,
    /// Its rule, as the document states it.
    rule: fn() -> RefOr<Schema>,
    /// Reads its value into a change.
    read: fn(Value, &mut TaskChange) -> Result<(), Rule>,
}

/// Every field that a client may set: what bodies are read with, and what the document says of them.
const FIELDS: [Field; 3] = [
    Field {
        name: "title",
        rule: || title().into(),
        read: |value, change| set(&mut change.title, read_title(value)),
    },
    Field {
        name: "description",
        rule: || description().into(),
        read: |value, change| set(&mut change.description, read_description(value)),
    },
    Field {
        name: "status",
        rule: || schema::status().into(),
        read: |value, change| set(&mut change.status, read_status(&value)),
    },
];

fn set<T>(field: &mut Edit<T>, read: Result<T, Rule>) -> Result<(), Rule> {
    *field = Edit::Set(read?);
    Ok(())
}

/// Makes the rule of a field, as the document states it.
type RuleOf = fn() -> ObjectBuilder;

/// The fields that clients get and may send back without effect; of `id` and `user_id` not everything is let pass.
const READ_ONLY: [(&str, RuleOf); 5] = [
    ("id", schema::task_id),
    ("user_id", schema::user_id),
    ("version", version),
    ("created_at", created_at),
    ("updated_at", updated_at),
];

/// The shape of a task in a request.
pub(crate) fn in_a_request() -> ObjectBuilder {
    let task = FIELDS.iter().fold(ObjectBuilder::new(), |task, field| {
        task.property(field.name, (field.rule)())
    });
    let task = READ_ONLY.iter().fold(task, |task, (name, rule)| {
        task.property(*name, rule().read_only(true))
    });
    task.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

/// Reads the body of a creation.
pub(crate) fn new_task(body: JsonObject, caller: &Caller) -> Result<NewTask, FieldErrors> {
    let has_title = body.has("title");
    let mut errors = FieldErrors::default();
    let TaskChange {
        title,
        description,
        status,
    } = read_fields(body, caller, None, &mut errors);
    if !has_title {
        errors.add_field("title", &Rule::Missing);
    }
    match title.into_set() {
        Some(title) => errors.or(NewTask {
            title,
            description: description.into_set().unwrap_or_default(),
            status: status.into_set().unwrap_or_default(),
        }),
        None => Err(errors),
    }
}

/// The meaning of a change that asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// A mistake.
    IsMissing,
    /// Fine.
    IsNoChange,
}

/// Reads the body of a change: what it does not name stays as it is.
pub(crate) fn task_change(
    body: JsonObject,
    caller: &Caller,
    path_id: &str,
    empty: Empty,
) -> Result<TaskChange, FieldErrors> {
    let mut errors = FieldErrors::default();
    let change = read_fields(body, caller, Some(path_id), &mut errors);
    if empty == Empty::IsMissing && errors.is_empty() && change.is_empty() {
        return Err(FieldErrors::of_body(&Rule::Missing));
    }
    errors.or(change)
}

/// Reads what a body sets. A task that is not there yet has no path, and any `id` may be sent with it.
fn read_fields(
    body: JsonObject,
    caller: &Caller,
    path_id: Option<&str>,
    errors: &mut FieldErrors,
) -> TaskChange {
    let mut change = TaskChange::default();
    body.read_fields(errors, |name, value| {
        if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
            return (field.read)(value, &mut change).into();
        }
        match (name, path_id) {
            ("user_id", _) => read_user_id(&value, caller).into(),
            ("id", Some(path_id)) => read_id(&value, path_id).into(),
            _ if READ_ONLY.iter().any(|(read_only, _)| *read_only == name) => Reading::Done,
            _ => Reading::Unknown,
        }
    });
    change
}

fn read_title(value: Value) -> Result<Title, Rule> {
    Title::parse(read_string(value)?).map_err(|error| match error {
        TitleError::Blank => Rule::Blank,
        TitleError::TooLong { length } => Rule::TooLong {
            max: Title::MAX_CHARS,
            actual: length,
        },
        TitleError::ControlCharacter => Rule::ForbiddenCharacter {
            which: "control characters or line breaks",
        },
    })
}

fn read_description(value: Value) -> Result<Option<Description>, Rule> {
    if value.is_null() {
        return Ok(None);
    }
    Description::parse(read_string(value)?)
        .map(Some)
        .map_err(|error| match error {
            DescriptionError::TooLong { length } => Rule::TooLong {
                max: Description::MAX_CHARS,
                actual: length,
            },
            DescriptionError::Nul => Rule::ForbiddenCharacter {
                which: "NUL characters",
            },
        })
}

fn read_status(value: &Value) -> Result<Status, Rule> {
    if value.is_null() {
        return Err(Rule::NullStatus);
    }
    let text = value.as_str().ok_or(Rule::NotAString)?;
    Status::parse(text).map_err(|_| Rule::not_a_status())
}

fn read_string(value: Value) -> Result<String, Rule> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Rule::NotAString),
    }
}

/// A client may send back what it got, but never another user's id: a form filled in before a change of account
/// would end up with the wrong user.
fn read_user_id(value: &Value, caller: &Caller) -> Result<(), Rule> {
    if value.as_str() == Some(caller.owner.as_str()) {
        Ok(())
    } else {
        Err(Rule::OwnerMismatch)
    }
}

fn read_id(value: &Value, path_id: &str) -> Result<(), Rule> {
    let is_same = value.as_str().is_some_and(|id| id.eq_ignore_ascii_case(path_id));
    if is_same { Ok(()) } else { Err(Rule::IdMismatch) }
}

/// The fingerprint of what was asked for, defaults applied: neither the order of fields nor fields without effect
/// matter.
///
/// It is stored with the task. A field that is new adds nothing while it is absent, so that a creation that is repeated
/// across an upgrade is still the same one.
pub(crate) fn fingerprint(new: &NewTask) -> Fingerprint {
    let NewTask {
        title,
        description,
        status,
    } = new;
    let mut hash = Sha256::new();
    let mut add = |part: Option<&str>| {
        // The length in front keeps parts apart; none is not the same as empty.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    };
    add(Some(title.as_str()));
    add(description.as_ref().map(Description::as_str));
    add(Some(status.as_str()));
    Fingerprint(hash.finalize().into())
}

fn title() -> ObjectBuilder {
    schema::text()
        .description(Some(
            "Unicode characters, at least one of them not white space, none of them a control character. Kept \
             exactly as sent.",
        ))
        .min_length(Some(1))
        .max_length(Some(Title::MAX_CHARS))
        .pattern(Some(schema::WITHOUT_CONTROL_CHARACTERS))
        .examples(["Buy milk"])
}

fn description() -> ObjectBuilder {
    schema::text()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(
            "Unicode characters but NUL, kept exactly as sent; an empty text is not the same as none.",
        ))
        .max_length(Some(Description::MAX_CHARS))
        .pattern(Some(schema::WITHOUT_NUL))
        .examples(["2 litres"])
}

fn version() -> ObjectBuilder {
    schema::integer()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("1 at first, and 1 more with every change."))
        .minimum(Some(1_u16))
        .examples([1])
}

fn created_at() -> ObjectBuilder {
    schema::timestamp("When it was created")
}

fn updated_at() -> ObjectBuilder {
    schema::timestamp("When it was last changed")
}

/// The tasks of the examples.
pub(crate) mod example {
    use serde_json::{Value, json};

    use super::FIELDS;
    use crate::schema::TASK_ID;

    pub(crate) fn task() -> Value {
        version_of_task(1, "pending", "2026-11-23T06:47:44.123000Z")
    }

    pub(crate) fn changed_task() -> Value {
        version_of_task(2, "completed", "2026-11-23T07:15:00.250000Z")
    }

    fn version_of_task(version: i32, status: &str, updated_at: &str) -> Value {
        json!({
            "id": TASK_ID, "title": "Buy milk", "description": "2 litres", "status": status,
            "user_id": "usr_9f2c", "version": version,
            "created_at": "2026-11-23T06:47:44.123000Z", "updated_at": updated_at,
        })
    }

    pub(crate) fn other_task() -> Value {
        json!({
            "id": "01939f6d-8a10-7b3e-8f21-55c0de9a7b42",
            "title": "Water the plants", "description": null, "status": "completed",
            "user_id": "usr_9f2c", "version": 3,
            "created_at": "2026-11-23T06:47:02.160000Z", "updated_at": "2026-11-23T06:50:31.004512Z",
        })
    }
    /// Everything that a client may set.
    pub(crate) fn all_fields() -> Value {
        let task = task();
        FIELDS
            .iter()
            .map(|field| (field.name, task.get(field.name).cloned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::{a_task, an_owner};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_back(task: &Task) -> Value {
        let mut json = Vec::new();
        TaskBody::from(task).write_to(&mut json);
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn a_task_has_these_fields_in_this_order() {
        let task = a_task(&an_owner(), "title");
        let TaskParts {
            id,
            owner,
            title,
            description,
            status,
            version,
            created_at,
            updated_at,
        } = task.parts();
        let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let wanted = json!({
            "id": id.to_string(),
            "title": title.as_str(),
            "description": description.as_ref().map(Description::as_str),
            "status": status.as_str(),
            "user_id": owner.as_str(),
            "version": version.get(),
            "created_at": time(created_at),
            "updated_at": time(updated_at),
        });
        let mut json = Vec::new();
        TaskBody::from(&task).write_to(&mut json);
        assert_eq!(String::from_utf8(json).unwrap(), wanted.to_string());
    }

    fn new(title: &str, description: Option<&str>) -> NewTask {
        NewTask {
            title: Title::parse(title).unwrap(),
            description: description.map(|text| Description::parse(text).unwrap()),
            status: Status::Pending,
        }
    }

    #[test]
    fn the_fingerprint_tells_every_difference() {
        let prints = [
            new("a", None),
            new("a", Some("")),
            new("a", Some("b")),
            new("ab", None),
            NewTask {
                status: Status::Completed,
                ..new("a", None)
            },
        ]
        .map(|new| fingerprint(&new).0);
        for (index, print) in prints.iter().enumerate() {
            assert_eq!(prints.iter().position(|other| other == print), Some(index));
        }
    }

    /// They are stored: a client that repeats a creation across an upgrade must not be told that it asks for something
    /// else.
    #[test]
    fn the_fingerprints_of_today_stay_what_they_are() {
        for (new, begins) in [
            (
                new("a", Some("b")),
                [0xbe, 0xc5, 0xa7, 0xd6, 0x40, 0x4c, 0x03, 0x7b],
            ),
            (new("a", None), [0x09, 0xdc, 0xc9, 0x52, 0xbb, 0x3d, 0x5d, 0xbe]),
        ] {
            assert!(fingerprint(&new).0.starts_with(&begins), "{new:?}");
        }
    }

    proptest! {
        #[test]
        fn every_title_and_description_reads_back(title in any::<String>(), description in any::<Option<String>>()) {
            let mut parts = a_task(&an_owner(), "title").parts().clone();
            if let (Ok(title), Ok(description)) = (Title::parse(title), description.map(Description::parse).transpose()) {
                parts.title = title.clone();
                parts.description = description.clone();
                let read = read_back(&Task::restore(parts).unwrap());
                prop_assert_eq!(read["title"].as_str(), Some(title.as_str()));
                prop_assert_eq!(read["description"].as_str(), description.as_ref().map(Description::as_str));
            }
        }

        #[test]
        fn every_text_is_written_as_serde_json_writes_it(text in any::<String>()) {
            let mut json = Vec::new();
            write_text(&mut json, &text);
            prop_assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }
}
