//! The table of paths.
//!
//! Always `web::resource`, never macro routes: those are one guarded resource each and answer 404 to a wrong method.

pub mod health;
pub mod tasks;

use actix_web::HttpResponse;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::authenticated::authenticate;
use crate::problem::{Code, Problem};

/// Puts every path in its place.
pub fn configure(services: &mut ServiceConfig) {
    services
        .service(web::resource("/livez").get(health::live))
        .service(web::resource("/readyz").get(health::ready))
        // Before the scope: monitoring has no token.
        .service(web::resource(["/health", "/healthz", "/api/health"]).get(health::health))
        .service(
            web::scope("/api")
                .service(web::resource("/tasks").post(tasks::create).get(tasks::list))
                .service(
                    web::resource("/tasks/{task_id}")
                        .get(tasks::get)
                        .put(tasks::update)
                        .delete(tasks::delete),
                )
                .default_service(web::to(nothing_here))
                .wrap(from_fn(authenticate)),
        )
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::RouteNotFound))
}
