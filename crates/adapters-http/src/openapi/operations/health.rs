//! Health.

use serde_json::json;
use utoipa::openapi::ResponseBuilder;
use utoipa::openapi::path::OperationBuilder;

use super::{JsonBody, Referring, SERVICE, answer, of_any_client};
use crate::openapi::failures::NOT_READY;

pub(in crate::openapi) fn health() -> OperationBuilder {
    health_called("getHealth")
}

pub(in crate::openapi) fn healthz() -> OperationBuilder {
    health_called("getHealthz")
}

pub(in crate::openapi) fn api_health() -> OperationBuilder {
    health_called("getApiHealth")
}

fn health_called(id: &str) -> OperationBuilder {
    of_any_client(
        SERVICE,
        id,
        "Whether it works",
        "Always 200 while the process lives; `degraded` after a use of the database that did not reach \
         it. Asks nothing of the database.",
    )
    .response("200", healthy())
}

pub(in crate::openapi) fn live() -> OperationBuilder {
    of_any_client(
        SERVICE,
        "getLiveness",
        "Whether it lives",
        "Always `ok`. Restart the process when this does not answer; never because of the database.",
    )
    .response("200", healthy())
}

pub(in crate::openapi) fn ready() -> OperationBuilder {
    of_any_client(
        SERVICE,
        "getReadiness",
        "Whether it should get work",
        "Asks the database, at most once a second per worker. 503 while it is out of reach or the server is stopping.",
    )
    .response("200", healthy())
    .fails_with(&[NOT_READY])
}

fn healthy() -> ResponseBuilder {
    let example = ("ok", "The service is healthy", json!({ "status": "ok" }));
    answer("It answers.", &[]).json("Health", example)
}
