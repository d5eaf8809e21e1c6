//! The one place that runs a statement: a slot in the queue, a connection, time limits, the meaning of a failure, and
//! whether the statement runs once more.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::QueryResult;
use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use domain::identity::Owner;
use domain::storage::StorageError;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::{AttemptFailure, StatementError};
use crate::handle::Handle;
use crate::lanes::{Lane, Lanes, Loan, Pools, Share};
use crate::retry::{FirstRun, Repeat, RetryBudget};
use crate::stats::DatabaseStats;
use crate::turns::{Permit, Turns};

/// How long a call may take, with all its statements, their repeats, and the waiting for connections.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a connection, which tells the reason, may follow the error that announced it.
const CLOSE_REASON_TIMEOUT: Duration = Duration::from_millis(50);
/// How often a statement that takes its time looks whether its connection was found silent.
const LOOK: Duration = Duration::from_millis(100);
/// How long a statement that no one waits for may go on before it is cancelled: that costs its connection, and most
/// statements take less.
const GRACE: Duration = Duration::from_millis(100);
/// How long we wait for the end of a statement that was cancelled.
const CANCELLED: Duration = Duration::from_secs(10);

/// The state that all workers of the process share.
pub(crate) struct Process {
    pub(crate) pools: Pools,
    pub(crate) turns: Arc<Turns>,
    retry_budget: RetryBudget,
    is_degraded: AtomicBool,
}

impl Process {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        Self {
            pools: Pools::default(),
            turns: Turns::new(max_in_flight),
            retry_budget: RetryBudget::new(),
            is_degraded: AtomicBool::new(false),
        }
    }

    pub(crate) fn stats(&self) -> DatabaseStats {
        let (in_flight, max_in_flight) = self.turns.in_flight();
        DatabaseStats {
            read: self.pools.stats(Lane::Read),
            work: self.pools.stats(Lane::Work),
            in_flight,
            max_in_flight,
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

    /// Begins a call of the port: from now on it has a slot among the requests of the process, and a deadline.
    pub(crate) fn begin<'a>(&'a self, owner: &'a Owner) -> Result<Call<'a>, StorageError> {
        let permit = self.process.turns.enter(owner).map_err(AttemptFailure::from)?;
        self.process.retry_budget.earn();
        Ok(self.call(Some((owner, permit))))
    }

    /// Begins a call that is no user's and waits behind no one: a look at the health of the database.
    pub(crate) fn begin_check(&self) -> Call<'_> {
        self.call(None)
    }

    fn call<'a>(&'a self, caller: Option<(&'a Owner, Permit<'a>)>) -> Call<'a> {
        Call {
            lanes: &self.lanes,
            process: &self.process,
            deadline: Instant::now() + CALL_TIMEOUT,
            caller,
        }
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
    caller: Option<(&'a Owner, Permit<'a>)>,
}

