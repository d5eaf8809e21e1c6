//! `/api/tasks`: each handler reads, calls one use case, renders. What is read and written stands in the files beside.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, ContentType, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use domain::identity::Caller;
use domain::task::{Created, Expected, Page, Task, TaskId};
use futures_util::future::{OptionFuture, join};

use crate::body::json_object::JsonObject;
use crate::etag;
use crate::problem::{Code, Problem};
use crate::routes::authenticated::Authenticated;
use crate::state::App;
use crate::wire::counts::{DeletedBody, SummaryBody};
use crate::wire::cursor::List;
use crate::wire::idempotency::{IDEMPOTENCY_REPLAYED, key_of};
use crate::wire::list::{self, ListParameters, statuses_to_delete};
use crate::wire::page::{self, TASK_CAPACITY};
use crate::wire::preconditions::{if_match, if_none_match_names};
use crate::wire::task::{Empty, TaskBody, new_task, task_change};

/// With more than this, in bytes, only the link to the next page is given: proxies take heads of 4 KiB altogether
/// (nginx, `proxy_buffer_size`), and 3.5 KiB of that are what we may use.
const LONGEST_LINKS: usize = 2_000;

const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");
const X_PAGE_LIMIT: HeaderName = HeaderName::from_static("x-page-limit");
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// `POST /api/tasks`
pub(crate) async fn create(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    request: HttpRequest,
    body: JsonObject,
) -> Result<HttpResponse, Problem> {
    let new = new_task(body, &caller)?;
    let key = key_of(request.headers(), &new)?;
    let Created { task, replayed } = app.tasks.create(&caller, new, key).await?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("/api/tasks/{}", task.id())));
    if replayed {
        answer.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(task_answer(&mut answer, &task))
}

/// `GET /api/tasks`
pub(crate) async fn list(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let parameters = ListParameters::read(request.query_string(), &caller.owner)?;
    let total = parameters
        .count_exactly
        .then(|| app.tasks.count(&caller, parameters.query.filter()));
    // At the same time, so that both are done within the time limit of one.
    let (page, total) = join(
        app.tasks.list(&caller, &parameters.query),
        OptionFuture::from(total),
    )
    .await;
    let (mut page, total) = (page?, total.transpose()?);
    page::cut(&mut page, parameters.query.sort().key);
    page_answer(&app, &request, &parameters, &caller, &page, total)
}

/// `DELETE /api/tasks?status=…`
pub(crate) async fn delete_many(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let statuses = statuses_to_delete(request.query_string())?;
    let deleted = app.tasks.delete_with_status(&caller, &statuses).await?;
    Ok(HttpResponse::Ok().json(DeletedBody { deleted }))
}

/// `GET /api/tasks/summary`
pub(crate) async fn summary(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    list::none(request.query_string())?;
    let summary = app.tasks.summary(&caller).await?;
    Ok(HttpResponse::Ok().json(SummaryBody::from(&summary)))
}

/// `GET /api/tasks/{task_id}`
pub(crate) async fn get(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let task = app.tasks.get(&caller, id.task_id()?).await?;
    if if_none_match_names(request.headers(), &task.version().to_string()) {
        return Ok(HttpResponse::NotModified()
            .insert_header((header::ETAG, etag::of(task.version())))
            .finish());
    }
    // Once more, as for a page.
    app.policy.unsent.check(&caller.owner)?;
    Ok(task_answer(&mut HttpResponse::Ok(), &task))
}

/// `PUT /api/tasks/{task_id}`: a body that asks for nothing is a mistake.
pub(crate) async fn put(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
    request: HttpRequest,
    body: JsonObject,
) -> Result<HttpResponse, Problem> {
    change(&app, &caller, &id, request.headers(), body, Empty::IsMissing).await
}

/// `PATCH /api/tasks/{task_id}` (RFC 7396): a body that asks for nothing changes nothing.
pub(crate) async fn patch(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
    request: HttpRequest,
    body: JsonObject,
) -> Result<HttpResponse, Problem> {
    change(&app, &caller, &id, request.headers(), body, Empty::IsNoChange).await
}

