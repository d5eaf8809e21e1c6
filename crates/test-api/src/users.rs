//! Users, and what the API answers them.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::api::Api;
use crate::description::description;

/// Somebody who sends requests.
#[derive(Clone)]
pub struct User {
    url: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl User {
    pub(crate) fn new(api: &Api, token: Option<String>) -> Self {
        Self {
            url: api.url().to_owned(),
            client: api.client().clone(),
            token,
        }
    }

    /// A request of this user, to be completed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// Sends a POST with this body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a PUT with this body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::PUT, path).json(body)).await
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    /// A request with a body that may be anything, called JSON.
    pub async fn sends(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .request(method, path)
            .header(CONTENT_TYPE, "application/json");
        Answer::to(request.body(body)).await
    }

    /// What each operation on tasks answers, one after the other; `task` is the path of one.
    pub async fn every_operation(&self, task: &str) -> Vec<Answer> {
        let body = serde_json::json!({ "title": "Buy milk" });
        let answers = vec![
            self.post("/api/tasks", &body).await,
            self.get("/api/tasks").await,
            self.get(task).await,
            self.put(task, &body).await,
            Answer::to(self.request(Method::PATCH, task).json(&body)).await,
            self.delete(task).await,
            self.get("/api/tasks/summary").await,
            self.delete("/api/tasks?status=completed").await,
        ];
        let of_tasks = |(path, ..): &(&str, Method, &Value)| path.starts_with("/api/tasks");
        let described = description().operations().filter(of_tasks).count();
        assert_eq!(answers.len(), described, "an operation is not among these");
        answers
    }

    /// The titles of all tasks of this user that fit on a page, newest first.
    pub async fn titles(&self) -> Vec<String> {
        let answer = self.get("/api/tasks?limit=500").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tasks = answer.json();
        let tasks = tasks.as_array().expect("a list");
        tasks
            .iter()
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect()
    }

    /// Creates a task with this title and answers it.
    pub async fn has_task(&self, title: &str) -> Value {
        let answer = self
            .post("/api/tasks", &serde_json::json!({ "title": title }))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

/// What the API answered.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

/// A failed assertion shows the beginning of a large body.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.body.chars().take(2_000).collect();
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &body)
            .finish()
    }
}

impl Answer {
    /// Sends the request; the answer must be one that the OpenAPI document describes.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::of_living(request).await.expect("an answer")
    }

    /// The same, if the server may be gone.
    ///
    /// # Errors
    /// There was no answer, or not all of it.
    pub async fn of_living(request: RequestBuilder) -> reqwest::Result<Self> {
        let (client, request) = request.build_split();
        let request = request?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await?;
        let answer = Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.text().await?,
        };
        description().expects(&method, &path, &answer);
        Ok(answer)
    }

    /// The body, which must be JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The code of a problem document, after a look at everything that every such document must have.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16(), "{self:?}");
        assert_eq!(document["request_id"], self.header("x-request-id"), "{self:?}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(
                document[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {self:?}"
            );
        }
        let code = document["code"].as_str().expect("a code").to_owned();
        let kind = format!("/problems/{}", code.replace('_', "-"));
        assert_eq!(document["type"], kind, "{self:?}");
        code
    }

    /// The `errors` of a problem document of invalid data.
    pub fn errors(&self) -> Value {
        assert_eq!(self.status, 422, "{self:?}");
        assert_eq!(self.problem(), "validation_error", "{self:?}");
        self.json()["errors"].clone()
    }

    /// The `type`s of the field errors of a problem document, each behind the last part of its place.
    #[must_use]
    pub fn field_errors(&self) -> Vec<(String, String)> {
        let document = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = document["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            error["loc"]
                .as_array()
                .and_then(|loc| loc.last().map(text))
                .unwrap_or_default()
        };
        errors
            .iter()
            .map(|error| (place(error), text(&error["type"])))
            .collect()
    }
}
