//! Users, their tokens, and what the API answers them.

use adapters_jwt::{DevelopmentClaims, SharedSecret, UserIdClaims, sign_development_token};
use api_actix::clock_and_ids::SystemClock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::clock::Clock;
use domain::identity::Owner;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Api;
use super::description::{GoodRequest, description};

/// The secret that every API of the tests shares with its front end.
pub(crate) const SECRET: &str = "the-secret-of-the-tests-0123456789abcdef";

/// A good token of that user.
pub(crate) fn token_for(user: &str) -> String {
    token_signed_with(SECRET, user, TimeDelta::minutes(15))
}

/// A token of that user, signed with that secret, that expires so much later (or earlier) than now.
pub(crate) fn token_signed_with(secret: &str, user: &str, expires_in: TimeDelta) -> String {
    let now = SystemClock.now();
    let claims = DevelopmentClaims {
        user_id: Owner::parse(user).expect("a user id"),
        user_id_claims: UserIdClaims::default(),
        issuer: None,
        audience: None,
        issued_at: now,
        expires_at: now + expires_in,
    };
    let secret = SharedSecret::new(secret.into()).expect("a usable secret");
    sign_development_token(&secret, &claims)
}

/// A token with this header and these claims, both written out and signed with [`SECRET`], whatever they say.
pub(crate) fn signed(header: &str, claims: &str) -> String {
    signed_with(SECRET, header, claims)
}

/// The same, signed with that secret of at most 64 bytes.
pub(crate) fn signed_with(secret: &str, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = hmac_sha256(secret.as_bytes(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 2104, spelled out: the signer of the product refuses to make the tokens that tests need most.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let keyed = |pad: u8, message: &[u8]| {
        let start = Sha256::new().chain_update(block.map(|byte| byte ^ pad));
        start.chain_update(message).finalize().into()
    };
    let inner: [u8; 32] = keyed(0x36, message);
    keyed(0x5c, &inner)
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct User {
    url: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl User {
    pub(super) fn new(api: &Api, token: Option<String>) -> Self {
        Self {
            url: api.url().to_owned(),
            client: api.client().clone(),
            token,
        }
    }

    /// A request of this user, to be completed.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    /// A request with a body that may be anything, called JSON.
    pub(crate) async fn sends(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .request(method, path)
            .header(CONTENT_TYPE, "application/json");
        Answer::to(request.body(body)).await
    }

    /// Sends a request that the document calls good.
    pub(crate) async fn requests(&self, good: &GoodRequest<'_>) -> Answer {
        let request = self.request(good.method.clone(), &good.target);
        Answer::to(match good.body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// What each operation on tasks answers, one after the other; `task` is the path of one.
    pub(crate) async fn every_operation(&self, task: &str) -> Vec<Answer> {
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
    pub(crate) async fn titles(&self) -> Vec<String> {
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
    pub(crate) async fn has_task(&self, title: &str) -> Value {
        let answer = self
            .post("/api/tasks", &serde_json::json!({ "title": title }))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

/// What the API answered.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
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
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        Self::of_living(request).await.expect("an answer")
    }

    /// The same, if the server may be gone.
    pub(crate) async fn of_living(request: RequestBuilder) -> reqwest::Result<Self> {
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

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The code of a problem document, after a look at everything that every such document must have.
    pub(crate) fn problem(&self) -> String {
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
    pub(crate) fn errors(&self) -> Value {
        assert_eq!(self.status, 422, "{self:?}");
        assert_eq!(self.problem(), "validation_error", "{self:?}");
        self.json()["errors"].clone()
    }

    /// The `type`s of the field errors of a problem document, each behind the last part of its place.
    pub(crate) fn field_errors(&self) -> Vec<(String, String)> {
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
