//! The bodies of `/api/tasks`.

use chrono::{DateTime, Utc};
use domain::identity::Caller;
use domain::task::{
    Description, DescriptionError, Edit, NewTask, Status, Summary, Task, TaskChange, TaskId, TaskParts,
    Title, TitleError,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
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
    #[schema(schema_with = schema::title)]
    title: &'a str,
    #[schema(required, schema_with = schema::description)]
    description: Option<&'a str>,
    #[schema(schema_with = schema::status)]
    status: &'static str,
    #[schema(schema_with = schema::user_id)]
    user_id: &'a str,
    #[schema(schema_with = schema::version)]
    version: i32,
    #[schema(schema_with = schema::created_at)]
    created_at: DateTime<Utc>,
    #[schema(schema_with = schema::updated_at)]
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

/// How many tasks there are, for the badges of tabs.
#[derive(Serialize, ToSchema)]
#[schema(as = Summary)]
pub(crate) struct SummaryBody {
    total: u64,
    #[schema(inline)]
    by_status: ByStatus,
}

#[derive(Serialize, ToSchema)]
struct ByStatus {
    pending: u64,
    in_progress: u64,
    completed: u64,
}

impl From<&Summary> for SummaryBody {
    fn from(summary: &Summary) -> Self {
        Self {
            total: summary.total(),
            by_status: ByStatus {
                pending: summary.with_status(Status::Pending),
                in_progress: summary.with_status(Status::InProgress),
                completed: summary.with_status(Status::Completed),
            },
        }
    }
}

/// How many tasks were deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = Deleted)]
pub(crate) struct DeletedBody {
    pub(crate) deleted: u64,
}

/// Reads the body of a creation.
pub(crate) fn new_task(body: JsonObject, caller: &Caller) -> Result<NewTask, FieldErrors> {
    let mut title = None;
    let mut has_title = false;
    let mut description = None;
    let mut status = Status::default();
    let mut errors = FieldErrors::default();
    body.read_members(&mut errors, |name, value| match name {
        "title" => {
            has_title = true;
            read_title(value).map(|read| title = Some(read)).into()
        }
        "description" => read_description(value).map(|read| description = read).into(),
        "status" => read_status(&value).map(|read| status = read).into(),
        "user_id" => read_user_id(&value, caller).into(),
        "id" => Reading::Done,
        name => read_only(name),
    });
    if !has_title {
        errors.add_member("title", &Rule::Missing);
    }
    match title {
        Some(title) => errors.or(NewTask {
            title,
            description,
            status,
        }),
        None => Err(errors),
    }
}

/// What a change that asks for nothing is.
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
    let mut change = TaskChange::default();
    let mut errors = FieldErrors::default();
    body.read_members(&mut errors, |name, value| match name {
        "title" => read_title(value)
            .map(|read| change.title = Edit::Set(read))
            .into(),
        "description" => read_description(value)
            .map(|read| change.description = Edit::Set(read))
            .into(),
        "status" => read_status(&value)
            .map(|read| change.status = Edit::Set(read))
            .into(),
        "user_id" => read_user_id(&value, caller).into(),
        "id" => read_id(&value, path_id).into(),
        name => read_only(name),
    });
    if empty == Empty::IsMissing && errors.is_empty() && change.is_empty() {
        return Err(FieldErrors::of_body(&Rule::Missing));
    }
    errors.or(change)
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
    let text = value.as_str().ok_or(Rule::NotAString)?;
    Status::parse(text).map_err(|_| Rule::not_a_status())
}

fn read_string(value: Value) -> Result<String, Rule> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Rule::NotAString),
    }
}

/// A client may send back what it got, but never somebody else's id: a form filled in before a change of account
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

/// What clients get and may send back without effect.
fn read_only(name: &str) -> Reading {
    match name {
        "created_at" | "updated_at" | "version" => Reading::Done,
        _ => Reading::Unknown,
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
    fn a_task_has_these_members_in_this_order() {
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
