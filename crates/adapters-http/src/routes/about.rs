//! The routes that describe the API itself and the caller.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::identity::Caller;

use crate::context::RequestContext;
use crate::context::base_path::BasePath;
use crate::problem::{Code, Problem};
use crate::routes::authenticated::Authenticated;
use crate::wire::about::{ExplanationBody, MeBody, ServiceBody};

/// `GET /`
pub(crate) async fn service(request: HttpRequest) -> HttpResponse {
    let extensions = request.extensions();
    let base_path = extensions
        .get::<RequestContext>()
        .and_then(RequestContext::base_path);
    HttpResponse::Ok().json(ServiceBody {
        name: "task-api",
        version: env!("CARGO_PKG_VERSION"),
        docs: BasePath::before(base_path, "/docs"),
        openapi: BasePath::before(base_path, "/openapi.json"),
    })
}

/// `GET /api/me`: settles whether a token is the right one.
pub(crate) async fn me(Authenticated(caller): Authenticated) -> HttpResponse {
    let Caller {
        owner,
        expires_at,
        issuer,
    } = &caller;
    HttpResponse::Ok().json(MeBody {
        user_id: owner.as_str(),
        expires_at: last_writable(*expires_at).to_rfc3339_opts(SecondsFormat::Micros, true),
        issuer: issuer.as_deref(),
    })
}

/// RFC 3339 has no later years than 9999: a token that lives on is good for the last second of that.
fn last_writable(time: DateTime<Utc>) -> DateTime<Utc> {
    const LAST_SECOND: i64 = 253_402_300_799;
    DateTime::from_timestamp(LAST_SECOND, 0).map_or(time, |last| time.min(last))
}

/// `GET /problems/{code}`: what the `type` of a problem document leads to; HTML for browsers, JSON for programs.
pub(crate) async fn problem(name: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let code = Code::ALL.iter().find(|code| code.slug() == *name);
    let code = *code.ok_or_else(|| Problem::new(Code::RouteNotFound))?;
    let accepts_html = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::VARY, "Accept"));
    if accepts_html.is_some_and(|accept| accept.contains("text/html")) {
        return Ok(answer.content_type("text/html; charset=utf-8").body(page(code)));
    }
    Ok(answer.json(ExplanationBody {
        code: code.as_str(),
        status: code.status().as_u16(),
        title: code.title(),
        detail: code.detail(),
    }))
}

fn page(code: Code) -> String {
    let (name, status, title, detail) = (code.as_str(), code.status().as_u16(), code.title(), code.detail());
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p>{detail}</p><p>Status {status}, code <code>{name}</code>.</p></html>"
    )
}
