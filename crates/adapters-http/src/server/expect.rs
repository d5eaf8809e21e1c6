//! `Expect: 100-continue` (RFC 9110, 10.1.1): a client asks before it sends its body.
//!
//! actix says "continue" to every client before a handler sees the request, and so invites bodies of strangers. Here a
//! client without a good token gets the response instead, the same as without the header.

use std::rc::Rc;

use actix_http::{Request, Response};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::body::BoxBody;
use actix_web::web;

use crate::middleware::authentication::has_good_token;
use crate::state::App;

/// Lets a request through, to be told to continue; `answers` responds to those that are not.
pub(crate) fn before_continue<F>(
    app: Option<web::Data<App>>,
    answers: F,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Request,
    Error = Response<BoxBody>,
    InitError = F::InitError,
>
where
    F: ServiceFactory<Request, Config = ()>,
    F::Response: Into<Response<BoxBody>>,
    F::Error: Into<Response<BoxBody>>,
{
    fn_factory(move || {
        let (app, starting) = (app.clone(), answers.new_service(()));
        async move {
            let answers = Rc::new(starting.await?);
            Ok(fn_service(move |request: Request| {
                let (app, answers) = (app.clone(), Rc::clone(&answers));
                async move {
                    let needs_token = |app: &web::Data<App>| {
                        let (path, base_path) = (request.path(), app.policy.base_path.as_ref());
                        needs_token(
                            base_path
                                .and_then(|base_path| base_path.below(path))
                                .unwrap_or(path),
                        )
                    };
                    let is_welcome = match app.filter(needs_token) {
                        Some(app) => has_good_token(&app, &request.head().headers).await,
                        None => true,
                    };
                    if is_welcome {
                        return Ok(request);
                    }
                    let outcome = answers.call(request).await;
                    Err(outcome.map_or_else(Into::into, Into::into))
                }
            }))
        }
    })
}

/// Everything under `/api`, also if it is written in a way that only the router sees through: nothing else takes a
/// body.
fn needs_token(path: &str) -> bool {
    path.starts_with("/api") || path.contains('%') || path.contains("//")
}
