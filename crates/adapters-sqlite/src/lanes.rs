//! The two ways to the database, one for reads and one for writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use domain::task::RepositoryError;

use crate::error::JobError;
use crate::job::job;
use crate::queue::{Closed, Queue};

/// Where repositories hand in their work.
pub(crate) struct Lanes {
    pub(crate) writes: Arc<Queue>,
    pub(crate) reads: Arc<Queue>,
    call_timeout: Duration,
    degraded: AtomicBool,
}

impl Lanes {
    /// Two lanes with room for that many waiting calls each.
    pub(crate) fn new(capacity: usize, call_timeout: Duration) -> Self {
        Self {
            writes: Queue::with_capacity(capacity),
            reads: Queue::with_capacity(capacity),
            call_timeout,
            degraded: AtomicBool::new(false),
        }
    }

    /// The same lanes for callers with other patience.
    pub(crate) fn with_call_timeout(&self, call_timeout: Duration) -> Self {
        Self {
            writes: Arc::clone(&self.writes),
            reads: Arc::clone(&self.reads),
            call_timeout,
            degraded: AtomicBool::new(false),
        }
    }

    /// Does some work on the connection that writes, in a transaction. A success is answered when it is durable.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError> + Send + 'static,
    {
        self.call(&self.writes, work).await
    }

    /// Does some work on one of the connections that read.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError> + Send + 'static,
    {
        self.call(&self.reads, work).await
    }

    /// Whether the most recent call did not reach the database.
    pub(crate) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    async fn call<T, W>(&self, queue: &Arc<Queue>, work: W) -> Result<T, RepositoryError>
    where
        T: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError> + Send + 'static,
    {
        let (done_before, line) = (queue.done(), Arc::clone(queue));
        let (job, answer) = job(move |connection: &mut SqliteConnection| {
            let outcome = work(connection);
            line.count_done();
            outcome
        });
        let outcome = match queue.push(job) {
            Err(refused) => Err(refused),
            Ok(()) => match tokio::time::timeout(self.call_timeout, answer).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_forgotten)) => Err(RepositoryError::Unavailable(Box::new(Closed))),
                Err(elapsed) => {
                    queue.count_timeout();
                    let outcome = Err(RepositoryError::TimedOut(Box::new(elapsed)));
                    if queue.done() > done_before {
                        // Others had their turn meanwhile: the line is long, and the database is not away.
                        return outcome;
                    }
                    outcome
                }
            },
        };
        self.remember(&outcome);
        outcome
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
    async fn a_line_that_moves_too_slowly_is_no_sign_that_the_database_is_away_and_one_that_stands_is() {
        for (moves, is_degraded) in [(true, false), (false, true)] {
            // Nobody serves it but this test.
            let lanes = Lanes::new(1, Duration::from_millis(20));
            let waiting = lanes.read(|_| Ok(()));
            let moving = async {
                if moves {
                    lanes.reads.count_done();
                }
            };
            let (outcome, ()) = tokio::join!(waiting, moving);
            assert!(
                matches!(outcome, Err(RepositoryError::TimedOut(_))),
                "{outcome:?}"
            );
            assert_eq!(lanes.is_degraded(), is_degraded);
        }
    }
}
