//! The responses of the API when its own parts fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use domain::Cause;
use domain::health::MockStorageHealth;
use domain::identity::{AuthError, Caller, TokenVerifier};
use domain::storage::StorageError;
use domain::task::{InsertError, MockTaskRepository, UpdateError, Version};
use serde_json::json;

use Operation::{Change, Create, Delete, List, Read};

use super::UNKNOWN;
use test_api::{Answer, Api, Parts, Wire};

const SECRET: &str = "connection to postgresql://app:hunter2@10.0.0.5/tasks refused";

fn cause() -> Cause {
    SECRET.into()
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Create,
    List,
    Read,
    Change,
    Delete,
}
const EVERY: &[Operation] = &[Create, List, Read, Change, Delete];

/// A way to fail, who may meet it, and the answer that it must become: status, code, `Retry-After`.
type FailureCase = (
    fn() -> StorageError,
    &'static [Operation],
    u16,
    &'static str,
    &'static str,
);

const FAILURES: [FailureCase; 6] = [
    (
        || StorageError::Unavailable(cause()),
        EVERY,
        503,
        "database_unavailable",
        "1",
    ),
    (|| StorageError::Busy, EVERY, 503, "pool_exhausted", "1"),
    (|| StorageError::TimedOut(cause()), EVERY, 503, "timeout", "1"),
    (
        || StorageError::Corrupt(cause()),
        EVERY,
        500,
        "internal_error",
        "",
    ),
    (
        || StorageError::Unexpected(cause()),
        EVERY,
        500,
        "internal_error",
        "",
    ),
    (
        || StorageError::Refused(cause()),
        &[Create, List, Change],
        422,
        "validation_error",
        "",
    ),
];

/// An API whose every use of the storage fails in this way.
fn broken(error: fn() -> StorageError) -> Api {
    let mut repository = MockTaskRepository::new();
    repository
        .expect_insert()
        .returning(move |_, _| Err(error().into()));
    repository.expect_find().returning(move |_, _| Err(error()));
    repository.expect_list().returning(move |_, _| Err(error()));
    repository
        .expect_update()
        .returning(move |_, _, _, _, _| Err(error().into()));
    repository
        .expect_delete()
        .returning(move |_, _, _| Err(error().into()));
    Api::serving(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    })
}

/// An API whose storage finds nothing and refuses every creation and every change in these ways.
fn refusing(creation: fn() -> InsertError, change: fn() -> UpdateError) -> Api {
    let mut repository = MockTaskRepository::new();
    repository.expect_insert().returning(move |_, _| Err(creation()));
    repository.expect_find().returning(|_, _| Ok(None));
    repository
        .expect_update()
        .returning(move |_, _, _, _, _| Err(change()));
    repository.expect_delete().returning(move |_, _, _| Err(change()));
    Api::serving(Parts {
        repository: Arc::new(repository),
        ..Parts::default()
    })
}