async fn change(
    app: &App,
    caller: &Caller,
    id: &PathId,
    headers: &HeaderMap,
    body: JsonObject,
    empty: Empty,
) -> Result<HttpResponse, Problem> {
    let change = task_change(body, caller, id.text(), empty)?;
    let expected = expected(app, caller, id, headers).await?;
    let task = app
        .tasks
        .update(caller, id.task_id()?, &change, &expected)
        .await?;
    Ok(task_answer(&mut HttpResponse::Ok(), &task))
}

/// `DELETE /api/tasks/{task_id}`
pub(crate) async fn delete(
    Authenticated(caller): Authenticated,
    app: web::Data<App>,
    id: PathId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let expected = expected(&app, &caller, &id, request.headers()).await?;
    app.tasks.delete(&caller, id.task_id()?, &expected).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The versions that `If-Match` expects. A server that insists on the header says so only about a task that is there.
async fn expected(app: &App, caller: &Caller, id: &PathId, headers: &HeaderMap) -> Result<Expected, Problem> {
    match if_match(headers)? {
        Some(expected) => Ok(expected),
        None if app.policy.requires_if_match => {
            app.tasks.get(caller, id.task_id()?).await?;
            Err(Problem::new(Code::PreconditionRequired))
        }
        None => Ok(Expected::Any),
    }
}

/// The `{task_id}` of a path, as it was sent. Reading it never fails: it is looked at after the body and the headers,
/// and what is no id is then the id of no task.
pub(crate) struct PathId(String);

impl PathId {
    fn text(&self) -> &str {
        &self.0
    }

    fn task_id(&self) -> Result<TaskId, Problem> {
        TaskId::parse(&self.0).map_err(|_| Problem::new(Code::TaskNotFound))
    }
}

impl FromRequest for PathId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(
            request.match_info().get("task_id").unwrap_or_default().to_owned(),
        )))
    }
}

fn task_answer(answer: &mut HttpResponseBuilder, task: &Task) -> HttpResponse {
    answer.insert_header((header::ETAG, etag::of(task.version())));
    let mut json = Vec::with_capacity(TASK_CAPACITY);
    TaskBody::from(task).write_to(&mut json);
    answer.insert_header(ContentType::json()).body(json)
}

/// A page as a bare array; how to go on stands in the headers (RFC 8288).
fn page_answer(
    app: &App,
    request: &HttpRequest,
    parameters: &ListParameters,
    caller: &Caller,
    page: &Page,
    total: Option<u64>,
) -> Result<HttpResponse, Problem> {
    let query = &parameters.query;
    let list = List {
        owner: &caller.owner,
        filter: query.filter(),
        sort: query.sort(),
    };
    let next = page.next.as_ref().map(|cursor| list.encode(cursor));
    let total = total.map(|total| total.to_string());
    let headers = [
        (X_PAGE_LIMIT, Some(query.limit().get().to_string())),
        (header::LINK, Some(links(parameters, next.as_deref()))),
        (X_NEXT_CURSOR, next),
        (X_TOTAL_COUNT, total),
    ];
    let values = headers.iter().filter_map(|(_, value)| value.as_deref());
    let opaque = etag::of_page(&page.items, values);
    let is_known = if_none_match_names(request.headers(), &opaque);
    let mut answer = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer.insert_header((header::ETAG, etag::weak(&opaque)));
    for (name, value) in headers {
        if let Some(value) = value {
            answer.insert_header((name, value));
        }
    }
    if is_known {
        return Ok(answer.finish());
    }
    answer.insert_header(ContentType::json());
    if *request.method() == Method::HEAD {
        // How long it is would be known only once it is made: no length is true, 0 is not (RFC 9110, 9.3.2).
        return Ok(answer.body(actix_web::body::None::new()));
    }
    // Once more: others may have been let in at the same time, when nothing was made yet.
    app.policy.unsent.check(&caller.owner)?;
    Ok(answer.body(page::json_array(&page.items)))
}

/// Paths without a host, so that they hold under every name of the server. Below a path of a proxy's own they hold only
/// if that puts it in front of them.
fn links(parameters: &ListParameters, next: Option<&str>) -> String {
    let first = format!("<{}>; rel=\"first\"", parameters.target(None));
    let Some(next) = next else { return first };
    let next = format!("<{}>; rel=\"next\"", parameters.target(Some(next)));
    if next.len() + first.len() + 2 > LONGEST_LINKS {
        return next;
    }
    format!("{next}, {first}")
}
