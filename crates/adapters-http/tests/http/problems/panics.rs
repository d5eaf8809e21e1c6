//! A panic is a failure of one request and of nothing else.
#![expect(clippy::panic, reason = "panics are what these tests are about")]

use std::sync::Arc;

use async_trait::async_trait;
use domain::identity::{AuthError, Caller, Owner, TokenVerifier};
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task, TaskChange, TaskFilter,
    TaskId, TaskQuery, TaskRepository, UpdateError,
};

use super::UNKNOWN;
use test_api::{Answer, Api, Parts, Wire};

const LAST_WORDS: &str = "hunter2 was unwrapped";

fn assert_is_500(answer: &Answer) {
    assert_eq!(answer.status, 500);
    assert_eq!(answer.problem(), "internal_error");
    assert!(!answer.body.contains("hunter2"), "{answer:?}");
    for name in ["x-content-type-options", "vary", "content-security-policy"] {
        assert_ne!(answer.header(name), "", "{name}");
    }
}

/// A verifier that cannot bear one token.
struct Squeamish(Arc<dyn TokenVerifier>);

#[async_trait]
impl TokenVerifier for Squeamish {
    async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        assert_ne!(token, "panic", "{LAST_WORDS}");
        self.0.verify(token).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_token_is_judged_is_a_500_and_the_next_request_is_served() {
    let parts = Parts::default();
    let api = Api::serving(Parts {
        tokens: Arc::new(Squeamish(parts.tokens.clone())),
        ..parts
    });
    for _ in 0..5 {
        let answer = api.bearer("panic").get("/api/tasks").await;
        assert_is_500(&answer);
        assert_eq!(api.user("alice").get("/api/tasks").await.status, 200);
    }
}

/// A repository that panics at the first touch, after or before its first await.
struct Explosive;

#[async_trait]
impl TaskRepository for Explosive {
    async fn insert(&self, _: &Task, _: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        tokio::task::yield_now().await;
        panic!("{LAST_WORDS}")
    }
    async fn find(&self, _: &Owner, _: TaskId) -> Result<Option<Task>, StorageError> {
        panic!("{LAST_WORDS}")
    }
    async fn list(&self, _: &Owner, _: &TaskQuery) -> Result<Page, StorageError> {
        std::panic::panic_any(7)
    }
    async fn update(
        &self,
        _: &Owner,
        _: TaskId,
        _: &TaskChange,
        _: &Expected,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<Task, UpdateError> {
        panic!("{LAST_WORDS}")
    }
    async fn delete(&self, _: &Owner, _: TaskId, _: &Expected) -> Result<(), UpdateError> {
        panic!("{LAST_WORDS}")
    }
    async fn count(&self, _: &Owner, _: &TaskFilter) -> Result<u64, StorageError> {
        panic!("{LAST_WORDS}")
    }
    async fn summary(&self, _: &Owner) -> Result<Summary, StorageError> {
        panic!("{LAST_WORDS}")
    }
    async fn delete_with_status(&self, _: &Owner, _: &StatusSet) -> Result<u64, StorageError> {
        panic!("{LAST_WORDS}")
    }
}

fn explosive() -> Api {
    Api::serving(Parts {
        repository: Arc::new(Explosive),
        ..Parts::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_any_operation_is_a_500() {
    let api = explosive();
    for answer in api.user("alice").every_operation(UNKNOWN).await {
        assert_is_500(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_a_panic_serves_the_next_request() {
    let api = explosive();
    let mut wire = Wire::to(&api);
    let body = r#"{"title":"Buy milk"}"#;
    let length = format!("Content-Length: {}", body.len());
    for _ in 0..3 {
        wire.send_head("POST /api/tasks", &["Content-Type: application/json", &length]);
        wire.send(body);
        assert_is_500(&wire.answer());
        wire.send_head(&format!("GET {UNKNOWN}"), &[]);
        assert_is_500(&wire.answer());
        wire.send_head("GET /livez", &[]);
        assert_eq!(wire.answer().status, 200);
    }
}