async fn asks(api: &Api, operation: Operation) -> Answer {
    let alice = api.user("alice");
    let body = json!({ "title": "Buy milk" });
    match operation {
        Create => alice.post("/api/tasks", &body).await,
        List => alice.get("/api/tasks").await,
        Read => alice.get(UNKNOWN).await,
        Change => alice.put(UNKNOWN, &body).await,
        Delete => alice.delete(UNKNOWN).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_the_storage_has_its_answer_and_none_shows_its_cause() {
    for (error, operations, status, code, retry_after) in FAILURES {
        let api = broken(error);
        for operation in operations {
            let answer = asks(&api, *operation).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.problem(), code);
            assert_eq!(answer.header("retry-after"), retry_after);
            for secret in ["hunter2", "postgresql", "10.0.0.5", "refused"] {
                assert!(!answer.body.contains(secret), "{answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_storage_has_its_answer() {
    for (refusal, status, code) in [
        (
            (|| InsertError::IdempotencyKeyReused) as fn() -> _,
            422,
            "idempotency_key_reused",
        ),
        (|| InsertError::AlreadyExists, 500, "internal_error"),
    ] {
        let api = refusing(refusal, || UpdateError::NotFound);
        let answer = asks(&api, Create).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.problem(), code);
        for operation in [Read, Change, Delete] {
            let answer = asks(&api, operation).await;
            assert_eq!(answer.status, 404, "{answer:?}");
            assert_eq!(answer.problem(), "task_not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_than_expected_is_412_with_the_current_entity_tag() {
    let api = refusing(
        || InsertError::AlreadyExists,
        || UpdateError::VersionMismatch {
            current: Version::new(4).expect("a version"),
        },
    );
    let alice = api.user("alice");
    for answer in [
        alice.put(UNKNOWN, &json!({ "title": "x" })).await,
        alice.delete(UNKNOWN).await,
    ] {
        assert_eq!(answer.status, 412);
        assert_eq!(answer.problem(), "version_mismatch");
        assert_eq!(answer.header("etag"), "\"4\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_storage_does_not_matter_to_who_is_refused_before_it() {
    let api = broken(|| StorageError::Unavailable(cause()));
    assert_eq!(api.anonymous().get("/api/tasks").await.status, 401);
    let alice = api.user("alice");
    assert_eq!(alice.post("/api/tasks", &json!({})).await.status, 422);
    assert_eq!(alice.get("/api/tasks?limit=0").await.status, 422);
    assert_eq!(alice.get("/api/tasks/no-id").await.status, 404);
    assert_eq!(alice.get("/livez").await.status, 200);
}

/// A verifier whose keys are out of reach.
struct WithoutKeys;

#[async_trait]
impl TokenVerifier for WithoutKeys {
    async fn verify(&self, _: &str) -> Result<Caller, AuthError> {
        Err(AuthError::KeysUnavailable(cause()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_out_of_reach_are_not_the_fault_of_the_token() {
    let api = Api::serving(Parts {
        tokens: Arc::new(WithoutKeys),
        ..Parts::default()
    });
    for operation in EVERY {
        let answer = asks(&api, *operation).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.problem(), "keys_unavailable");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.header("www-authenticate"), "");
        assert!(!answer.body.contains("hunter2"));
    }
    assert_eq!(api.anonymous().get("/api/tasks").await.status, 401);
    assert_eq!(api.anonymous().get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_degraded_and_readiness_says_no_when_the_storage_is_away() {
    let mut storage = MockStorageHealth::new();
    storage.expect_is_degraded().return_const(true);
    storage
        .expect_check()
        .returning(|| Err(StorageError::Unavailable(cause())));
    let api = Api::serving(Parts {
        storage: Arc::new(storage),
        ..Parts::default()
    });
    let anonymous = api.anonymous();
    for path in ["/health", "/healthz", "/api/health"] {
        let health = anonymous.get(path).await;
        assert_eq!(
            (health.status.as_u16(), health.json()),
            (200, json!({ "status": "degraded" }))
        );
    }
    assert_eq!(anonymous.get("/livez").await.json(), json!({ "status": "ok" }));
    let ready = anonymous.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.problem(), "database_unavailable");
    assert_eq!(ready.header("retry-after"), "1");
    assert!(!ready.body.contains("hunter2"));
}

/// Probes need no token, so in an outage every client could keep the database busy with them.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_asks_a_storage_that_is_away_no_more_often_than_one_that_is_there() {
    let mut storage = MockStorageHealth::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    storage.expect_check().returning(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Err(StorageError::Unavailable(cause()))
    });
    let api = Api::serving(Parts {
        storage: Arc::new(storage),
        ..Parts::default()
    });
    // One connection, one worker.
    let mut wire = Wire::to(&api);
    for _ in 0..20 {
        wire.send_head("GET /readyz", &[]);
        let ready = wire.answer();
        assert_eq!(ready.problem(), "database_unavailable");
        assert_eq!(ready.header("retry-after"), "1");
    }
    // Once, unless this takes longer than a verdict stands.
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked < 10, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_about_to_stop_is_alive_but_not_ready() {
    let parts = Parts::default();
    let lifecycle = parts.lifecycle.clone();
    let api = Api::serving(parts);
    let anonymous = api.anonymous();
    assert_eq!(anonymous.get("/readyz").await.json(), json!({ "status": "ok" }));
    lifecycle.begin_shutdown();
    let ready = anonymous.get("/readyz").await;
    assert_eq!(ready.problem(), "shutting_down");
    assert_eq!(ready.header("retry-after"), "1");
    assert_eq!(anonymous.get("/livez").await.status, 200);
    assert_eq!(
        api.user("alice").get("/api/tasks").await.status,
        200,
        "work is still done"
    );
}
