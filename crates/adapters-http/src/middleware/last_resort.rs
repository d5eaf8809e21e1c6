//! The last net under every request: a time limit, and a 500 instead of a panic.
//!
//! A handler that panicked or took too long has taken the request along, so there is nothing left to build a response
//! on but an error; it renders itself.

use std::fmt;
use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::context::RequestContext;
use crate::observe::panic_message;
use crate::problem::common_headers::with_common_headers;
use crate::problem::{Code, Problem};
use crate::state::App;

/// Wraps the routes.
///
/// # Errors
/// The error that stands for a panic or for a request that took too long.
pub(crate) async fn net(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let context = request.extensions().get::<RequestContext>().cloned();
    let limit = App::time_limits_of(request.request()).request;
    // Inside an async block, so that a panic before the first await is caught too.
    let handling = AssertUnwindSafe(async { next.call(request).await }).catch_unwind();
    let problem = match timeout(limit, handling).await {
        Ok(Ok(response)) => return response.map(ServiceResponse::map_into_boxed_body),
        Ok(Err(panic)) => Problem::of_panic(panic_message(panic.as_ref())),
        Err(_) => Problem::new(Code::Timeout),
    };
    Err(match context {
        Some(context) => Unanswered { problem, context }.into(),
        None => problem.into(),
    })
}

/// A problem together with the request that it answers.
#[derive(Debug)]
pub(crate) struct Unanswered {
    problem: Problem,
    context: RequestContext,
}

impl Unanswered {
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.problem.code().status()
    }

    fn error_response(&self) -> HttpResponse {
        with_common_headers(self.problem.render(&self.context), &self.context)
    }
}
