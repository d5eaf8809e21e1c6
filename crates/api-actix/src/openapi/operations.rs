//! The operations, each with everything that it takes and answers.

use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Required, ResponseBuilder, Schema};

use super::failures::{
    BAD_REQUEST, BODY_TOO_LARGE, Failure, INTERNAL_ERROR, INVALID_FILTER, INVALID_NEW_TASK, INVALID_QUERY,
    INVALID_TASK, KEYS_UNAVAILABLE, NOT_READY, PRECONDITION_FAILED, PRECONDITION_REQUIRED, REQUEST_TIMEOUT,
    ROUTE_NOT_FOUND, TASK_NOT_FOUND, TOO_MANY_REQUESTS, UNAUTHORIZED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE,
    UNSUPPORTED_PATCH_TYPE,
};
use super::parameters::STATUS_TO_DELETE;
use super::schemas::{TASK_ID, reference, text};
use super::{headers, parameters};
use crate::problem::Code;

/// The security scheme.
pub(super) const BEARER: &str = "bearer";
/// The tags.
pub(super) const TASKS: &str = "tasks";
pub(super) const USER: &str = "user";
pub(super) const SERVICE: &str = "service";

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(super) fn list_tasks() -> OperationBuilder {
    let tasks = ArrayBuilder::new().items(reference("Task"));
    let page = answer_to_user(
        "A page of the user's tasks, as a bare array. Without `rel=\"next\"` in `Link` it is the last one.",
        &["ETag", "Link", "X-Next-Cursor", "X-Page-Limit", "X-Total-Count"],
    );
    let unchanged = answer_to_user(
        "Nothing has changed since the answer that `If-None-Match` names.",
        &["ETag", "Link", "X-Next-Cursor", "X-Page-Limit", "X-Total-Count"],
    );
    of_user(
        TASKS,
        "listTasks",
        "List tasks",
        "The user's tasks, page by page, the newest first unless `sort` says otherwise. Filters come before the page. An unknown \
         parameter is a 422: a mistyped filter must not answer everything. Tasks that come and go meanwhile make no page skip or repeat \
         another one; a task whose sort key changes meanwhile may move.",
    )
    .takes(&[
        "status", "q", "sort", "limit", "cursor", "updated_since", "count", "If-None-Match",
    ])
    .response("200", page.content(JSON, content(tasks, [("tasks", "Two tasks", json!([task(), other_task()])), ("none", "No task", json!([]))])))
    .response("304", unchanged)
    .fails_with(&[INVALID_QUERY, UNAVAILABLE])
}

pub(super) fn create_task() -> OperationBuilder {
    let created = answer_to_user(
        "The new task; or, with `Idempotency-Replayed`, the one that an earlier request with the same key made, as it is now.",
        &["ETag", "Location", "Idempotency-Replayed"],
    );
    of_user(
        TASKS,
        "createTask",
        "Create a task",
        "Only `title` is required. The id, the user, the version and the times are the server's: they may be sent and are ignored, but \
         a `user_id` of somebody else is a 422 `owner_mismatch`. With an `Idempotency-Key` the request may be repeated: the task is made \
         once. The same key with another title, description or status is a 422 `idempotency_key_reused`.",
    )
    .takes(&["Idempotency-Key"])
    .request_body(Some(body(
        &[JSON],
        "NewTask",
        [
            ("short", "Only what is required", json!({ "title": "Buy milk" })),
            (
                "full",
                "Everything",
                json!({ "title": "Buy milk", "description": "2 litres", "status": "pending" }),
            ),
        ],
    )))
    .response("201", created.content(JSON, one_task(task())))
    .fails_with(&[
        BAD_REQUEST,
        REQUEST_TIMEOUT,
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        INVALID_NEW_TASK,
        UNAVAILABLE,
    ])
}

pub(super) fn delete_tasks() -> OperationBuilder {
    let deleted = answer_to_user("How many tasks were deleted.", &[]);
    of_user(
        TASKS,
        "deleteTasks",
        "Delete tasks by status",
        "Deletes all tasks of the user with one of these statuses, at once or not at all. No other filter is taken: a mistake here \
         cannot be undone.",
    )
    .takes(&[STATUS_TO_DELETE])
    .response(
        "200",
        deleted.content(JSON, content(reference("Deleted"), [("deleted", "Three tasks", json!({ "deleted": 3 }))])),
    )
    .fails_with(&[INVALID_FILTER, UNAVAILABLE])
}

pub(super) fn summarize_tasks() -> OperationBuilder {
    let summary = answer_to_user("How many tasks the user has.", &[]);
    let example = json!({ "total": 7, "by_status": { "pending": 3, "in_progress": 1, "completed": 3 } });
    of_user(
        TASKS,
        "summarizeTasks",
        "Count tasks by status",
        "For the badges of tabs. Takes no parameters.",
    )
    .response(
        "200",
        summary.content(
            JSON,
            content(reference("Summary"), [("summary", "Seven tasks", example)]),
        ),
    )
    .fails_with(&[INVALID_QUERY, UNAVAILABLE])
}

