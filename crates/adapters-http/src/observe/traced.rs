//! The ports of a request, noting in its context how long each call took. They stand in the way of requests only if
//! the durations are wanted.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::identity::{AuthError, Caller, Owner, TokenVerifier};
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task, TaskChange, TaskFilter,
    TaskId, TaskQuery, TaskRepository, UpdateError,
};

use super::call::{Call, Part};
use super::current;

/// A port that notes its calls.
pub struct Traced<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Traced<P> {
    /// Stands in front of a port.
    #[must_use]
    pub fn new(port: Arc<P>) -> Self {
        Self(port)
    }
}

async fn noted<T, E>(
    part: Part,
    operation: &'static str,
    call: impl Future<Output = Result<T, E>>,
    class_of: impl Fn(&E) -> Option<&'static str>,
) -> Result<T, E> {
    let started = Instant::now();
    let answer = call.await;
    current::note(Call {
        part,
        operation,
        started,
        took: started.elapsed(),
        error: answer.as_ref().err().and_then(class_of),
    });
    answer
}

async fn statement<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    noted(Part::Database, operation, call, |error| Some(error.class())).await
}

#[async_trait]
impl TokenVerifier for Traced<dyn TokenVerifier> {
    async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        noted(
            Part::Authentication,
            "verify",
            self.0.verify(token),
            |error| match error {
                AuthError::Invalid(refusal) | AuthError::Expired(refusal) => Some(refusal.reason.as_str()),
                AuthError::KeysUnavailable(_) => Some("keys_unavailable"),
            },
        )
        .await
    }
}

#[async_trait]
impl TaskRepository for Traced<dyn TaskRepository> {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        let insertion = self.0.insert(task, key);
        noted(Part::Database, "INSERT", insertion, InsertError::class).await
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError> {
        statement("SELECT", self.0.find(owner, id)).await
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, StorageError> {
        statement("SELECT", self.0.list(owner, query)).await
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, StorageError> {
        statement("SELECT", self.0.count(owner, filter)).await
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, StorageError> {
        statement("SELECT", self.0.summary(owner)).await
    }

    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, UpdateError> {
        let update = self.0.update(owner, id, change, expected, now);
        noted(Part::Database, "UPDATE", update, UpdateError::class).await
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), UpdateError> {
        let deletion = self.0.delete(owner, id, expected);
        noted(Part::Database, "DELETE", deletion, UpdateError::class).await
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, StorageError> {
        statement("DELETE", self.0.delete_with_status(owner, statuses)).await
    }
}
