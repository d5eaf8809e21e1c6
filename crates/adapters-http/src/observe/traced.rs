//! The ports of a request, noting in its context how long each call took. They stand in the way of requests only if
//! somebody wants to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::identity::{AuthError, Caller, Owner, TokenVerifier};
use domain::storage::StorageError;
use domain::task::{
    Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task, TaskChange, TaskFilter,
    TaskId, TaskQuery, TaskRepository, UpdateError,
};

use super::current;

/// The part of a request that a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Verifying the token.
    Authentication,
    /// A statement.
    Database,
}

impl Part {
    /// Its name in `Server-Timing`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::Database => "db",
        }
    }
}

/// A call of a port, after it has ended.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it was for.
    pub part: Part,
    /// What was done: `verify`, or the kind of the statement.
    pub operation: &'static str,
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub took: Duration,
    /// The class of the failure.
    pub error: Option<&'static str>,
}

/// How long at least one call of this part was under way; `None` if there were none. Calls may overlap.
pub(crate) fn time_in(part: Part, calls: &[Call]) -> Option<Duration> {
    let mut spans: Vec<_> = calls
        .iter()
        .filter(|call| call.part == part)
        .map(|call| (call.started, call.started + call.took))
        .collect();
    spans.sort_unstable();
    let (mut covered_until, _) = *spans.first()?;
    let mut sum = Duration::ZERO;
    for (begin, end) in spans {
        sum += end.saturating_duration_since(begin.max(covered_until));
        covered_until = covered_until.max(end);
    }
    Some(sum)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_do_at_the_same_time_counts_once() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let call = |part, begin, took| Call {
            part,
            operation: "SELECT",
            started: start + ms(begin),
            took: ms(took),
            error: None,
        };
        let calls = [
            call(Part::Database, 20, 10),
            call(Part::Authentication, 0, 5),
            call(Part::Database, 10, 30),
            call(Part::Database, 50, 7),
            call(Part::Database, 35, 10),
        ];
        assert_eq!(time_in(Part::Database, &calls), Some(ms(42)));
        assert_eq!(time_in(Part::Authentication, &calls), Some(ms(5)));
        assert_eq!(time_in(Part::Database, &[]), None);
    }
}
