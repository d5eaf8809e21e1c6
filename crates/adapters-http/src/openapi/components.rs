//! The bodies of requests and responses, by their names.

use domain::task::Status;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use crate::problem::fields::FieldError;
use crate::problem::{Code, Document};
use crate::schema;
use crate::wire::about::{ExplanationBody, HealthBody, MeBody, ServiceBody};
use crate::wire::counts::{DeletedBody, SummaryBody};
use crate::wire::task::{self, TaskBody};

/// Every component, by its name.
pub(super) fn all() -> Vec<(String, RefOr<Schema>)> {
    fn of<T: ToSchema>() -> (String, RefOr<Schema>) {
        (T::name().into_owned(), T::schema())
    }
    let named = |name: &str, schema: ObjectBuilder| (name.to_owned(), schema.into());
    vec![
        of::<TaskBody<'_>>(),
        named("NewTask", new_task()),
        named("TaskUpdate", task_update()),
        named("TaskPatch", task_patch()),
        named("Status", statuses()),
        of::<SummaryBody>(),
        of::<DeletedBody>(),
        of::<MeBody<'_>>(),
        of::<ServiceBody>(),
        of::<HealthBody>(),
        of::<ExplanationBody>(),
        of::<Document<'_>>(),
        named("ProblemCode", problem_codes()),
        of::<FieldError>(),
    ]
}

fn new_task() -> ObjectBuilder {
    task::in_a_request()
        .description(Some(
            "A task to create. A task that was read may be sent back as it is.",
        ))
        .required("title")
}

fn task_update() -> ObjectBuilder {
    task_patch().min_properties(Some(1))
}

fn task_patch() -> ObjectBuilder {
    task::in_a_request().description(Some(
        "What to change. Fields that are not sent stay as they are; `null` clears what may be `null`.",
    ))
}

fn statuses() -> ObjectBuilder {
    schema::one_of(Status::ALL.map(Status::as_str)).description(Some(
        "How far a task is. A new one is pending unless it says otherwise.",
    ))
}

fn problem_codes() -> ObjectBuilder {
    schema::one_of(Code::ALL.iter().map(|code| code.as_str())).description(Some(
        "What went wrong. A code never changes its name or its status.",
    ))
}
