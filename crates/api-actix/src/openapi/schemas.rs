//! The bodies of requests, and the rules of single members with the limits of the domain.

use domain::identity::Owner;
use domain::task::{Description, Status, Title};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, Ref, Schema, SchemaFormat, SchemaType, Type,
};

use crate::problem::fields::{FieldError, RULE_TYPES};
use crate::problem::{Code, Document};
use crate::routes::about::{ExplanationBody, MeBody, ServiceBody};
use crate::routes::health::HealthBody;
use crate::wire::task::{DeletedBody, SummaryBody, TaskBody};

/// The task of the examples.
pub(super) const TASK_ID: &str = "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
/// The request of the examples.
pub(super) const REQUEST_ID: &str = "01939f6e-2f4a-7e02-8c11-0d7a3b1c5e77";
pub(super) const REQUEST_ID_PATTERN: &str = "^[A-Za-z0-9._-]{1,64}$";
pub(super) const WITHOUT_NUL: &str = r"^[^\u0000]*$";
const WITHOUT_CONTROL_CHARACTERS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

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

pub(super) fn reference(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

fn new_task() -> ObjectBuilder {
    task_in_a_request()
        .description(Some(
            "A task to create. A task that was read may be sent back as it is.",
        ))
        .required("title")
}

fn task_update() -> ObjectBuilder {
    task_patch().min_properties(Some(1))
}

fn task_patch() -> ObjectBuilder {
    task_in_a_request().description(Some(
        "What to change. Members that are not sent stay as they are; `null` clears what may be `null`.",
    ))
}

/// The members that the server reads, and those of an answer, which it lets pass.
fn task_in_a_request() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("title", title())
        .property("description", description())
        .property("status", status())
        .property("id", task_id().read_only(true))
        .property("user_id", user_id().read_only(true))
        .property("version", version().read_only(true))
        .property("created_at", created_at().read_only(true))
        .property("updated_at", updated_at().read_only(true))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

pub(crate) fn task_id() -> ObjectBuilder {
    text()
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .description(Some("Made by the server; opaque to clients."))
        .examples([TASK_ID])
}

pub(crate) fn title() -> ObjectBuilder {
    text()
        .description(Some(
            "Unicode characters, at least one of them not white space, none of them a control character. Kept \
             exactly as sent.",
        ))
        .min_length(Some(1))
        .max_length(Some(Title::MAX_CHARS))
        .pattern(Some(WITHOUT_CONTROL_CHARACTERS))
        .examples(["Buy milk"])
}

pub(crate) fn description() -> ObjectBuilder {
    text()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some(
            "Unicode characters but NUL, kept exactly as sent; an empty text is not the same as none.",
        ))
        .max_length(Some(Description::MAX_CHARS))
        .pattern(Some(WITHOUT_NUL))
        .examples(["2 litres"])
}

pub(crate) fn status() -> Ref {
    reference("Status")
}

fn statuses() -> ObjectBuilder {
    one_of(Status::ALL.map(Status::as_str)).description(Some(
        "How far a task is. A new one is pending unless it says otherwise.",
    ))
}

pub(crate) fn user_id() -> ObjectBuilder {
    text()
        .description(Some("The user whose task it is: the user id of the token."))
        .min_length(Some(1))
        .max_length(Some(Owner::MAX_CHARS))
        .pattern(Some(WITHOUT_CONTROL_CHARACTERS))
        .examples(["usr_9f2c"])
}

pub(crate) fn version() -> ObjectBuilder {
    integer()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("1 at first, and 1 more with every change."))
        .minimum(Some(1_u16))
        .examples([1])
}

pub(crate) fn created_at() -> ObjectBuilder {
    timestamp("When it was created")
}

pub(crate) fn updated_at() -> ObjectBuilder {
    timestamp("When it was last changed")
}

pub(crate) fn expires_at() -> ObjectBuilder {
    timestamp("When the token expires")
}

fn timestamp(what: &str) -> ObjectBuilder {
    date_time()
        .description(Some(format!(
            "{what}: RFC 3339 in UTC, with six digits of a second."
        )))
        .pattern(Some(r"\.[0-9]{6}Z$"))
        .examples(["2026-11-23T06:47:44.123000Z"])
}

pub(crate) fn health_status() -> ObjectBuilder {
    one_of(["ok", "degraded"]).description(Some(
        "`degraded` if the last use of the database did not reach it.",
    ))
}

pub(crate) fn problem_code() -> Ref {
    reference("ProblemCode")
}

fn problem_codes() -> ObjectBuilder {
    one_of(Code::ALL.iter().map(|code| code.as_str())).description(Some(
        "What went wrong. A code never changes its name or its status.",
    ))
}

pub(crate) fn problem_status() -> ObjectBuilder {
    integer()
        .description(Some("The status of the answer."))
        .minimum(Some(400_u16))
        .maximum(Some(599_u16))
        .examples([404])
}

pub(crate) fn problem_type() -> ObjectBuilder {
    text()
        .format(Some(SchemaFormat::Custom("uri-reference".to_owned())))
        .description(Some("Leads to an explanation of the code."))
        .pattern(Some("^/problems/[a-z-]+$"))
        .examples(["/problems/task-not-found"])
}

pub(crate) fn request_id() -> ObjectBuilder {
    text()
        .description(Some("The id of the request, as in `X-Request-Id`."))
        .pattern(Some(REQUEST_ID_PATTERN))
        .examples([REQUEST_ID])
}

pub(crate) fn rule_type() -> ObjectBuilder {
    one_of(RULE_TYPES.iter().copied()).description(Some("Which rule is broken, as Pydantic 2 names it."))
}

pub(crate) fn rule_context() -> ObjectBuilder {
    let number = || integer().minimum(Some(0_u16));
    ObjectBuilder::new()
        .description(Some("The figures of the rule."))
        .property("min_length", number())
        .property("max_length", number())
        .property("actual_length", number())
        .property("ge", number())
        .property("le", number())
        .property(
            "expected",
            text()
                .description(Some("The values that are allowed."))
                .to_array_builder(),
        )
}

pub(super) fn one_of<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> ObjectBuilder {
    text().enum_values(Some(values))
}

pub(super) fn date_time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}