impl Call<'_> {
    /// Runs a statement and reads its answer to the end; runs it once more if `repeat` and the failure allow it.
    pub(crate) async fn run<T, F>(
        &self,
        share: impl Into<Share>,
        repeat: Repeat,
        statement: impl Fn(Attempt) -> F + Send + Sync,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let share = share.into();
        let mut outcome = self.attempt(share, None, &statement).await;
        if let Err(failure) = &outcome
            && let Some(first_run) = failure.allows(repeat)
            && self.process.retry_budget.spend()
        {
            tracing::warn!(cause = %failure, "a statement runs once more");
            sleep(Duration::from_millis(rand::random_range(15..=45))).await;
            match self.attempt(share, Some(first_run), &statement).await {
                // It did not run again, so the first failure is what there is to say.
                Err(AttemptFailure::Busy | AttemptFailure::NotConnected(_)) => {}
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
        share: Share,
        first_run: Option<FirstRun>,
        statement: &(impl Fn(Attempt) -> F + Sync),
    ) -> Result<T, AttemptFailure>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let owner = self.caller.as_ref().map(|(owner, _)| *owner);
        let loan = self.lanes.lend(share, owner, self.deadline).await?;
        let wait = self.wait_on(&loan)?;
        let attempt = Attempt {
            handle: Arc::clone(&loan.handle),
            first_run,
        };
        let mut answering = pin!(statement(attempt));
        let mut unanswered = Unanswered(Some(loan));
        if let Some(outcome) = unanswered.answer(wait, answering.as_mut()).await {
            return outcome;
        }
        match self.lanes.suspect() {
            Some(_suspicion) if self.process.retry_budget.spend() => {
                // Rare, and so not a part of every call, which is moved with all that it may have to hold.
                Box::pin(self.on_two_connections(&mut unanswered, wait, answering, statement)).await
            }
            _ => unanswered.answer_at_last(wait, answering).await,
        }
    }

    /// Goes on waiting for an answer, and asks for it on another connection too: the first answer counts. If that is
    /// the other one, the first connection is silent.
    async fn on_two_connections<T, F>(
        &self,
        first: &mut Unanswered,
        wait: Wait,
        answering: Pin<&mut F>,
        statement: &(impl Fn(Attempt) -> F + Sync),
    ) -> Result<T, AttemptFailure>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let suspect = first.suspect();
        let second = async {
            let loan = self.lanes.lend_again(self.deadline).await?;
            let wait = self.wait_on(&loan)?;
            let attempt = Attempt {
                handle: Arc::clone(&loan.handle),
                first_run: None,
            };
            self.process.retry_budget.note_repeat();
            let answering = pin!(statement(attempt));
            Unanswered(Some(loan)).answer_at_last(wait, answering).await
        };
        tokio::select! {
            biased;
            answer = first.answer_at_last(wait, answering) => answer,
            Ok(answer) = second => {
                if let Some(suspect) = suspect {
                    tracing::warn!("a connection to the database has fallen silent: another one took over");
                    suspect.mark_outrun(wait.since);
                }
                Ok(answer)
            }
        }
    }

    fn wait_on(&self, loan: &Loan) -> Result<Wait, AttemptFailure> {
        let since = Instant::now();
        if since >= self.deadline {
            return Err(AttemptFailure::GaveUp {
                after: CALL_TIMEOUT,
                is_silence: false,
            });
        }
        Ok(Wait {
            since,
            until: self.deadline.min(since + loan.lane.statement_timeout()),
        })
    }

    fn note<T>(&self, outcome: &Result<T, AttemptFailure>) {
        let is_degraded = match outcome {
            // It did not get as far as the database, so it says nothing about it.
            Err(AttemptFailure::Busy) => return,
            Err(failure) => failure.is_outage(),
            Ok(_) => false,
        };
        // Written only when it changes: all workers read this place in memory.
        if self.process.is_degraded.load(Ordering::Relaxed) != is_degraded {
            self.process.is_degraded.store(is_degraded, Ordering::Relaxed);
        }
    }
}

/// The connection that a statement runs on.
pub(crate) struct Attempt {
    handle: Arc<Handle>,
    first_run: Option<FirstRun>,
}

impl Attempt {
    pub(crate) fn connection(&self) -> &AsyncPgConnection {
        self.handle.connection()
    }

    /// This connection is never lent again.
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

/// A loan whose statement is under way. A caller that gives up meanwhile (a client that hung up, a deadline) must not
/// hand a connection that is busy, or that never answers again, to the next one: it is kept until the statement has
/// ended, which is cancelled if that takes long. Until then it counts as used: else statements that no one waits for
/// would pile up on the server, one connection after the other.
struct Unanswered(Option<Loan>);

impl Unanswered {
    /// Waits for the answer. `None`: it is a read, and the connection has become suspicious.
    async fn answer<T>(
        &mut self,
        wait: Wait,
        statement: Pin<&mut (impl Future<Output = QueryResult<T>> + Send)>,
    ) -> Option<Result<T, AttemptFailure>> {
        let loan = self.0.as_ref()?;
        let may_suspect = loan.lane == Lane::Read;
        let outcome = answer_of(&loan.handle, loan.lane, wait, may_suspect, statement).await;
        if !matches!(outcome, None | Some(Err(AttemptFailure::GaveUp { .. }))) {
            drop(self.0.take());
        }
        outcome
    }

    /// Waits for the answer, however silent the connection is.
    async fn answer_at_last<T>(
        &mut self,
        wait: Wait,
        statement: Pin<&mut (impl Future<Output = QueryResult<T>> + Send)>,
    ) -> Result<T, AttemptFailure> {
        let gave_up = AttemptFailure::GaveUp {
            after: wait.until - wait.since,
            is_silence: false,
        };
        let Some(loan) = &self.0 else { return Err(gave_up) };
        let outcome = answer_of(&loan.handle, loan.lane, wait, false, statement).await;
        let outcome = outcome.unwrap_or(Err(gave_up));
        if !matches!(outcome, Err(AttemptFailure::GaveUp { .. })) {
            drop(self.0.take());
        }
        outcome
    }

