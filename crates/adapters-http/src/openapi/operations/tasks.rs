//! `/api/tasks`.

use serde_json::json;
use utoipa::openapi::Required;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::ArrayBuilder;

use super::{Example, JSON, JsonBody, Referring, TASKS, answer_to_user, content, of_user};
use crate::body::MERGE_PATCH;
use crate::openapi::failures::{
    BAD_REQUEST, BODY_TOO_LARGE, INVALID_FILTER, INVALID_NEW_TASK, INVALID_QUERY, INVALID_TASK,
    PRECONDITION_FAILED, PRECONDITION_REQUIRED, ProblemResponse, REQUEST_TIMEOUT, TASK_NOT_FOUND,
    UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_PATCH_TYPE,
};
use crate::openapi::parameters::STATUS_TO_DELETE;
use crate::schema::reference;
use crate::wire::task::example;

const PAGE_HEADERS: &[&str] = &["ETag", "Link", "X-Next-Cursor", "X-Page-Limit", "X-Total-Count"];

pub(in crate::openapi) fn list() -> OperationBuilder {
    let examples = [
        (
            "tasks",
            "Two tasks",
            json!([example::task(), example::other_task()]),
        ),
        ("none", "No task", json!([])),
    ];
    let tasks = content(ArrayBuilder::new().items(reference("Task")), examples);
    let page = answer_to_user(
        "A page of the user's tasks, as a bare array. Without `rel=\"next\"` in `Link` it is the last one.",
        PAGE_HEADERS,
    );
    let unchanged = answer_to_user(
        "Nothing has changed since the answer that `If-None-Match` names.",
        PAGE_HEADERS,
    );
    of_user(
        TASKS,
        "listTasks",
        "List tasks",
        "The user's tasks, page by page, the newest first unless `sort` says otherwise. Filters come \
         before the page. An unknown parameter is a 422: a mistyped filter must not answer everything. \
         Tasks that come and go meanwhile make no page skip or repeat another one; a task whose sort \
         key changes meanwhile may move.",
    )
    .takes(&[
        "status",
        "q",
        "sort",
        "limit",
        "cursor",
        "updated_since",
        "count",
        "If-None-Match",
    ])
    .response("200", page.content(JSON, tasks))
    .response("304", unchanged)
    .fails_with(&[INVALID_QUERY, UNAVAILABLE])
}

pub(in crate::openapi) fn create() -> OperationBuilder {
    let created = answer_to_user(
        "The new task; or, with `Idempotency-Replayed`, the one that an earlier request with the same \
         key made, as it is now.",
        &["ETag", "Location", "Idempotency-Replayed"],
    );
    of_user(
        TASKS,
        "createTask",
        "Create a task",
        "Only `title` is required. What is read-only is the server's: it \
         may be sent and is ignored, but a `user_id` of another user is a 422 `owner_mismatch`. With \
         an `Idempotency-Key` the request may be repeated: the task is made once. The same key with \
         another task is a 422 `idempotency_key_reused`.",
    )
    .takes(&["Idempotency-Key"])
    .request_body(Some(body(
        &[JSON],
        "NewTask",
        [
            ("short", "Only what is required", json!({ "title": "Buy milk" })),
            ("full", "Everything", example::all_fields()),
        ],
    )))
    .response("201", created.json("Task", ("task", "A task", example::task())))
    .fails_with(&[
        BAD_REQUEST,
        REQUEST_TIMEOUT,
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        INVALID_NEW_TASK,
        UNAVAILABLE,
    ])
}

pub(in crate::openapi) fn delete_many() -> OperationBuilder {
    let deleted = answer_to_user("How many tasks were deleted.", &[]);
    of_user(
        TASKS,
        "deleteTasks",
        "Delete tasks by status",
        "Deletes all tasks of the user with one of these statuses, at once or not at all. No other \
         filter is taken: a mistake here cannot be undone.",
    )
    .takes(&[STATUS_TO_DELETE])
    .response(
        "200",
        deleted.json("Deleted", ("deleted", "Three tasks", json!({ "deleted": 3 }))),
    )
    .fails_with(&[INVALID_FILTER, UNAVAILABLE])
}

pub(in crate::openapi) fn summary() -> OperationBuilder {
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
        summary.json("Summary", ("summary", "Seven tasks", example)),
    )
    .fails_with(&[INVALID_QUERY, UNAVAILABLE])
}

pub(in crate::openapi) fn get() -> OperationBuilder {
    let found = answer_to_user("The task.", &["ETag"]);
    let unchanged = answer_to_user(
        "The task is still at the version that `If-None-Match` names.",
        &["ETag"],
    );
    of_user(
        TASKS,
        "getTask",
        "Read a task",
        "A task of another user is a 404, exactly like one that does not exist.",
    )
    .takes(&["task_id", "If-None-Match"])
    .response("200", found.json("Task", ("task", "A task", example::task())))
    .response("304", unchanged)
    .fails_with(&[TASK_NOT_FOUND, UNAVAILABLE])
}

pub(in crate::openapi) fn put() -> OperationBuilder {
    change(
        "putTask",
        "Change a task",
        "Changes the fields that are sent; those that are not sent stay as they are. A body that asks \
         for nothing is a 422. Never creates a task. A change to what already is keeps the version.",
        "TaskUpdate",
        &[JSON],
        UNSUPPORTED_MEDIA_TYPE,
    )
}

pub(in crate::openapi) fn patch() -> OperationBuilder {
    change(
        "patchTask",
        "Change a task (JSON Merge Patch)",
        "As PUT, and a body that asks for nothing changes nothing (RFC 7396). A change to what already \
         is keeps the version.",
        "TaskPatch",
        &[JSON, MERGE_PATCH],
        UNSUPPORTED_PATCH_TYPE,
    )
}

fn change(
    id: &str,
    summary: &str,
    description: &str,
    schema: &str,
    media_types: &[&str],
    unsupported_type: ProblemResponse,
) -> OperationBuilder {
    let changed = answer_to_user("The task after the change.", &["ETag"]);
    let examples = [
        ("complete", "One field", json!({ "status": "completed" })),
        (
            "without_description",
            "No description any more",
            json!({ "description": null }),
        ),
    ];
    of_user(TASKS, id, summary, description)
        .takes(&["task_id", "If-Match"])
        .request_body(Some(body(media_types, schema, examples)))
        .response(
            "200",
            changed.json("Task", ("task", "A task", example::changed_task())),
        )
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

pub(in crate::openapi) fn delete() -> OperationBuilder {
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

fn body<const N: usize>(media_types: &[&str], component: &str, examples: [Example<'_>; N]) -> RequestBody {
    let content = content(reference(component), examples);
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    let with_media_types = media_types.iter().fold(body, |body, media_type| {
        body.content(*media_type, content.clone())
    });
    with_media_types.build()
}
