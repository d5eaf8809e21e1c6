//! The rules of single fields of bodies, with the limits of the domain, as the OpenAPI document states them.

use domain::identity::Owner;
use serde_json::Value;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Ref, SchemaFormat, Type};

/// The task of the examples.
pub(crate) const TASK_ID: &str = "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
/// The request of the examples.
pub(crate) const REQUEST_ID: &str = "01939f6e-2f4a-7e02-8c11-0d7a3b1c5e77";
pub(crate) const REQUEST_ID_PATTERN: &str = "^[A-Za-z0-9._-]{1,64}$";
pub(crate) const WITHOUT_NUL: &str = r"^[^\u0000]*$";
pub(crate) const WITHOUT_CONTROL_CHARACTERS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";

/// A component, by its name.
pub(crate) fn reference(name: &str) -> Ref {
    Ref::from_schema_name(name)
}

pub(crate) fn task_id() -> ObjectBuilder {
    text()
        .format(Some(SchemaFormat::Custom("uuid".to_owned())))
        .description(Some("Made by the server; opaque to clients."))
        .examples([TASK_ID])
}

pub(crate) fn status() -> Ref {
    reference("Status")
}

pub(crate) fn user_id() -> ObjectBuilder {
    text()
        .description(Some("The user whose task it is: the user id of the token."))
        .min_length(Some(1))
        .max_length(Some(Owner::MAX_CHARS))
        .pattern(Some(WITHOUT_CONTROL_CHARACTERS))
        .examples(["usr_9f2c"])
}

pub(crate) fn expires_at() -> ObjectBuilder {
    timestamp("When the token expires")
}

pub(crate) fn timestamp(what: &str) -> ObjectBuilder {
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
        .pattern(Some("^(/[A-Za-z0-9._~-]+)*/problems/[a-z-]+$"))
        .examples(["/problems/task-not-found"])
}

pub(crate) fn request_id() -> ObjectBuilder {
    text()
        .description(Some("The id of the request, as in `X-Request-Id`."))
        .pattern(Some(REQUEST_ID_PATTERN))
        .examples([REQUEST_ID])
}

pub(crate) fn one_of<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> ObjectBuilder {
    text().enum_values(Some(values))
}

pub(crate) fn date_time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

pub(crate) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(crate) fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}
