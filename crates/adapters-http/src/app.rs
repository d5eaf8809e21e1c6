//! The HTTP application of one worker: how a request reaches its handler.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, NormalizePath, from_fn};
use actix_web::{Error, web};

use crate::middleware::authentication::authenticate;
use crate::middleware::edge::edge;
use crate::middleware::last_resort::net;
use crate::routes;
use crate::state::App;

/// The whole HTTP application over these parts: tests build it over memory, the server over a database.
pub fn http_app(
    app: web::Data<App>,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let cors = Condition::new(
        app.policy.allowed_origins.is_on(),
        app.policy.allowed_origins.middleware(),
    );
    actix_web::App::new()
        .app_data(app)
        .configure(routes::open_first)
        .service(routes::api().wrap(from_fn(authenticate)))
        .configure(routes::open)
        // The last one is the outermost.
        .wrap(NormalizePath::trim())
        .wrap(from_fn(net))
        .wrap(cors)
        .wrap(from_fn(edge))
}
