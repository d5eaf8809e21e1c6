//! Whether the process lives, and whether it should get work. None of this needs a token.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::openapi::schemas;
use crate::problem::{Code, Problem};

/// How long the verdict of one look at the database stands, so that eager probes cost nothing.
const FRESH: Duration = Duration::from_secs(1);

/// How the process is.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    #[schema(schema_with = schemas::health_status)]
    status: &'static str,
}

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

/// `GET /readyz`: whether requests should be sent here. Asks the database, at most once a second.
pub(crate) async fn ready(
    app: web::Data<App>,
    readiness: web::Data<Readiness>,
) -> Result<HttpResponse, Problem> {
    if app.lifecycle.is_shutting_down() {
        return Err(Problem::new(Code::ShuttingDown));
    }
    if !readiness.is_fresh() {
        app.storage.check().await?;
        readiness.renew();
    }
    Ok(answer("ok"))
}

fn answer(status: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(HealthBody { status })
}

/// When the database last answered this worker.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Instant>>);

impl Readiness {
    fn is_fresh(&self) -> bool {
        let answered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answered.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn renew(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
