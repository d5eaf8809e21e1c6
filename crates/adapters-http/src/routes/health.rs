//! Whether the process lives, and whether it should get work. None of this needs a token.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::problem::{Code, Problem};
use crate::state::App;
use crate::wire::about::HealthBody;

/// `GET /livez`: the process answers. Never touches the database: a restart would not bring that back.
pub(crate) async fn live() -> HttpResponse {
    answer("ok")
}

/// `GET /health`: as `/livez`, and whether the last use of the database reached it.
pub(crate) async fn health(app: web::Data<App>) -> HttpResponse {
    answer(if app.storage.is_degraded() {
        "degraded"
    } else {
        "ok"
    })
}

/// `GET /healthz` and `GET /api/health`: the same under names that others look for.
pub(crate) use self::{health as healthz, health as api_health};

/// `GET /readyz`: whether requests should be sent here. Asks the database, at most once a second per worker.
pub(crate) async fn ready(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    if app.lifecycle.is_shutting_down() {
        return Err(Problem::new(Code::ShuttingDown));
    }
    app.readiness.of(app.storage.as_ref()).await?;
    Ok(answer("ok"))
}

fn answer(status: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(HealthBody { status })
}
