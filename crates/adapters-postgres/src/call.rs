//! The one place that runs a statement: a place in the line, a connection, time limits, what a failure means, and
//! whether the statement runs once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::QueryResult;
use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use domain::task::RepositoryError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::connect::ServerLimits;
use crate::error::{Failure, StatementError};
use crate::handle::Handle;
use crate::lanes::{Lane, Lanes, Loan, Pools};
use crate::retry::{FirstRun, Repeat, RetryBudget};
use crate::stats::DatabaseStats;

/// How long a call may take, with all its statements, their repeats, and the waiting for connections.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a connection may follow the error that announced it.
const FAREWELL: Duration = Duration::from_millis(50);

/// What all workers of the process share.
pub(crate) struct Process {
    pub(crate) pools: Pools,
    places: Semaphore,
    max_in_flight: usize,
    retry_budget: RetryBudget,
    is_degraded: AtomicBool,
}

impl Process {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let max_in_flight = max_in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            pools: Pools::default(),
            places: Semaphore::new(max_in_flight),
            max_in_flight,
            retry_budget: RetryBudget::new(),
            is_degraded: AtomicBool::new(false),
        }
    }

    pub(crate) fn stats(&self) -> DatabaseStats {
        DatabaseStats {
            read: self.pools.stats(Lane::Read),
            work: self.pools.stats(Lane::Work),
            in_flight: self.max_in_flight.saturating_sub(self.places.available_permits()),
            max_in_flight: self.max_in_flight,
            repeats: self.retry_budget.stats(),
        }
    }
}

/// Runs the calls of one worker.
pub(crate) struct Executor {
    lanes: Lanes,
    process: Arc<Process>,
}

impl Executor {
    pub(crate) fn new(lanes: Lanes, process: &Arc<Process>) -> Self {
        Self {
            lanes,
            process: Arc::clone(process),
        }
    }

    /// Begins a call of the port: from now on it has a place in the line and a deadline.
    pub(crate) fn begin(&self) -> Result<Call<'_>, RepositoryError> {
        let Ok(place) = self.process.places.try_acquire() else {
            return Err(RepositoryError::Busy);
        };
        self.process.retry_budget.earn();
        Ok(Call {
            lanes: &self.lanes,
            process: &self.process,
            deadline: Instant::now() + CALL_TIMEOUT,
            _place: place,
        })
    }

    /// Whether the most recent statement of this process found the database out of reach or unable to work.
    pub(crate) fn is_degraded(&self) -> bool {
        self.process.is_degraded.load(Ordering::Relaxed)
    }
}

/// One call of the port, over however many statements.
pub(crate) struct Call<'a> {
    lanes: &'a Lanes,
    process: &'a Process,
    deadline: Instant,
    _place: SemaphorePermit<'a>,
}

impl Call<'_> {
    /// Runs a statement and reads its answer to the end; runs it once more if `repeat` and the failure allow it.
    pub(crate) async fn run<T, F>(
        &self,
        lane: Lane,
        repeat: Repeat,
        statement: impl Fn(Attempt) -> F + Send + Sync,
    ) -> Result<T, RepositoryError>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let mut outcome = self.attempt(lane, None, &statement).await;
        if let Err(failure) = &outcome
            && let Some(first_run) = failure.allows(repeat)
            && self.process.retry_budget.spend()
        {
            tracing::warn!(cause = %failure, "a statement runs once more");
            sleep(Duration::from_millis(rand::random_range(15..=45))).await;
            match self.attempt(lane, Some(first_run), &statement).await {
                // It did not run again, so the first failure is what there is to say.
                Err(Failure::Busy | Failure::NotConnected(_)) => {}
                second => {
                    self.process.retry_budget.note_repeat();
                    outcome = second;
                }
            }
        }
        self.note(&outcome);
        Ok(outcome?)
    }

    async fn attempt<T, F>(
        &self,
        lane: Lane,
        first_run: Option<FirstRun>,
        statement: impl Fn(Attempt) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let loan = self.lanes.lend(lane, self.deadline).await?;
        let since = Instant::now();
        if since >= self.deadline {
            return Err(Failure::GaveUp {
                after: CALL_TIMEOUT,
                is_silence: false,
            });
        }
        let attempt = Attempt {
            handle: Arc::clone(&loan.handle),
            first_run,
        };
        let wait = Wait {
            since,
            until: self.deadline.min(since + lane.statement_timeout()),
        };
        answer_on(loan, wait, statement(attempt)).await
    }

    fn note<T>(&self, outcome: &Result<T, Failure>) {
        let is_degraded = match outcome {
            // It did not get as far as the database, so it says nothing about it.
            Err(Failure::Busy) => return,
            Err(failure) => failure.is_outage(),
            Ok(_) => false,
        };
        // Written only when it changes: all workers read this place in memory.
        if self.process.is_degraded.load(Ordering::Relaxed) != is_degraded {
            self.process.is_degraded.store(is_degraded, Ordering::Relaxed);
        }
    }
}