    /// From now on no other statement gets this connection.
    fn suspect(&self) -> Option<Arc<Handle>> {
        let loan = self.0.as_ref()?;
        loan.handle.mark_bad();
        Some(Arc::clone(&loan.handle))
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(loan) = self.0.take() else { return };
        // A server that keeps to limits of its own has stopped the statement before we gave it up; one that has fallen
        // silent hears no request to do so.
        let is_over = loan.handle.is_bad() && (loan.handle.has_limits() || loan.handle.is_silent());
        if is_over {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(finish(loan))),
            Err(_) => loan.handle.mark_bad(),
        }
    }
}

/// Waits for the end of a statement that no one waits for, and hands its connection back.
async fn finish(loan: Loan) {
    let (handle, lane) = (&loan.handle, loan.lane);
    let ended = |limit| {
        let since = Instant::now();
        let until = since + limit;
        Wait { since, until }
    };
    // It is answered behind the statement. What goes wrong is noted on the handle.
    let mut ping = pin!(handle.ping());
    if lane == Lane::Read {
        // Others share the connection: a request to cancel would hit their statements.
        answer_of(handle, lane, ended(lane.statement_timeout()), false, ping).await;
        return;
    }
    if timeout(GRACE, ping.as_mut())
        .await
        .is_ok_and(|answer| answer.is_ok())
    {
        handle.mark_heard();
        return;
    }
    match timeout(lane.statement_timeout(), handle.cancel()).await {
        Ok(Ok(())) => {
            let _ = timeout(CANCELLED, ping).await;
        }
        // The server is out of reach, and so is its statement.
        Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
        Err(_) => tracing::debug!("a statement could not be cancelled in time"),
    }
}

/// The answer to a statement, or what went wrong, by which the connection is judged. `None`: the connection is
/// suspicious, which it may only be if the caller says so.
async fn answer_of<T>(
    handle: &Handle,
    lane: Lane,
    wait: Wait,
    may_suspect: bool,
    mut statement: Pin<&mut (impl Future<Output = QueryResult<T>> + Send)>,
) -> Option<Result<T, AttemptFailure>> {
    let mut look = if may_suspect {
        handle.suspicious_at(wait.since)
    } else {
        wait.since + LOOK
    };
    loop {
        if let Ok(result) = timeout_at(look.min(wait.until), statement.as_mut()).await {
            return Some(judged(handle, lane, wait.since, result).await);
        }
        // A busy thread may not have come round to what has arrived.
        yield_now().await;
        if let Ok(result) = timeout(Duration::ZERO, statement.as_mut()).await {
            return Some(judged(handle, lane, wait.since, result).await);
        }
        let now = Instant::now();
        if now >= wait.until {
            return Some(Err(given_up(handle, lane, wait)));
        }
        if handle.is_silent() {
            handle.mark_bad();
            return Some(Err(StatementError::of_silence().into()));
        }
        look = now + LOOK;
        if may_suspect {
            let suspicious = handle.suspicious_at(wait.since);
            if now >= suspicious {
                return None;
            }
            look = suspicious;
        }
    }
}

async fn judged<T>(
    handle: &Handle,
    lane: Lane,
    since: Instant,
    result: QueryResult<T>,
) -> Result<T, AttemptFailure> {
    let error = match result {
        Ok(answer) if lane == Lane::Read => {
            handle.mark_read(since);
            return Ok(answer);
        }
        Ok(answer) => {
            handle.mark_heard();
            return Ok(answer);
        }
        Err(error) => error,
    };
    let error = cause_of(&error, handle).await;
    if error.spoils_the_connection() {
        handle.mark_bad();
    } else {
        handle.mark_heard();
    }
    Err(error.into())
}

fn given_up(handle: &Handle, lane: Lane, wait: Wait) -> AttemptFailure {
    // A healthy server would have stopped the statement by then, and said so.
    let after = wait.until - wait.since;
    let is_silence = after > lane.server_limits().statement_timeout;
    if is_silence {
        handle.mark_silent(wait.since);
    }
    AttemptFailure::GaveUp { after, is_silence }
}

/// The meaning of a failed statement, once it is known whether its connection has ended with it.
pub(crate) async fn cause_of(error: &Error, handle: &Handle) -> StatementError {
    let error = StatementError::new(error);
    if error.may_be_the_end()
        && let Ok(last_words) = timeout(CLOSE_REASON_TIMEOUT, handle.end()).await
    {
        return error.at_the_end(last_words);
    }
    error
}
