//! Whether the process lives, and whether it should get work. None of this needs a token.

use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use domain::health::StorageHealth;
use serde::Serialize;
use tokio::sync::Mutex;
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

/// The last verdict of one worker about its storage.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Verdict>>);

#[derive(Debug, Clone, Copy)]
struct Verdict {
    at: Instant,
    failure: Option<Code>,
}

impl Readiness {
    /// The last verdict if it is fresh, a failure too; else a new one. Whoever comes meanwhile waits for it instead of
    /// asking as well.
    async fn of(&self, storage: &dyn StorageHealth) -> Result<(), Problem> {
        let mut last = self.0.lock().await;
        if let Some(Verdict { at, failure }) = *last
            && at.elapsed() < FRESH
        {
            return failure.map_or(Ok(()), |code| Err(Problem::new(code)));
        }
        let outcome = storage.check().await.map_err(Problem::from);
        *last = Some(Verdict {
            at: Instant::now(),
            failure: outcome.as_ref().err().map(Problem::code),
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use domain::task::RepositoryError;
    use futures_util::future::join_all;

    use super::*;

    /// A storage that is away, and takes its time to say so.
    #[derive(Default)]
    struct Away {
        asked: AtomicUsize,
    }

    #[async_trait]
    impl StorageHealth for Away {
        async fn check(&self) -> Result<(), RepositoryError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(RepositoryError::Busy)
        }

        fn is_degraded(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn probes_at_the_same_time_share_one_look_at_the_storage() {
        let (storage, readiness) = (Away::default(), Readiness::default());
        let probes = join_all((0..8).map(|_| readiness.of(&storage))).await;
        for probe in probes {
            assert_eq!(probe.unwrap_err().code(), Code::PoolExhausted);
        }
        assert_eq!(storage.asked.load(Ordering::Relaxed), 1);
    }
}
