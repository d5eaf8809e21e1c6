//! The extractor of the caller whom the middleware of `/api` has let in.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::identity::Caller;

use crate::problem::from_errors::unauthorized;
use crate::problem::{Code, Problem};
use crate::state::App;

/// The caller whom the middleware let in.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(admitted(request).map(Self))
    }
}

/// The caller, if the path and the method were right and the limits let them: those count here, because they come after
/// the path and before the body.
fn admitted(request: &HttpRequest) -> Result<Caller, Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    // A route outside the scope of the middleware lets no caller in.
    let caller = caller.ok_or_else(|| unauthorized(Code::TokenMissing))?;
    let app = App::of(request).ok_or_else(|| Problem::new(Code::InternalError))?;
    if let Some(standing) = app.policy.rate_limits.count_request(&caller.owner)? {
        request.extensions_mut().insert(standing);
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        app.policy.unsent.check(&caller.owner)?;
    }
    Ok(caller)
}
