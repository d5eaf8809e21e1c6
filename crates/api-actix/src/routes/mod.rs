//! The table of paths.
//!
//! Always `web::resource`, never macro routes: those are one guarded resource each and answer 404 to a wrong method.

pub(crate) mod about;
pub(crate) mod docs;
pub mod health;
pub(crate) mod tasks;

use actix_web::HttpResponse;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::authenticated::authenticate;
use crate::problem::{Code, Problem};

/// Puts every path in its place.
pub(crate) fn configure(services: &mut ServiceConfig) {
    services
        // Before the scope: monitoring has no token.
        .service(web::resource("/health").get(health::health).head(health::health))
        .service(web::resource("/healthz").get(health::health).head(health::health))
        .service(
            web::resource("/api/health")
                .get(health::health)
                .head(health::health),
        )
        // Before the rest: each path is compared in this order.
        .service(
            web::scope("/api")
                .service(web::resource("/me").get(about::me).head(about::me))
                .service(
                    web::resource("/tasks")
                        .post(tasks::create)
                        .get(tasks::list)
                        .head(tasks::list)
                        .delete(tasks::delete_many),
                )
                // Before the ids: it can never be one.
                .service(
                    web::resource("/tasks/summary")
                        .get(tasks::summary)
                        .head(tasks::summary),
                )
                .service(
                    web::resource("/tasks/{task_id}")
                        .get(tasks::get)
                        .head(tasks::get)
                        .put(tasks::put)
                        .patch(tasks::patch)
                        .delete(tasks::delete),
                )
                .wrap(from_fn(authenticate)),
        )
        .service(web::resource("/").get(about::service).head(about::service))
        .service(
            web::resource("/problems/{code}")
                .get(about::problem)
                .head(about::problem),
        )
        .service(
            web::resource("/openapi.json")
                .get(docs::document)
                .head(docs::document),
        )
        .service(web::resource("/docs").get(docs::page).head(docs::page))
        .service(web::resource("/docs/{file}").get(docs::file).head(docs::file))
        .service(web::resource("/redoc").get(docs::redoc).head(docs::redoc))
        .service(web::resource("/livez").get(health::live).head(health::live))
        .service(web::resource("/readyz").get(health::ready).head(health::ready))
        .default_service(web::to(nothing_here));
}

/// What every other path answers.
pub(crate) async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::RouteNotFound))
}
