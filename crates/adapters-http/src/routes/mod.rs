//! The handlers, and the paths that lead to them: those of the table of operations, and the pages for people.
//!
//! Always `web::resource`, never macro routes: those are one guarded resource each and return 404 for a wrong method.

pub(crate) mod about;
mod authenticated;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod tasks;

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Scope};

use crate::problem::{Code, Problem};
use crate::table::operation_table;

/// Makes a function of each group of the table, which registers the paths of the group.
macro_rules! groups {
    ($($group:ident below $scope:literal { $($path:literal { $($method:ident $handler:path),+ })+ })+) => {$(
        fn $group(services: &mut ServiceConfig) {
            $(
                let resource = web::resource($path);
                $(let resource = route!(resource, $method, $handler);)+
                services.service(resource);
            )+
        }
    )+};
}

macro_rules! route {
    ($resource:ident, GET, $handler:path) => {
        with_get($resource, $handler)
    };
    ($resource:ident, POST, $handler:path) => {
        $resource.post($handler)
    };
    ($resource:ident, PUT, $handler:path) => {
        $resource.put($handler)
    };
    ($resource:ident, PATCH, $handler:path) => {
        $resource.patch($handler)
    };
    ($resource:ident, DELETE, $handler:path) => {
        $resource.delete($handler)
    };
}

operation_table!(groups);

/// The paths that need no token and may begin like those that do. Each path is compared in the order in which it
/// stands.
pub(crate) fn open_first(services: &mut ServiceConfig) {
    without_token_first(services);
}

/// Everything that needs a token.
pub(crate) fn api() -> Scope {
    web::scope("/api").configure(with_token)
}

/// The rest, the pages for people, and what every other path returns.
pub(crate) fn open(services: &mut ServiceConfig) {
    without_token(services);
    services
        .service(readable("/docs", docs::page).wrap(from_fn(docs::refuse_other_hosts)))
        .service(readable("/docs/{file}", docs::file).wrap(from_fn(docs::refuse_other_hosts)))
        .service(readable("/redoc", docs::redoc))
        .default_service(web::to(nothing_here));
}

/// A resource with this handler for GET and HEAD.
pub(crate) fn readable<H, Args>(path: &str, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    with_get(web::resource(path), handler)
}

/// The resource with this handler for GET, and for HEAD, which is GET without the body (RFC 9110, 9.3.2).
fn with_get<H, Args>(resource: Resource, handler: H) -> Resource
where
    H: Handler<Args>,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    resource.get(handler.clone()).head(handler)
}

/// The response of every other path.
pub(crate) async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::RouteNotFound))
}
