//! The documentation: the OpenAPI document for programs, Swagger UI for people. All of it comes out of the binary.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;
use utoipa_swagger_ui::Config;

use crate::context::RequestContext;
use crate::policy::own_host::OwnHost;
use crate::problem::{Code, Problem, refused};
use crate::state::App;
use crate::wire::preconditions::if_none_match_names;
use crate::{etag, openapi};

/// Those files of Swagger UI that the page needs.
const FILES: [&str; 3] = ["favicon-32x32.png", "swagger-ui-bundle.js", "swagger-ui.css"];
/// The page runs its own scripts only and talks to this server only; Swagger UI writes styles into its elements.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `GET /openapi.json`
pub(crate) async fn document(request: HttpRequest) -> HttpResponse {
    static TAG: OnceLock<String> = OnceLock::new();
    let tag = TAG.get_or_init(|| etag::of_text(openapi::json()));
    let is_known = if_none_match_names(request.headers(), tag);
    let mut answer = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((header::ETAG, etag::weak(tag)))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")));
    if is_known {
        answer.finish()
    } else {
        let document = Bytes::from_static(openapi::json().as_bytes());
        answer.content_type("application/json").body(document)
    }
}

/// Any reader of the page of `dev` has its token, so that it has to be asked for under a name that is this machine's.
///
/// # Errors
/// Those of what it wraps; its own refusals are responses.
pub(crate) async fn refuse_other_hosts<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let policy = App::of(request.request()).map(|app| &app.policy);
    let has_token = policy.is_some_and(|policy| policy.docs_token.is_some());
    let own = policy.and_then(|policy| policy.docs_host.as_ref());
    match OwnHost::check(own, &request) {
        Err(problem) if has_token => Ok(refused(request, problem)),
        _ => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
}

/// `GET /docs`: the page. Its links are relative, so that they lead to us also where a proxy serves us below a path of
/// its own.
pub(crate) async fn page(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let here = if ends_with_slash(&request) { "" } else { "docs/" };
    let token = app
        .policy
        .docs_token
        .as_ref()
        .map_or("", |token| token.expose_secret());
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .content_type("text/html; charset=utf-8")
        // A token consists of letters, digits, dots, hyphens and underscores.
        .body(
            include_str!("index.html")
                .replace("{here}", here)
                .replace("{token}", token),
        )
}

/// Whether a path leads to the documentation, however it is written: escaped, or with slashes that the router passes
/// over.
pub(crate) fn is_below(path: &str) -> bool {
    // Nearly every request, and however the rest of its path is written.
    if path.starts_with("/api/") {
        return false;
    }
    if !path.contains('%') && !path.contains("//") {
        return path == "/docs" || path.starts_with("/docs/");
    }
    // A path has no plus signs that are spaces, but none of our names has either.
    let path = form_urlencoded::parse(path.as_bytes()).next();
    let path = path.map(|(path, _)| path.into_owned()).unwrap_or_default();
    path.split('/').find(|segment| !segment.is_empty()) == Some("docs")
}

/// Whether the address that was asked for ends with a slash, which decides what it means to be relative to it. The
/// router does not know any more.
fn ends_with_slash(request: &HttpRequest) -> bool {
    let extensions = request.extensions();
    let context = extensions.get::<RequestContext>();
    context.is_some_and(|context| context.path().ends_with('/'))
}

/// `GET /docs/{file}`: what the page loads.
pub(crate) async fn file(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    ));
    if *name == "start.js" {
        return Ok(answer
            .content_type("text/javascript; charset=utf-8")
            .body(include_str!("start.js")));
    }
    let is_needed = FILES.contains(&name.as_str());
    let file = is_needed.then(|| utoipa_swagger_ui::serve(&name, Arc::new(Config::from(""))));
    let Some(Ok(Some(file))) = file else {
        return Err(Problem::new(Code::RouteNotFound));
    };
    // The files are compressed once, when the binary is built: every browser takes gzip.
    if file.gzpipped {
        answer.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(answer.content_type(file.content_type).body(bytes))
}

/// `GET /redoc`: where FastAPI has its other documentation.
pub(crate) async fn redoc(request: HttpRequest) -> HttpResponse {
    let docs = if ends_with_slash(&request) {
        "../docs"
    } else {
        "docs"
    };
    HttpResponse::TemporaryRedirect()
        .insert_header((header::LOCATION, HeaderValue::from_static(docs)))
        .finish()
}
