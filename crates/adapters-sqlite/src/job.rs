//! A piece of work on its way to a thread with a connection, and its answer on the way back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use diesel::prelude::*;
use domain::storage::StorageError;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::error::{JobError, SharedError, storage_error};
use crate::turn::Turn;
use crate::wanted::Wanted;

/// A job as a thread sees it, whatever its outcome type is.
///
/// Doing and answering are two steps, because a write is answered only after the commit that it shares with others.
pub(crate) trait Job: Send {
    /// Whether the caller still waits.
    fn is_wanted(&self) -> bool;

    /// Does the work and keeps the answer.
    fn run(&mut self, connection: &mut SqliteConnection) -> Ran;

    /// Gives the kept answer to the caller, with a turn that ends when the caller has taken it.
    fn answer(self: Box<Self>, turn: Option<Turn>);

    /// Gives the caller this error in place of any answer.
    fn fail(self: Box<Self>, error: &SharedError);

    /// Tells the caller that the job was not done, because another user's took its place.
    fn refuse(self: Box<Self>);
}

/// How a job went.
#[derive(Debug)]
pub(crate) enum Ran {
    /// Its effects are wanted.
    Well,
    /// Its effects are to be undone; the error is there if the database caused it.
    Badly(Option<SharedError>),
}

/// How a call ended: the storage failed, or else it did what was asked for or refused to.
pub(crate) type Outcome<T, E> = Result<Result<T, E>, StorageError>;

/// The value that the caller waits for.
pub(crate) type Answer<T, E = StorageError> = oneshot::Receiver<(Outcome<T, E>, Option<Turn>)>;

/// Makes a job of some work, and the receiver of its answer.
#[cfg(test)]
pub(crate) fn job<T, E, W>(work: W) -> (Box<dyn Job>, Answer<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
    W: FnOnce(&mut SqliteConnection) -> Result<T, JobError<E>> + Send + 'static,
{
    job_for(Wanted::default(), work)
}

/// Makes a job of some work for a caller who may lose interest, and the receiver of its answer.
pub(crate) fn job_for<T, E, W>(wanted: Wanted, work: W) -> (Box<dyn Job>, Answer<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
    W: FnOnce(&mut SqliteConnection) -> Result<T, JobError<E>> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    let ticket = Ticket {
        work: Some(work),
        kept: None,
        caller,
        wanted,
    };
    (Box::new(ticket), answer)
}

struct Ticket<W, T, E> {
    work: Option<W>,
    kept: Option<Outcome<T, E>>,
    caller: oneshot::Sender<(Outcome<T, E>, Option<Turn>)>,
    wanted: Wanted,
}

impl<W, T, E> Job for Ticket<W, T, E>
where
    T: Send,
    E: Send,
    W: FnOnce(&mut SqliteConnection) -> Result<T, JobError<E>> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.caller.is_closed()
    }

    fn run(&mut self, connection: &mut SqliteConnection) -> Ran {
        let Some(work) = self.work.take() else {
            return Ran::Badly(None);
        };
        // Whatever a panic left half done is undone with the savepoint around the job.
        let outcome = self
            .wanted
            .during(|| catch_unwind(AssertUnwindSafe(|| work(connection))));
        let (answer, ran) = match outcome {
            // It may have stopped half way, and no caller learns about it.
            _ if !self.wanted.is_wanted() => (Err(StorageError::Busy), Ran::Badly(None)),
            Ok(Ok(value)) => (Ok(Ok(value)), Ran::Well),
            Ok(Err(JobError::Refused(refusal))) => (Ok(Err(refusal)), Ran::Badly(None)),
            Ok(Err(JobError::Storage(error))) => (Err(error), Ran::Badly(None)),
            Ok(Err(JobError::Database(error))) => {
                let error = Arc::new(error);
                (Err(storage_error(&error)), Ran::Badly(Some(error)))
            }
            Err(_panic) => {
                let error = StorageError::Unexpected(Box::new(Panicked));
                (Err(error), Ran::Badly(None))
            }
        };
        self.kept = Some(answer);
        ran
    }

    fn answer(self: Box<Self>, turn: Option<Turn>) {
        if let Some(answer) = self.kept {
            // A caller who has stopped waiting misses nothing.
            drop(self.caller.send((answer, turn)));
        }
    }

    fn fail(self: Box<Self>, error: &SharedError) {
        drop(self.caller.send((Err(storage_error(error)), None)));
    }

    fn refuse(self: Box<Self>) {
        drop(self.caller.send((Err(StorageError::Busy), None)));
    }
}

/// The log line for a panic; the panic itself was printed where it happened.
#[derive(Debug, Error)]
#[error("a job of the database panicked")]
struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_answer() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let (mut job, mut answer) = job::<(), StorageError, _>(|_| panic!("a bug"));
        assert!(matches!(job.run(&mut connection), Ran::Badly(None)));
        job.answer(None);
        let (answer, _) = answer.try_recv().unwrap();
        assert!(matches!(answer, Err(StorageError::Unexpected(_))), "{answer:?}");
    }

    #[test]
    fn a_job_is_wanted_as_long_as_somebody_waits() {
        let (job, answer) = job::<_, StorageError, _>(|_| Ok(()));
        assert!(job.is_wanted());
        drop(answer);
        assert!(!job.is_wanted());
    }
}