pub(super) fn get_task() -> OperationBuilder {
    let found = answer_to_user("The task.", &["ETag"]);
    let unchanged = answer_to_user(
        "The task is still at the version that `If-None-Match` names.",
        &["ETag"],
    );
    of_user(
        TASKS,
        "getTask",
        "Read a task",
        "A task of somebody else is a 404, exactly like one that does not exist.",
    )
    .takes(&["task_id", "If-None-Match"])
    .response("200", found.content(JSON, one_task(task())))
    .response("304", unchanged)
    .fails_with(&[TASK_NOT_FOUND, UNAVAILABLE])
}

pub(super) fn put_task() -> OperationBuilder {
    change(
        "putTask",
        "Change a task",
        "Changes the members that are sent; those that are not sent stay as they are. A body that asks for nothing is a 422. Never \
         creates a task. A change to what already is keeps the version.",
        &[JSON],
        UNSUPPORTED_MEDIA_TYPE,
    )
}

pub(super) fn patch_task() -> OperationBuilder {
    change(
        "patchTask",
        "Change a task (JSON Merge Patch)",
        "As PUT, and a body that asks for nothing changes nothing (RFC 7396). A change to what already is keeps the version.",
        &[JSON, MERGE_PATCH],
        UNSUPPORTED_PATCH_TYPE,
    )
}

fn change(
    id: &str,
    summary: &str,
    description: &str,
    media_types: &[&str],
    unsupported_type: Failure,
) -> OperationBuilder {
    let changed = answer_to_user("The task after the change.", &["ETag"]);
    let examples = [
        ("complete", "One member", json!({ "status": "completed" })),
        (
            "without_description",
            "No description any more",
            json!({ "description": null }),
        ),
    ];
    of_user(TASKS, id, summary, description)
        .takes(&["task_id", "If-Match"])
        .request_body(Some(body(media_types, "TaskChange", examples)))
        .response("200", changed.content(JSON, one_task(changed_task())))
        .fails_with(&[
            BAD_REQUEST,
            TASK_NOT_FOUND,
            REQUEST_TIMEOUT,
            PRECONDITION_FAILED,
            BODY_TOO_LARGE,
            unsupported_type,
            INVALID_TASK,
            PRECONDITION_REQUIRED,
            UNAVAILABLE,
        ])
}

pub(super) fn delete_task() -> OperationBuilder {
    of_user(
        TASKS,
        "deleteTask",
        "Delete a task",
        "For good. A second deletion is a 404.",
    )
    .takes(&["task_id", "If-Match"])
    .response("204", answer_to_user("The task is gone.", &[]))
    .fails_with(&[
        BAD_REQUEST,
        TASK_NOT_FOUND,
        PRECONDITION_FAILED,
        PRECONDITION_REQUIRED,
        UNAVAILABLE,
    ])
}

pub(super) fn get_me() -> OperationBuilder {
    let me = answer_to_user("The user and the token.", &[]);
    let example = json!({
        "user_id": "usr_9f2c", "expires_at": "2026-11-23T07:02:44.000000Z", "issuer": "https://app.example",
    });
    of_user(
        USER,
        "getMe",
        "Who am I",
        "Whose token this is, who issued it and how long it is good for.",
    )
    .response(
        "200",
        me.content(JSON, content(reference("Me"), [("me", "A user", example)])),
    )
    .fails_with(&[KEYS_UNAVAILABLE])
}

pub(super) fn get_service() -> OperationBuilder {
    let example = json!({
        "name": "task-api", "version": env!("CARGO_PKG_VERSION"), "docs": "/docs", "openapi": "/openapi.json",
    });
    of_anybody(
        "getService",
        "What this is",
        "The name and the version of the service, and where it is described.",
    )
    .response(
        "200",
        answer("The service.", &[]).content(
            JSON,
            content(reference("Service"), [("service", "The service", example)]),
        ),
    )
}

pub(super) fn get_health(id: &str) -> OperationBuilder {
    of_anybody(
        id,
        "Whether it works",
        "Always 200 while the process lives; `degraded` after a use of the database that did not reach it. Asks nothing of the database.",
    )
    .response("200", health())
}

pub(super) fn get_liveness() -> OperationBuilder {
    of_anybody(
        "getLiveness",
        "Whether it lives",
        "Always `ok`. Restart the process when this does not answer; never because of the database.",
    )
    .response("200", health())
}

pub(super) fn get_readiness() -> OperationBuilder {
    of_anybody(
        "getReadiness",
        "Whether it should get work",
        "Asks the database, at most once a second. 503 while it is out of reach or the server is stopping.",
    )
    .response("200", health())
    .fails_with(&[NOT_READY])
}

