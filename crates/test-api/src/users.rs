//! Users, and what the API answers them.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::answer::Answer;
use crate::description::{GoodRequest, description};

/// Someone who sends requests.
#[derive(Clone)]
pub struct User {
    url: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl User {
    pub(crate) fn new(url: &str, client: &reqwest::Client, token: Option<String>) -> Self {
        Self {
            url: url.to_owned(),
            client: client.clone(),
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

    /// Sends a request that the document calls good.
    pub async fn requests(&self, good: &GoodRequest<'_>) -> Answer {
        let request = self.request(good.method.clone(), &good.target);
        Answer::to(match good.body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// What each operation on tasks answers, one after the other; `task` is the path of one.
    pub async fn every_operation(&self, task: &str) -> Vec<Answer> {
        let id = task.rsplit('/').next().unwrap_or_default();
        let mut answers = Vec::new();
        for good in description().good_requests(id) {
            if good.path.starts_with("/api/tasks") {
                answers.push(self.requests(&good).await);
            }
        }
        assert!(answers.len() >= 8, "the operations were not found");
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
}

/// The path of a task.
#[must_use]
pub fn path_of(task: &Value) -> String {
    format!("/api/tasks/{}", task["id"].as_str().expect("an id"))
}
