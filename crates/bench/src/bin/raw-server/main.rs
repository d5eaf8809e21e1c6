//! The reference: the tasks of the product with nothing in between. The same web framework, the same wire protocol and
//! table, the same tokens verified with every request; prepared statements, reads pipelined on one connection of each
//! worker, writes on connections of their own; JSON written by hand. No layers, no middleware, no problem documents, no
//! conditional requests, no time limits, no logs.
//!
//! It is measured beside the product and is not for anything else.

#![expect(
    clippy::option_option,
    reason = "a member may be absent, null or a text, and this is how serde says so"
)]

mod json;
mod sessions;
mod values;

use std::error::Error;
use std::rc::Rc;

use actix_web::http::header;
use actix_web::web::{self, Bytes, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Deserializer};
use tokio_postgres::Row;
use uuid::Uuid;

use json::TaskJson;
use sessions::Sessions;
use values::{Micros, TaskId};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The parts of a worker.
struct Worker {
    sessions: Sessions,
    key: DecodingKey,
    rules: Validation,
}

type State = web::Data<Rc<Worker>>;

/// Anything that is not an answer with a task.
struct Refusal(u16);

impl From<Refusal> for HttpResponse {
    fn from(Refusal(status): Refusal) -> Self {
        let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
        Self::new(status)
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(_: tokio_postgres::Error) -> Self {
        Self(503)
    }
}

#[derive(Deserialize)]
struct Claims {
    user_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTask {
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskChange {
    #[serde(default)]
    title: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Pending,
    InProgress,
    Completed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }
}

/// Tells a member that is `null` from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn is_title(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_description(text: &str) -> bool {
    text.chars().count() <= 10_000
}

impl Worker {
    fn user(&self, request: &HttpRequest) -> Result<String, Refusal> {
        let header = request.headers().get(header::AUTHORIZATION);
        let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = token.ok_or(Refusal(401))?;
        jsonwebtoken::decode::<Claims>(token, &self.key, &self.rules)
            .map(|token| token.claims.user_id)
            .map_err(|_| Refusal(401))
    }
}

fn answer(status: u16, body: Vec<u8>) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(body)
}

/// One task, or a 404.
fn task_answer(user: &str, rows: &[Row]) -> Result<HttpResponse, Refusal> {
    let row = rows.first().ok_or(Refusal(404))?;
    let mut body = Vec::with_capacity(512);
    TaskJson::of_row(user, row)?.write(&mut body);
    Ok(answer(200, body))
}

async fn get(worker: State, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let outcome = async {
        let user = worker.user(&request)?;
        let id = TaskId::parse(&id).ok_or(Refusal(404))?;
        let session = worker.sessions.for_reading();
        let rows = session.client.query(&session.get, &[&user, &id]).await?;
        task_answer(&user, &rows)
    };
    outcome.await.unwrap_or_else(HttpResponse::from)
}

async fn list(worker: State, request: HttpRequest) -> HttpResponse {
    let outcome = async {
        let user = worker.user(&request)?;
        let limit = match request.query_string().strip_prefix("limit=") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=500).contains(limit))
                .ok_or(Refusal(422))?,
            None => 100_i64,
        };
        let session = worker.sessions.for_reading();
        let rows = session.client.query(&session.list, &[&user, &limit]).await?;
        let mut body = Vec::with_capacity(rows.len() * 360 + 2);
        body.push(b'[');
        for row in &rows {
            if body.len() > 1 {
                body.push(b',');
            }
            TaskJson::of_row(&user, row)?.write(&mut body);
        }
        body.push(b']');
        Ok::<_, Refusal>(answer(200, body))
    };
    outcome.await.unwrap_or_else(HttpResponse::from)
}

async fn create(worker: State, request: HttpRequest, body: Bytes) -> HttpResponse {
    let outcome = async {
        let user = worker.user(&request)?;
        let new: NewTask = serde_json::from_slice(&body).map_err(|_| Refusal(422))?;
        let NewTask {
            title,
            description,
            status,
        } = &new;
        if !is_title(title) || !description.as_deref().is_none_or(is_description) {
            return Err(Refusal(422));
        }
        #[expect(clippy::disallowed_methods, reason = "there is no port here to ask for an id")]
        let id = TaskId(Uuid::now_v7());
        let now = id.created_at();
        let session = worker.sessions.for_writing().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&user, &id, &now, &status.as_str(), title, description];
        session.client.execute(&session.insert, &values).await?;
        drop(session);
        let mut body = Vec::with_capacity(512);
        let task = TaskJson {
            id,
            user: &user,
            title,
            description: description.as_deref(),
            status: status.as_str(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        task.write(&mut body);
        Ok(answer(201, body))
    };
    outcome.await.unwrap_or_else(HttpResponse::from)
}

async fn change(worker: State, request: HttpRequest, id: Path<String>, body: Bytes) -> HttpResponse {
    let outcome = async {
        let user = worker.user(&request)?;
        let change: TaskChange = serde_json::from_slice(&body).map_err(|_| Refusal(422))?;
        let TaskChange {
            title,
            description,
            status,
        } = &change;
        let described = description.as_ref().and_then(Option::as_deref);
        if !title.as_deref().is_none_or(is_title) || !described.is_none_or(is_description) {
            return Err(Refusal(422));
        }
        let id = TaskId::parse(&id).ok_or(Refusal(404))?;
        let session = worker.sessions.for_writing().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
            &user,
            &id,
            title,
            &description.is_some(),
            &described,
            &status.map(Status::as_str),
            &Micros::now(),
        ];
        let rows = session.client.query(&session.update, &values).await?;
        drop(session);
        task_answer(&user, &rows)
    };
    outcome.await.unwrap_or_else(HttpResponse::from)
}

async fn delete(worker: State, request: HttpRequest, id: Path<String>) -> HttpResponse {
    let outcome = async {
        let user = worker.user(&request)?;
        let id = TaskId::parse(&id).ok_or(Refusal(404))?;
        let session = worker.sessions.for_writing().await?;
        match session.client.execute(&session.delete, &[&user, &id]).await? {
            1 => Ok(HttpResponse::NoContent().finish()),
            _ => Err(Refusal(404)),
        }
    };
    outcome.await.unwrap_or_else(HttpResponse::from)
}

fn setting(name: &str) -> Result<String, Box<dyn Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this program has four settings and nothing else"
    )]
    std::env::var(name).map_err(|error| format!("{name}: {error}").into())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = setting("DATABASE_URL")?;
    let secret = setting("BETTER_AUTH_SECRET")?;
    let is_shared = std::env::args().any(|argument| argument == "--shared");
    let (port, workers) = (setting("PORT")?.parse()?, setting("WORKERS")?.parse()?);
    let server = HttpServer::new(move || {
        let (url, secret) = (url.clone(), secret.clone());
        App::new()
            .data_factory(move || {
                let (url, secret) = (url.clone(), secret.clone());
                async move {
                    let mut rules = Validation::new(Algorithm::HS256);
                    rules.leeway = 0;
                    Ok::<_, tokio_postgres::Error>(Rc::new(Worker {
                        sessions: if is_shared {
                            Sessions::open_shared(url).await?
                        } else {
                            Sessions::open(url, workers).await?
                        },
                        key: DecodingKey::from_secret(secret.as_bytes()),
                        rules,
                    }))
                }
            })
            .service(web::resource("/api/tasks").get(list).post(create))
            .service(
                web::resource("/api/tasks/{id}")
                    .get(get)
                    .put(change)
                    .patch(change)
                    .delete(delete),
            )
    });
    Ok(server.workers(workers).bind(("127.0.0.1", port))?.run().await?)
}
