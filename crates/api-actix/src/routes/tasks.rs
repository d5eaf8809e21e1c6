//! `/api/tasks`: the handlers above, the bodies and parameters they read and write below.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::identity::{Caller, Owner};
use domain::task::{
    Description, DescriptionError, Edit, Expected, InvalidPageLimit, NewTask, Page, PageLimit, Status, Task,
    TaskChange, TaskId, TaskParts, TaskQuery, Title, TitleError,
};
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::authenticated::Authenticated;
use crate::body::{JsonObject, Reading};
use crate::cursor;
use crate::etag;
use crate::fields::{FieldErrors, Rule};
use crate::problem::{Code, Problem};

const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
const X_PAGE_LIMIT: HeaderName = HeaderName::from_static("x-page-limit");

/// `POST /api/tasks`
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    body: JsonObject,
) -> Result<HttpResponse, Problem> {
    let new = new_task(body, &caller)?;
    let task = app.tasks.create(&caller, new, None).await?.task;
    let location = format!("/api/tasks/{}", task.id());
    Ok(answer(
        HttpResponse::Created().insert_header((header::LOCATION, location)),
        &task,
    ))
}

/// `GET /api/tasks`
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = task_query(request.query_string(), &caller.owner)?;
    let page = app.tasks.list(&caller, &query).await?;
    Ok(page_answer(
        &page,
        &caller.owner,
        query.limit,
        request.query_string(),
    ))
}

/// `GET /api/tasks/{task_id}`
pub(crate) async fn get(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
) -> Result<HttpResponse, Problem> {
    let task = app.tasks.get(&caller, id.task_id()?).await?;
    Ok(answer(&mut HttpResponse::Ok(), &task))
}

/// `PUT /api/tasks/{task_id}`
pub(crate) async fn update(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
    body: JsonObject,
) -> Result<HttpResponse, Problem> {
    let change = task_change(body, &caller, id.text())?;
    let task = app
        .tasks
        .update(&caller, id.task_id()?, &change, &Expected::Any)
        .await?;
    Ok(answer(&mut HttpResponse::Ok(), &task))
}

/// `DELETE /api/tasks/{task_id}`
pub(crate) async fn delete(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
) -> Result<HttpResponse, Problem> {
    app.tasks.delete(&caller, id.task_id()?, &Expected::Any).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The `{task_id}` of a path, as it was sent. Reading it never fails: it is looked at after the body and the headers,
/// and what is no id is then the id of no task.
pub(crate) struct PathId(String);

impl PathId {
    fn text(&self) -> &str {
        &self.0
    }

    fn task_id(&self) -> Result<TaskId, Problem> {
        TaskId::parse(&self.0).map_err(|_| Problem::new(Code::TaskNotFound))
    }
}

impl FromRequest for PathId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(
            request.match_info().get("task_id").unwrap_or_default().to_owned(),
        )))
    }
}

fn answer(answer: &mut HttpResponseBuilder, task: &Task) -> HttpResponse {
    answer
        .insert_header((header::ETAG, etag::of(task.version())))
        .json(TaskBody::from(task))
}

/// A task as clients see it.
#[derive(Serialize)]
struct TaskBody<'a> {
    id: String,
    title: &'a str,
    description: Option<&'a str>,
    status: &'static str,
    user_id: &'a str,
    version: i32,
    created_at: String,
    updated_at: String,
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
            id: id.to_string(),
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            status: status.as_str(),
            user_id: owner.as_str(),
            version: version.get(),
            created_at: timestamp(*created_at),
            updated_at: timestamp(*updated_at),
        }
    }
}

/// RFC 3339 in UTC, always with six digits of a second.
fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A page as a bare array; how to go on stands in the headers (RFC 8288).
fn page_answer(page: &Page<Task>, owner: &Owner, limit: PageLimit, query: &str) -> HttpResponse {
    let kept: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !gives_cursor(pair))
        .collect();
    let target = |cursor: Option<&str>| {
        let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
        let pairs: Vec<_> = kept.iter().copied().chain(cursor.as_deref()).collect();
        if pairs.is_empty() {
            "/api/tasks".to_owned()
        } else {
            format!("/api/tasks?{}", pairs.join("&"))
        }
    };
    let mut answer = HttpResponse::Ok();
    answer.insert_header((X_PAGE_LIMIT, limit.get().to_string()));
    let mut links = Vec::new();
    if let Some(next) = page.next {
        let next = cursor::encode(next, owner);
        links.push(format!("<{}>; rel=\"next\"", target(Some(&next))));
        answer.insert_header((X_NEXT_CURSOR, next));
    }
    links.push(format!("<{}>; rel=\"first\"", target(None)));
    answer.insert_header((header::LINK, links.join(", ")));
    answer.json(page.items.iter().map(TaskBody::from).collect::<Vec<_>>())
}

/// Whether this pair of a query string gives the cursor, however its name is written (`%63ursor` is `cursor`).
fn gives_cursor(pair: &str) -> bool {
    form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == "cursor")
}

/// Reads the parameters of the list: `limit` and `cursor`, each once.
fn task_query(query: &str, owner: &Owner) -> Result<TaskQuery, FieldErrors> {
    let mut read = TaskQuery::default();
    let mut errors = FieldErrors::default();
    let mut seen = HashSet::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let result = match name.as_ref() {
            name if seen.contains(name) => Err(Rule::Extra),
            "limit" => page_limit(&value).map(|limit| read.limit = limit),
            "cursor" => cursor::decode(&value, owner)
                .map(|cursor| read.after = Some(cursor))
                .ok_or(Rule::InvalidCursor),
            _ => Err(Rule::Extra),
        };
        if let Err(rule) = result {
            errors.add_parameter(&name, &rule);
        }
        seen.insert(name.into_owned());
    }
    errors.or(read)
}

fn page_limit(text: &str) -> Result<PageLimit, Rule> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rule::NotAnInteger);
    }
    // A number too long for the type is still a number, and out of range.
    let number = text
        .parse()
        .unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX });
    PageLimit::new(number).map_err(|error| match error {
        InvalidPageLimit::TooSmall => Rule::TooSmall { min: PageLimit::MIN },
        InvalidPageLimit::TooLarge => Rule::TooLarge { max: PageLimit::MAX },
    })
}

/// Reads the body of a creation.
fn new_task(body: JsonObject, caller: &Caller) -> Result<NewTask, FieldErrors> {
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

/// Reads the body of an update: what it does not name stays as it is.
fn task_change(body: JsonObject, caller: &Caller, path_id: &str) -> Result<TaskChange, FieldErrors> {
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
    if errors.is_empty() && change.is_empty() {
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
    Status::parse(text).map_err(|_| Rule::NotOneOf(Status::ALL.map(Status::as_str).to_vec()))
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