pub(super) fn get_openapi() -> OperationBuilder {
    let document = ObjectBuilder::new()
        .description(Some("An OpenAPI 3.1 document."))
        .property("openapi", text())
        .property("info", ObjectBuilder::new())
        .property("paths", ObjectBuilder::new())
        .required("openapi")
        .required("info")
        .required("paths");
    let example = json!({ "openapi": "3.1.0", "info": { "title": "Task API", "version": env!("CARGO_PKG_VERSION") }, "paths": {} });
    of_anybody("getOpenApi", "This document", "For people there is `/docs`.")
        .takes(&["If-None-Match"])
        .response(
            "200",
            answer("The document.", &["ETag"])
                .content(JSON, content(document, [("document", "Its beginning", example)])),
        )
        .response(
            "304",
            answer("It is still the one that `If-None-Match` names.", &["ETag"]),
        )
}

pub(super) fn explain_problem() -> OperationBuilder {
    let code = Code::TaskNotFound;
    let example = json!({
        "code": code.as_str(), "status": code.status().as_u16(), "title": code.title(), "detail": code.detail(),
    });
    let page = ContentBuilder::new().schema(Some(text()));
    of_anybody(
        "explainProblem",
        "What a problem means",
        "Where the `type` of a problem document leads: JSON, or a page for browsers.",
    )
    .takes(&["code"])
    .response(
        "200",
        answer("The explanation.", &[])
            .content(
                JSON,
                content(reference("Explanation"), [("explanation", "A problem", example)]),
            )
            .content("text/html", page.build()),
    )
    .fails_with(&[ROUTE_NOT_FOUND])
}

/// An operation that needs a token.
fn of_user(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    operation(tag, id, summary, description)
        .security(SecurityRequirement::new(BEARER, Vec::<String>::new()))
        .fails_with(&[UNAUTHORIZED, TOO_MANY_REQUESTS])
}

/// An operation that needs none.
fn of_anybody(id: &str, summary: &str, description: &str) -> OperationBuilder {
    operation(SERVICE, id, summary, description).securities(Some([]))
}

fn operation(tag: &str, id: &str, summary: &str, description: &str) -> OperationBuilder {
    OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(id))
        .summary(Some(summary))
        .description(Some(description))
        .fails_with(&[INTERNAL_ERROR])
}

/// What operations refer to by name.
trait Referring {
    fn takes(self, parameters: &[&str]) -> Self;
    fn fails_with(self, failures: &[Failure]) -> Self;
}

impl Referring for OperationBuilder {
    fn takes(self, parameters: &[&str]) -> Self {
        parameters.iter().fold(self, |operation, name| {
            operation.parameter_ref(parameters::reference(name))
        })
    }

    fn fails_with(self, failures: &[Failure]) -> Self {
        failures.iter().fold(self, |operation, failure| {
            operation.response(failure.status(), failure.reference())
        })
    }
}

/// A success, with these headers besides those of every answer.
fn answer(description: &str, headers: &[&str]) -> ResponseBuilder {
    ["X-Request-Id"]
        .iter()
        .chain(headers)
        .fold(ResponseBuilder::new().description(description), |answer, name| {
            answer.header_ref(*name, headers::reference(name))
        })
}

/// A success that counts for the user's rate limit.
fn answer_to_user(description: &str, headers: &[&str]) -> ResponseBuilder {
    answer(
        description,
        &[headers, &["RateLimit", "RateLimit-Policy"]].concat(),
    )
}

fn health() -> ResponseBuilder {
    answer("It answers.", &[]).content(
        JSON,
        content(
            reference("Health"),
            [("ok", "All is well", json!({ "status": "ok" }))],
        ),
    )
}

fn body<const N: usize>(
    media_types: &[&str],
    schema: &str,
    examples: [(&str, &str, Value); N],
) -> RequestBody {
    let content = content(reference(schema), examples);
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    media_types
        .iter()
        .fold(body, |body, media_type| {
            body.content(*media_type, content.clone())
        })
        .build()
}

/// A body of this schema, with examples: name, summary, value.
fn content<const N: usize>(schema: impl Into<RefOr<Schema>>, examples: [(&str, &str, Value); N]) -> Content {
    let examples = examples
        .map(|(name, summary, value)| (name, ExampleBuilder::new().summary(summary).value(Some(value))));
    ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter(examples)
        .build()
}

fn one_task(example: Value) -> Content {
    content(reference("Task"), [("task", "A task", example)])
}

fn task() -> Value {
    version_of_task(1, "pending", "2026-11-23T06:47:44.123000Z")
}

fn changed_task() -> Value {
    version_of_task(2, "completed", "2026-11-23T07:15:00.250000Z")
}

fn version_of_task(version: i32, status: &str, updated_at: &str) -> Value {
    json!({
        "id": TASK_ID, "title": "Buy milk", "description": "2 litres", "status": status, "user_id": "usr_9f2c", "version": version,
        "created_at": "2026-11-23T06:47:44.123000Z", "updated_at": updated_at,
    })
}

fn other_task() -> Value {
    json!({
        "id": "01939f6d-8a10-7b3e-8f21-55c0de9a7b42", "title": "Water the plants", "description": null, "status": "completed",
        "user_id": "usr_9f2c", "version": 3,
        "created_at": "2026-11-23T06:47:02.160000Z", "updated_at": "2026-11-23T06:50:31.004512Z",
    })
}
