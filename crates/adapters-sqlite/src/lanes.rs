//! The two ways to the database, one for reads and one for writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use domain::identity::Owner;
use domain::task::RepositoryError;

use crate::error::JobError;
use crate::job::job_for;
use crate::queue::{Closed, Lane, Queue};
use crate::wanted::Wanted;

/// A caller who waits, also one who walks away.
struct Waiting(Wanted);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.forget();
    }
}

/// Where repositories hand in their work.
pub(crate) struct Lanes {
    pub(crate) queue: Arc<Queue>,
    call_timeout: Duration,
    degraded: AtomicBool,
}

impl Lanes {
    /// The way over this queue.
    pub(crate) fn new(queue: Arc<Queue>, call_timeout: Duration) -> Self {
        Self {
            queue,
            call_timeout,
            degraded: AtomicBool::new(false),
        }
    }

    /// The same lanes for callers with another time limit.
    pub(crate) fn with_call_timeout(&self, call_timeout: Duration) -> Self {
        Self::new(Arc::clone(&self.queue), call_timeout)
    }

    /// Does some work for a user, or for no one in particular, on a connection of that lane. What the writer does is in
    /// a transaction, and its success is answered when it is durable.
    pub(crate) async fn call<T, W>(
        &self,
        lane: Lane,
        owner: Option<&Owner>,
        work: W,
    ) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError> + Send + 'static,
    {
        let handed_in = Instant::now();
        let begun = Arc::new(OnceLock::new());
        let begins = Arc::clone(&begun);
        let work = move |connection: &mut SqliteConnection| {
            // Only this one sets it.
            let _ = begins.set(Instant::now());
            work(connection)
        };
        let outcome = self.outcome_of(lane, owner, work).await;
        // A call that has mostly waited for its turn says nothing about the database; those before it will.
        let has_run = begun.get().map_or(Duration::ZERO, Instant::elapsed);
        let has_mostly_waited = has_run < handed_in.elapsed() / 2;
        if !(has_mostly_waited && matches!(outcome, Err(RepositoryError::TimedOut(_)))) {
            self.remember(&outcome);
        }
        outcome
    }

    async fn outcome_of<T, W>(&self, lane: Lane, owner: Option<&Owner>, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError> + Send + 'static,
    {
        let waiting = Waiting(Wanted::default());
        let (job, answer) = job_for(waiting.0.clone(), work);
        let _place = self.queue.push(lane, owner, job)?;
        match tokio::time::timeout(self.call_timeout, answer).await {
            Ok(Ok((outcome, _turn))) => outcome,
            Ok(Err(_forgotten)) => Err(RepositoryError::Unavailable(Box::new(Closed))),
            Err(elapsed) => {
                self.queue.count_timeout(lane);
                Err(RepositoryError::TimedOut(Box::new(elapsed)))
            }
        }
    }

    /// Whether the most recent call did not reach the database.
    pub(crate) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    fn remember<T>(&self, outcome: &Result<T, RepositoryError>) {
        let is_degraded = match outcome {
            // It did not get as far as the database, so it says nothing about it.
            Err(RepositoryError::Busy) => return,
            Err(RepositoryError::TimedOut(_) | RepositoryError::Unavailable(_)) => true,
            Ok(_)
            | Err(
                RepositoryError::AlreadyExists
                | RepositoryError::NotFound
                | RepositoryError::VersionMismatch { .. }
                | RepositoryError::IdempotencyKeyReused
                | RepositoryError::Refused(_)
                | RepositoryError::Corrupt(_)
                | RepositoryError::Unexpected(_),
            ) => false,
        };
        self.degraded.store(is_degraded, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_waited_for_too_long_is_no_sign_that_the_database_is_unavailable() {
        let lanes = Lanes::new(Queue::new(1, 1, 1), Duration::from_millis(20));
        // No thread serves it.
        let outcome = lanes.call(Lane::Read, None, |_| Ok(())).await;
        assert!(
            matches!(outcome, Err(RepositoryError::TimedOut(_))),
            "{outcome:?}"
        );
        assert!(!lanes.is_degraded());
    }
}
