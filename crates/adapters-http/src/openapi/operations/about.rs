//! The user and the service.

use serde_json::json;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{ContentBuilder, ResponseBuilder};

use super::{JSON, JsonBody, Referring, answer, answer_to_user, content, of_anybody, of_user};
use crate::openapi::failures::{KEYS_UNAVAILABLE, NOT_READY, ROUTE_NOT_FOUND};
use crate::problem::Code;
use crate::schema::text;

pub(in crate::openapi) const USER: &str = "user";
pub(in crate::openapi) const SERVICE: &str = "service";

pub(in crate::openapi) fn me() -> OperationBuilder {
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
        answer_to_user("The user and the token.", &[]).json("Me", ("me", "A user", example)),
    )
    .fails_with(&[KEYS_UNAVAILABLE])
}

pub(in crate::openapi) fn service() -> OperationBuilder {
    let example = json!({
        "name": "task-api", "version": env!("CARGO_PKG_VERSION"), "docs": "/docs", "openapi": "/openapi.json",
    });
    of_anybody(
        SERVICE,
        "getService",
        "What this is",
        "The name and the version of the service, and where it is described.",
    )
    .response(
        "200",
        answer("The service.", &[]).json("Service", ("service", "The service", example)),
    )
}

pub(in crate::openapi) fn health(id: &str) -> OperationBuilder {
    of_anybody(
        SERVICE,
        id,
        "Whether it works",
        "Always 200 while the process lives; `degraded` after a use of the database that did not reach \
         it. Asks nothing of the database.",
    )
    .response("200", well())
}

pub(in crate::openapi) fn live() -> OperationBuilder {
    of_anybody(
        SERVICE,
        "getLiveness",
        "Whether it lives",
        "Always `ok`. Restart the process when this does not answer; never because of the database.",
    )
    .response("200", well())
}

pub(in crate::openapi) fn ready() -> OperationBuilder {
    of_anybody(
        SERVICE,
        "getReadiness",
        "Whether it should get work",
        "Asks the database, at most once a second per worker. 503 while it is out of reach or the server is stopping.",
    )
    .response("200", well())
    .fails_with(&[NOT_READY])
}

fn well() -> ResponseBuilder {
    let example = ("ok", "All is well", json!({ "status": "ok" }));
    answer("It answers.", &[]).json("Health", example)
}

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
    of_anybody(
        SERVICE,
        "getOpenApi",
        "This document",
        "For people there is `/docs`.",
    )
    .takes(&["If-None-Match"])
    .response("200", answer("The document.", &["ETag"]).content(JSON, body))
    .response("304", unchanged)
}

pub(in crate::openapi) fn problem() -> OperationBuilder {
    let code = Code::TaskNotFound;
    let example = json!({
        "code": code.as_str(), "status": code.status().as_u16(),
        "title": code.title(), "detail": code.detail(),
    });
    let page = ContentBuilder::new().schema(Some(text())).build();
    of_anybody(
        SERVICE,
        "explainProblem",
        "What a problem means",
        "Where the `type` of a problem document leads: JSON, or a page for browsers.",
    )
    .takes(&["code"])
    .response(
        "200",
        answer("The explanation.", &[])
            .json("Explanation", ("explanation", "A problem", example))
            .content("text/html", page),
    )
    .fails_with(&[ROUTE_NOT_FOUND])
}
