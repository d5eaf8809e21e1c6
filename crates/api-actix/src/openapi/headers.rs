//! The headers of answers. Each component has the name of its header.

use domain::task::PageLimit;
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Header, HeaderBuilder, Ref};

use super::schemas::{REQUEST_ID, REQUEST_ID_PATTERN, integer, one_of, text};

pub(super) fn reference(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

pub(super) fn all() -> Vec<(&'static str, Header)> {
    vec![
        (
            "X-Request-Id",
            always(
                "The id of the request: the client's own, or one of ours. It is in the log, too.",
                text().pattern(Some(REQUEST_ID_PATTERN)),
                REQUEST_ID,
            ),
        ),
        (
            "ETag",
            always(
                "For `If-Match` and `If-None-Match`. That of a task is its version in quotation marks; that of a list is weak.",
                text().pattern(Some(r#"^("[1-9][0-9]*"|W/"[0-9a-f]{16}")$"#)),
                "\"1\"",
            ),
        ),
        (
            "Location",
            always(
                "Where the task is.",
                text().pattern(Some("^/api/tasks/[0-9a-f-]{36}$")),
                "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10",
            ),
        ),
        (
            "Idempotency-Replayed",
            sometimes(
                "An earlier request with the same `Idempotency-Key` has made this task.",
                one_of(["true"]),
                "true",
            ),
        ),
        (
            "Link",
            always(
                "RFC 8288: `rel=\"first\"`, and `rel=\"next\"` unless this is the last page.",
                text().min_length(Some(1)),
                "</api/tasks?limit=2&cursor=AZOfbi9L>; rel=\"next\", </api/tasks?limit=2>; rel=\"first\"",
            ),
        ),
        (
            "X-Next-Cursor",
            sometimes(
                "The `cursor` of the next page; absent on the last one.",
                text().pattern(Some("^[A-Za-z0-9_-]+$")),
                "AZOfbi9L",
            ),
        ),
        (
            "X-Page-Limit",
            always(
                "How many tasks a page holds at the most.",
                integer()
                    .minimum(Some(PageLimit::MIN))
                    .maximum(Some(PageLimit::MAX)),
                2,
            ),
        ),
        (
            "X-Total-Count",
            sometimes(
                "How many tasks the filters let through; with `count=exact`.",
                integer().minimum(Some(0_u16)),
                7,
            ),
        ),
        (
            "WWW-Authenticate",
            always(
                "RFC 6750, section 3.",
                text().pattern(Some("^Bearer realm=\"tasks\"")),
                "Bearer realm=\"tasks\"",
            ),
        ),
        (
            "Accept",
            always(
                "The media types that the operation reads.",
                text().min_length(Some(1)),
                "application/json",
            ),
        ),
        (
            "Accept-Patch",
            always(
                "RFC 5789: the media types that PATCH reads.",
                text().min_length(Some(1)),
                "application/json, application/merge-patch+json",
            ),
        ),
        (
            "Retry-After",
            always(
                "After how many seconds to try again.",
                integer().minimum(Some(1_u16)),
                1,
            ),
        ),
        (
            "RateLimit-Policy",
            sometimes(
                "The limit, if there is one: so many requests (`q`) in so many seconds (`w`).",
                text().min_length(Some(1)),
                "\"user\";q=400;w=2",
            ),
        ),
        (
            "RateLimit",
            sometimes(
                "Where the user stands: so many requests left (`r`), all of them again in so many seconds (`t`).",
                text().min_length(Some(1)),
                "\"user\";r=398;t=1",
            ),
        ),
    ]
}

/// A header of every answer that names it. utoipa has no member for that, but passes on what it does not know.
fn always(description: &str, schema: ObjectBuilder, example: impl Into<Value>) -> Header {
    header(description, schema, example)
        .extensions(Some(Extensions::from_iter([("required", true)])))
        .build()
}

fn sometimes(description: &str, schema: ObjectBuilder, example: impl Into<Value>) -> Header {
    header(description, schema, example).build()
}

fn header(description: &str, schema: ObjectBuilder, example: impl Into<Value>) -> HeaderBuilder {
    HeaderBuilder::new()
        .description(Some(description))
        .schema(Some(schema))
        .example(Some(example.into()))
}
