//! The user and the service.

use serde_json::json;
use utoipa::openapi::ContentBuilder;
use utoipa::openapi::path::OperationBuilder;

use super::{JsonBody, Referring, SERVICE, USER, answer, answer_to_user, of_any_client, of_user};
use crate::openapi::failures::{KEYS_UNAVAILABLE, ROUTE_NOT_FOUND};
use crate::problem::Code;
use crate::schema::text;

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
    of_any_client(
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

pub(in crate::openapi) fn problem() -> OperationBuilder {
    let code = Code::TaskNotFound;
    let example = json!({
        "code": code.as_str(), "status": code.status().as_u16(),
        "title": code.title(), "detail": code.detail(),
    });
    let page = ContentBuilder::new().schema(Some(text())).build();
    of_any_client(
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