/// What a statement runs on.
pub(crate) struct Attempt {
    handle: Arc<Handle>,
    first_run: Option<FirstRun>,
}

impl Attempt {
    pub(crate) fn connection(&self) -> &AsyncPgConnection {
        self.handle.connection()
    }

    /// Nobody gets this connection again.
    pub(crate) fn retire_connection(&self) {
        self.handle.mark_bad();
    }

    /// Whether this is the second run, and the first one may have happened.
    pub(crate) fn may_have_happened(&self) -> bool {
        self.first_run == Some(FirstRun::Unknown)
    }
}

/// When we begin to wait for an answer, and when we give up.
#[derive(Clone, Copy)]
struct Wait {
    since: Instant,
    until: Instant,
}

/// Runs a statement on a borrowed connection for as long as the caller has time left.
async fn answer_on<T>(
    loan: Loan,
    wait: Wait,
    statement: impl Future<Output = QueryResult<T>> + Send,
) -> Result<T, Failure> {
    let (handle, lane) = (Arc::clone(&loan.handle), loan.lane);
    let mut unanswered = Unanswered(Some(loan));
    let outcome = answer_of(&handle, lane, wait, statement).await;
    if !matches!(outcome, Err(Failure::GaveUp { .. })) {
        drop(unanswered.0.take());
    }
    outcome
}

/// A loan whose statement is under way. A caller who walks away meanwhile (a client that hung up, a deadline) must not
/// hand a connection that is busy, or that never answers again, to the next one: it is kept until it has answered a
/// further statement, and if it does not, nobody gets it again.
struct Unanswered(Option<Loan>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(loan) = self.0.take().filter(|loan| !loan.handle.is_bad()) else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            loan.handle.mark_bad();
            return;
        };
        runtime.spawn(async move {
            let since = Instant::now();
            let wait = Wait {
                since,
                until: since + loan.lane.statement_timeout(),
            };
            // What goes wrong is noted on the handle.
            let _ = answer_of(&loan.handle, loan.lane, wait, loan.handle.ping()).await;
            drop(loan);
        });
    }
}

/// The answer to a statement, or what went wrong, by which the connection is judged.
async fn answer_of<T>(
    handle: &Handle,
    lane: Lane,
    Wait { since, until }: Wait,
    statement: impl Future<Output = QueryResult<T>> + Send,
) -> Result<T, Failure> {
    let server_limit = lane.server_limits().statement_timeout;
    match timeout_at(until, statement).await {
        Ok(Ok(answer)) => {
            handle.mark_heard();
            Ok(answer)
        }
        Ok(Err(error)) => {
            let error = cause_of(
                &error,
                handle,
                ran_into_a_limit(lane.server_limits(), since.elapsed()),
            )
            .await;
            if error.spoils_the_connection() {
                handle.mark_bad();
            } else {
                handle.mark_heard();
            }
            Err(error.into())
        }
        Err(_) => {
            // A server that is well would have stopped the statement by then, and said so.
            let after = until - since;
            let is_silence = after > server_limit;
            if is_silence {
                handle.mark_silent(since);
            }
            Err(Failure::GaveUp { after, is_silence })
        }
    }
}

/// Whether a statement that took so long was probably stopped for it. Texts say so too, in languages that we know.
fn ran_into_a_limit(limits: ServerLimits, took: Duration) -> bool {
    /// How much later than that the server may say so.
    const SLACK: Duration = Duration::from_millis(500);
    let waited_for_a_lock = |limit| (limit..limit + SLACK).contains(&took);
    took >= limits.statement_timeout || limits.lock_timeout.is_some_and(waited_for_a_lock)
}

/// What a failed statement means, once it is known whether its connection has ended with it.
pub(crate) async fn cause_of(
    error: &Error,
    handle: &Handle,
    took_as_long_as_allowed: bool,
) -> StatementError {
    let error = StatementError::new(error, took_as_long_as_allowed);
    if error.may_be_the_end()
        && let Ok(last_words) = timeout(FAREWELL, handle.end()).await
    {
        return error.at_the_end(last_words);
    }
    error
}
