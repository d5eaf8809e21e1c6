//! The table of paths.
//!
//! Always `web::resource`, never macro routes: those are one guarded resource each and answer 404 to a wrong method.

pub(crate) mod about;
mod authenticated;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod tasks;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Scope};

use crate::problem::{Code, Problem};

/// What needs no token and begins as what does: monitoring. Each path is compared in the order in which it stands.
pub(crate) fn monitoring(services: &mut ServiceConfig) {
    services
        .service(readable("/health", health::health))
        .service(readable("/healthz", health::health))
        .service(readable("/api/health", health::health));
}

/// Everything that needs a token.
pub(crate) fn api() -> Scope {
    web::scope("/api")
        .service(readable("/me", about::me))
        .service(
            readable("/tasks", tasks::list)
                .post(tasks::create)
                .delete(tasks::delete_many),
        )
        // Before the ids: it can never be one.
        .service(readable("/tasks/summary", tasks::summary))
        .service(
            readable("/tasks/{task_id}", tasks::get)
                .put(tasks::put)
                .patch(tasks::patch)
                .delete(tasks::delete),
        )
}

/// The rest, and what every other path returns.
pub(crate) fn open(services: &mut ServiceConfig) {
    services
        .service(readable("/", about::service))
        .service(readable("/problems/{code}", about::problem))
        .service(readable("/openapi.json", docs::document))
        .service(readable("/docs", docs::page).wrap(from_fn(docs::refuse_other_hosts)))
        .service(readable("/docs/{file}", docs::file).wrap(from_fn(docs::refuse_other_hosts)))
        .service(readable("/redoc", docs::redoc))
        .service(readable("/livez", health::live))
        .service(readable("/readyz", health::ready))
        .default_service(web::to(nothing_here));
}

/// A resource with this handler for GET, and for HEAD, which is GET without the body (RFC 9110, 9.3.2).
pub(crate) fn readable<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    web::resource(path).get(handler.clone()).head(handler)
}

/// What every other path answers.
pub(crate) async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::RouteNotFound))
}
