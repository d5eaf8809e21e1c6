//! The way of a call to the database: into the queue, and back with an answer or after a time limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use domain::identity::Owner;
use domain::storage::StorageError;

use crate::error::JobError;
use crate::job::{Outcome, job_for};
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
    pub(crate) async fn call<T, E, W>(&self, lane: Lane, owner: Option<&Owner>, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError<E>> + Send + 'static,
    {
        let done_before = self.queue.done(lane);
        let outcome = self.outcome_of(lane, owner, work).await;
        // If others had their turn meanwhile the queue is long, and the database is not unavailable.
        let has_moved = self.queue.done(lane) > done_before;
        if !(has_moved && matches!(outcome, Err(StorageError::TimedOut(_)))) {
            self.remember(outcome.as_ref().err());
        }
        outcome?
    }

    async fn outcome_of<T, E, W>(&self, lane: Lane, owner: Option<&Owner>, work: W) -> Outcome<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<T, JobError<E>> + Send + 'static,
    {
        let waiting = Waiting(Wanted::default());
        let (job, answer) = job_for(waiting.0.clone(), work);
        let _place = self.queue.push(lane, owner, job)?;
        match tokio::time::timeout(self.call_timeout, answer).await {
            Ok(Ok((outcome, _turn))) => outcome,
            Ok(Err(_forgotten)) => Err(StorageError::Unavailable(Box::new(Closed))),
            Err(elapsed) => {
                self.queue.count_timeout(lane);
                Err(StorageError::TimedOut(Box::new(elapsed)))
            }
        }
    }

    /// Whether the most recent call did not reach the database.
    pub(crate) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    fn remember(&self, failure: Option<&StorageError>) {
        let is_degraded = match failure {
            // It did not get as far as the database, so it says nothing about it.
            Some(StorageError::Busy) => return,
            Some(StorageError::TimedOut(_) | StorageError::Unavailable(_)) => true,
            None
            | Some(StorageError::Refused(_) | StorageError::Corrupt(_) | StorageError::Unexpected(_)) => {
                false
            }
        };
        self.degraded.store(is_degraded, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Side;

    #[tokio::test]
    async fn a_queue_that_moves_too_slowly_is_no_sign_that_the_database_is_unavailable_and_one_that_stands_is()
     {
        for (moves, is_degraded) in [(true, false), (false, true)] {
            // No thread serves it.
            let lanes = Lanes::new(Queue::new(1, 1, 1), Duration::from_millis(20));
            let waiting = lanes.call(Lane::Read, None, |_| Ok(()));
            let moving = async {
                if moves {
                    lanes.queue.count_done(Side::Readers);
                }
            };
            let (outcome, ()) = tokio::join!(waiting, moving);
            assert!(matches!(outcome, Err(StorageError::TimedOut(_))), "{outcome:?}");
            assert_eq!(lanes.is_degraded(), is_degraded);
        }
    }
}
