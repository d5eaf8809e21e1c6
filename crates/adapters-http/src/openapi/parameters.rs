//! The parameters that requests carry in their paths, their queries and their headers. Each component has the name of
//! its parameter.
//!
//! None has an example: Swagger UI would send it, and every task would be created with the same `Idempotency-Key`.

use domain::task::{IdempotencyKey, PageLimit, SearchTerm};
use serde_json::json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat};
use utoipa::openapi::{Ref, Required};

use crate::problem::Code;
use crate::schema::{self, WITHOUT_NUL, date_time, integer, one_of, text};
use crate::wire::list::SORTS;

/// A `status` that is required; everything else is called as in requests.
pub(super) const STATUS_TO_DELETE: &str = "status_to_delete";

/// `*`, or a list of entity tags (RFC 9110, 13.1.1).
const ENTITY_TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;

pub(super) fn reference(name: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{name}"))
}

pub(super) fn all() -> Vec<(String, Parameter)> {
    let named = |parameter: ParameterBuilder| {
        let parameter = parameter.build();
        (parameter.name.clone(), parameter)
    };
    let mut parameters: Vec<_> = headers()
        .into_iter()
        .chain(path_segments())
        .chain(query())
        .map(named)
        .collect();
    let status = statuses("Which tasks to delete; a comma list, or repeated.").required(Required::True);
    parameters.push((STATUS_TO_DELETE.to_owned(), status.build()));
    parameters
}

fn headers() -> [ParameterBuilder; 4] {
    let header = |name, description, schema| parameter(ParameterIn::Header, name, description, schema);
    [
        header(
            "X-Request-Id",
            "An id for this request. Anything but 1 to 64 letters, digits, dots, underscores and \
             hyphens is replaced.",
            text(),
        ),
        header(
            "If-Match",
            "The `ETag` of the task that was read, such as `\"3\"` (or several, or `*`): unless one of \
             them is still right nothing is changed, and the answer is 412.",
            text().pattern(Some(ENTITY_TAGS)),
        ),
        header(
            "If-None-Match",
            "The `ETag` of an earlier answer: 304 if nothing has changed since. What cannot be read is \
             ignored.",
            text(),
        ),
        header(
            "Idempotency-Key",
            "The client's name for this creation, another one for each task (a UUID does well), so \
             that a repetition makes no second task. 1 to 255 visible ASCII characters without \
             quotation marks and backslashes, bare or in quotation marks. It belongs to the user and \
             lives as long as the task.",
            text()
                .max_length(Some(IdempotencyKey::MAX_CHARS + 2))
                .pattern(Some(r#"^("[!#-\[\]-~]+"|[!#-\[\]-~]+)$"#)),
        ),
    ]
}

fn path_segments() -> [ParameterBuilder; 2] {
    let segment = |name, description, schema| parameter(ParameterIn::Path, name, description, schema);
    let codes = Code::ALL.iter().map(|code| code.slug());
    [
        segment(
            "task_id",
            "The `id` of a task. What is no id is the id of no task.",
            text().format(Some(SchemaFormat::Custom("uuid".to_owned()))),
        ),
        segment(
            "code",
            "The `code` of a problem, with hyphens for underscores.",
            one_of(codes),
        ),
    ]
}

fn query() -> [ParameterBuilder; 7] {
    let query =
        |name, description, schema: ObjectBuilder| parameter(ParameterIn::Query, name, description, schema);
    [
        statuses("Only tasks with one of these; a comma list, or repeated."),
        query(
            "q",
            "Only tasks with this text in the title or the description, in any letter case. White space around \
             it does not count; `%` and `_` stand for themselves.",
            text()
                .min_length(Some(1))
                .max_length(Some(SearchTerm::MAX_CHARS))
                .pattern(Some(WITHOUT_NUL)),
        ),
        query(
            "sort",
            "The order, downwards with `-`. What is equal in it is ordered by id. Texts are compared by code \
             point.",
            one_of(SORTS.map(|(name, _)| name)).default(Some(json!("-created_at"))),
        ),
        query(
            "limit",
            "How many tasks a page holds at most.",
            integer()
                .minimum(Some(PageLimit::MIN))
                .maximum(Some(PageLimit::MAX))
                .default(Some(json!(PageLimit::default().get()))),
        ),
        query(
            "cursor",
            "`X-Next-Cursor` of the page before; good for the same user with the same filters and order.",
            text().min_length(Some(1)),
        ),
        query(
            "updated_since",
            "Only tasks that were changed then or later. RFC 3339 with an offset; a plus sign is `%2B`.",
            date_time(),
        ),
        query(
            "count",
            "`exact` adds the header `X-Total-Count`. It costs a second query.",
            one_of(["exact"]),
        ),
    ]
}

fn statuses(description: &str) -> ParameterBuilder {
    let list = ArrayBuilder::new().items(schema::status()).min_items(Some(1));
    ParameterBuilder::new()
        .name("status")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(list))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
}

fn parameter(place: ParameterIn, name: &str, description: &str, schema: ObjectBuilder) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
}
