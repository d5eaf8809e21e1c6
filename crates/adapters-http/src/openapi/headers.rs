//! The headers of responses. Each component has the name of its header.

use domain::task::PageLimit;
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Header, HeaderBuilder, Ref};

use crate::schema::{REQUEST_ID, REQUEST_ID_PATTERN, TASK_ID, integer, one_of, text};

type Named = (&'static str, Header);

pub(super) fn reference(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

pub(super) fn all() -> impl Iterator<Item = Named> {
    of_tasks().into_iter().chain(of_pages()).chain(of_refusals())
}

fn of_tasks() -> [Named; 4] {
    [
        always(
            "X-Request-Id",
            "The id of the request: the client's own, or one of ours. It is in the log, too.",
            text().pattern(Some(REQUEST_ID_PATTERN)),
            REQUEST_ID,
        ),
        always(
            "ETag",
            "For `If-Match` and `If-None-Match`. That of a task is its version in quotation marks; \
             that of a list or of a compressed answer is weak.",
            text().pattern(Some(r#"^((W/)?"[1-9][0-9]*"|W/"[0-9a-f]{16}")$"#)),
            "\"1\"",
        ),
        always(
            "Location",
            "Where the task is.",
            text().pattern(Some("^(/[A-Za-z0-9._~-]+)*/api/tasks/[0-9a-f-]{36}$")),
            format!("/api/tasks/{TASK_ID}"),
        ),
        sometimes(
            "Idempotency-Replayed",
            "An earlier request with the same `Idempotency-Key` has made this task.",
            one_of(["true"]),
            "true",
        ),
    ]
}

fn of_pages() -> [Named; 4] {
    [
        always(
            "Link",
            "RFC 8288: `rel=\"first\"`, and `rel=\"next\"` unless this is the last page.",
            text().pattern(Some("rel=\"first\"")),
            "</api/tasks?limit=2&cursor=AZOfbi9L>; rel=\"next\", </api/tasks?limit=2>; rel=\"first\"",
        ),
        sometimes(
            "X-Next-Cursor",
            "The `cursor` of the next page; absent on the last one.",
            text().pattern(Some("^[A-Za-z0-9_-]+$")),
            "AZOfbi9L",
        ),
        always(
            "X-Page-Limit",
            "How many tasks a page holds at most.",
            integer()
                .minimum(Some(PageLimit::MIN))
                .maximum(Some(PageLimit::MAX)),
            2,
        ),
        sometimes(
            "X-Total-Count",
            "How many tasks the filters let through; with `count=exact`.",
            integer().minimum(Some(0_u16)),
            7,
        ),
    ]
}

fn of_refusals() -> [Named; 6] {
    let media_types = || text().pattern(Some("^application/json"));
    [
        always(
            "WWW-Authenticate",
            "RFC 6750, section 3.",
            text().pattern(Some("^Bearer realm=\"tasks\"")),
            "Bearer realm=\"tasks\"",
        ),
        always(
            "Accept",
            "The media types that the operation reads.",
            media_types(),
            "application/json",
        ),
        always(
            "Accept-Patch",
            "RFC 5789: the media types that PATCH reads.",
            media_types(),
            "application/json, application/merge-patch+json",
        ),
        always(
            "Retry-After",
            "After how many seconds to try again.",
            integer().minimum(Some(1_u16)),
            1,
        ),
        sometimes(
            "RateLimit-Policy",
            "The limit, if there is one: `q` requests in `w` seconds.",
            text().pattern(Some("^\"[a-z-]+\";q=[0-9]+;w=[0-9]+$")),
            "\"user\";q=400;w=2",
        ),
        sometimes(
            "RateLimit",
            "Where the user stands: `r` requests left, all of them again in `t` seconds.",
            text().pattern(Some("^\"[a-z-]+\";r=[0-9]+;t=[0-9]+$")),
            "\"user\";r=398;t=1",
        ),
    ]
}

/// A header of every response that names it. utoipa has no field for that, but passes on what it does not know.
fn always(name: &'static str, description: &str, schema: ObjectBuilder, example: impl Into<Value>) -> Named {
    let required = Extensions::from_iter([("required", true)]);
    let header = header(description, schema, example.into()).extensions(Some(required));
    (name, header.build())
}

fn sometimes(
    name: &'static str,
    description: &str,
    schema: ObjectBuilder,
    example: impl Into<Value>,
) -> Named {
    (name, header(description, schema, example.into()).build())
}

fn header(description: &str, schema: ObjectBuilder, example: Value) -> HeaderBuilder {
    HeaderBuilder::new()
        .description(Some(description))
        .schema(Some(schema))
        .example(Some(example))
}
