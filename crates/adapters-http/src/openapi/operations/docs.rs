//! The document itself.

use serde_json::json;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::ObjectBuilder;

use super::{JSON, Referring, SERVICE, answer, content, of_any_client};
use crate::schema::text;

pub(in crate::openapi) fn document() -> OperationBuilder {
    let schema = ObjectBuilder::new()
        .description(Some("An OpenAPI 3.1 document."))
        .property("openapi", text())
        .property("info", ObjectBuilder::new())
        .property("paths", ObjectBuilder::new())
        .required("openapi")
        .required("info")
        .required("paths");
    let info = json!({ "title": "Task API", "version": env!("CARGO_PKG_VERSION") });
    let example = json!({ "openapi": "3.1.0", "info": info, "paths": {} });
    let body = content(schema, [("document", "Its outline", example)]);
    let unchanged = answer("It is still the one that `If-None-Match` names.", &["ETag"]);
    of_any_client(
        SERVICE,
        "getOpenApi",
        "This document",
        "For people there is `/docs`.",
    )
    .takes(&["If-None-Match"])
    .response("200", answer("The document.", &["ETag"]).content(JSON, body))
    .response("304", unchanged)
}
