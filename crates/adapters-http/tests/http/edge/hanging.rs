//! Nothing on our side takes longer than 12 seconds. Here it is less, and the repository never comes back.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapters_http::policy::Policy;
use adapters_http::policy::origins::{AllowedOrigins, Origin};
use adapters_http::policy::time_limits::TimeLimits;
use async_trait::async_trait;
use domain::identity::{AuthError, Caller, Owner, TokenVerifier};
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task, TaskChange, TaskFilter,
    TaskId, TaskQuery, TaskRepository, UpdateError,
};
use reqwest::Method;

use test_api::{Answer, Api, Parts, Wire};

const TASK: &str = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";

struct Hanging;

#[async_trait]
impl TaskRepository for Hanging {
    async fn insert(&self, _: &Task, _: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        pending().await
    }
    async fn find(&self, _: &Owner, _: TaskId) -> Result<Option<Task>, StorageError> {
        pending().await
    }
    async fn list(&self, _: &Owner, _: &TaskQuery) -> Result<Page, StorageError> {
        pending().await
    }
    async fn update(
        &self,
        _: &Owner,
        _: TaskId,
        _: &TaskChange,
        _: &Expected,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<Task, UpdateError> {
        pending().await
    }
    async fn delete(&self, _: &Owner, _: TaskId, _: &Expected) -> Result<(), UpdateError> {
        pending().await
    }
    async fn count(&self, _: &Owner, _: &TaskFilter) -> Result<u64, StorageError> {
        pending().await
    }
    async fn summary(&self, _: &Owner) -> Result<Summary, StorageError> {
        pending().await
    }
    async fn delete_with_status(&self, _: &Owner, _: &StatusSet) -> Result<u64, StorageError> {
        pending().await
    }
}

#[async_trait]
impl TokenVerifier for Hanging {
    async fn verify(&self, _: &str) -> Result<Caller, AuthError> {
        pending().await
    }
}

const APP: &str = "https://app.example";

/// An API that gives up after a tenth of a second.
fn hasty(parts: Parts) -> Api {
    let origin = Origin::parse(APP).expect("an origin");
    Api::serving(Parts {
        policy: Policy {
            allowed_origins: AllowedOrigins::These(vec![origin]),
            time_limits: TimeLimits {
                request: Duration::from_millis(100),
                ..TimeLimits::default()
            },
            ..Policy::default()
        },
        ..parts
    })
}

fn without_repository() -> Api {
    hasty(Parts {
        repository: Arc::new(Hanging),
        ..Parts::default()
    })
}

fn assert_is_timeout(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.problem(), "timeout");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_hangs_is_503_timeout() {
    let api = without_repository();
    let started = Instant::now();
    for answer in api.user("alice").every_operation(TASK).await {
        assert_is_timeout(&answer);
    }
    assert!(
        started.elapsed() < TimeLimits::default().request,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_verification_hangs_is_503_timeout() {
    let api = hasty(Parts {
        tokens: Arc::new(Hanging),
        ..Parts::default()
    });
    assert_is_timeout(&api.user("alice").get("/api/tasks").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_end_of_another_origin_can_read_that_it_should_try_again() {
    let api = without_repository();
    let request = api.user("alice").request(Method::GET, TASK).header("Origin", APP);
    let answer = Answer::to(request).await;
    assert_is_timeout(&answer);
    assert_eq!(answer.header("access-control-allow-origin"), APP);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_a_request_that_hung_serves_the_next_one() {
    let api = without_repository();
    let mut wire = Wire::to(&api);
    for _ in 0..3 {
        wire.send_head(&format!("GET {TASK}"), &[]);
        assert_is_timeout(&wire.answer());
        wire.send_head("GET /livez", &[]);
        assert_eq!(wire.answer().status, 200);
    }
}

/// RFC 9112, 9.6: also if that request ended in the net and not in an answer of its own.
#[tokio::test(flavor = "multi_thread")]
async fn behind_the_last_request_of_a_connection_nothing_is_processed_though_it_hung() {
    let api = without_repository();
    let mut wire = Wire::to(&api);
    wire.send_head(&format!("GET {TASK}"), &["Connection: close"]);
    wire.send_head("GET /livez", &[]);
    let answers = wire.raw_answers_until_closed();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [503, 400]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_that_hang_keep_no_one_else_waiting() {
    let api = without_repository();
    let mut wires: Vec<_> = (0..100).map(|_| Wire::to(&api)).collect();
    for wire in &mut wires {
        wire.send_head("GET /api/tasks", &[]);
    }
    assert_eq!(api.anonymous().get("/livez").await.status, 200);
    for wire in &mut wires {
        assert_is_timeout(&wire.answer());
    }
}

#[test]
fn the_limits_are_those_of_the_contract() {
    let limits = TimeLimits::default();
    let contract = TimeLimits {
        head: Duration::from_secs(5),
        body: Duration::from_secs(10),
        request: Duration::from_secs(12),
        exchange: Duration::from_secs(20),
        slow_reader: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
    };
    assert_eq!(limits, contract);
    assert!(
        limits.exchange > limits.head + limits.request,
        "a client that keeps to the other limits should get an answer"
    );
}
