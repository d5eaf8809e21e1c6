//! The two lanes of a worker, and the one place that runs a statement: a place in the line, a connection, a time
//! limit, and what a failure means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bb8::{ManageConnection, Pool, PooledConnection, QueueStrategy, RunError};
use diesel::QueryResult;
use domain::task::RepositoryError;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::PostgresSettings;
use crate::connect::{ConnectError, Connector, Handle, ServerLimits};
use crate::error::{GaveUp, StatementError};
use crate::statements::ping;
use crate::stats::{DatabaseStats, LaneStats, Waiters};

/// Which connection a statement travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Shared with other statements. Only single statements without locks whose cost an index bounds.
    Read,
    /// Borrowed for the whole operation. Everything else.
    Work,
}

impl Lane {
    /// How long a statement may take before we give up on it and on its connection.
    fn statement_timeout(self) -> Duration {
        match self {
            Self::Read => Duration::from_millis(2_500),
            Self::Work => Duration::from_secs(5),
        }
    }

    /// What the server is told, a little less: then it speaks first, and the connection stays sound.
    fn server_limits(self) -> ServerLimits {
        match self {
            Self::Read => ServerLimits {
                statement_timeout: Duration::from_secs(2),
                lock_timeout: None,
            },
            Self::Work => ServerLimits {
                statement_timeout: Duration::from_millis(4_500),
                lock_timeout: Some(Duration::from_secs(2)),
            },
        }
    }
}

/// What all workers of the process share.
pub(crate) struct Process {
    places: Semaphore,
    max_in_flight: usize,
    is_degraded: AtomicBool,
    pools: Mutex<Vec<Weak<LanePool>>>,
}

impl Process {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let max_in_flight = max_in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            places: Semaphore::new(max_in_flight),
            max_in_flight,
            is_degraded: AtomicBool::new(false),
            pools: Mutex::default(),
        }
    }

    /// How the pools of all workers that live are used.
    pub(crate) fn stats(&self) -> DatabaseStats {
        let mut stats = DatabaseStats {
            in_flight: self.max_in_flight.saturating_sub(self.places.available_permits()),
            max_in_flight: self.max_in_flight,
            ..DatabaseStats::default()
        };
        for pool in self.pools().iter().filter_map(Weak::upgrade) {
            match pool.lane {
                Lane::Read => stats.read += pool.stats(),
                Lane::Work => stats.work += pool.stats(),
            }
        }
        stats
    }

    fn watch(&self, pool: &Arc<LanePool>) {
        let mut pools = self.pools();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    fn pools(&self) -> MutexGuard<'_, Vec<Weak<LanePool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of one worker.
pub(crate) struct Lanes {
    read: Arc<LanePool>,
    work: Arc<LanePool>,
    process: Arc<Process>,
}

impl Lanes {
    pub(crate) fn new(
        connector: &Arc<Connector>,
        settings: &PostgresSettings,
        process: &Arc<Process>,
    ) -> Self {
        let pool = |lane, size| {
            let pool = LanePool::new(Arc::clone(connector), lane, size, settings.acquire_timeout);
            let pool = Arc::new(pool);
            process.watch(&pool);
            pool
        };
        Self {
            // One: a connection that is handed back at once never makes the pool open a second.
            read: pool(Lane::Read, 1),
            work: pool(Lane::Work, settings.work_lane_size.max(1)),
            process: Arc::clone(process),
        }
    }

    /// Runs one statement and reads its answer to the end.
    pub(crate) async fn run<T, F>(
        &self,
        lane: Lane,
        statement: impl FnOnce(Arc<Handle>) -> F,
    ) -> Result<T, RepositoryError>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let Ok(_place) = self.process.places.try_acquire() else {
            return Err(RepositoryError::Busy);
        };
        let answer = match self.lend(lane).await {
            Ok(loan) => loan.run(statement).await,
            Err(error) => Err(error),
        };
        self.note(&answer);
        answer
    }

    async fn lend(&self, lane: Lane) -> Result<Loan, RepositoryError> {
        let borrowed = match lane {
            Lane::Read => self.read.acquire().await?,
            Lane::Work => self.work.acquire().await?,
        };
        Ok(Loan {
            handle: Arc::clone(&*borrowed),
            // A shared connection goes back to the pool at once, for the next one to share it.
            borrowed: (lane == Lane::Work).then_some(borrowed),
            lane,
        })
    }

    /// Whether the most recent operation of this process failed to reach the database.
    pub(crate) fn is_degraded(&self) -> bool {
        self.process.is_degraded.load(Ordering::Relaxed)
    }

    fn note<T>(&self, answer: &Result<T, RepositoryError>) {
        let is_degraded = match answer {
            Err(RepositoryError::Unavailable(_) | RepositoryError::TimedOut(_)) => true,
            Err(RepositoryError::Busy) => return,
            Ok(_) | Err(_) => false,
        };
        self.process.is_degraded.store(is_degraded, Ordering::Relaxed);
    }
}

/// A connection for one statement.
struct Loan {
    handle: Arc<Handle>,
    borrowed: Option<PooledConnection<'static, Manager>>,
    lane: Lane,
}

impl Loan {
    async fn run<T, F>(self, statement: impl FnOnce(Arc<Handle>) -> F) -> Result<T, RepositoryError>
    where
        F: Future<Output = QueryResult<T>> + Send,
    {
        let handle = Arc::clone(&self.handle);
        let lane = self.lane;
        let mut unanswered = Unanswered(Some(self));
        let answer = answer_of(&handle, lane, statement).await;
        drop(unanswered.0.take());
        answer
    }
}

/// A loan whose statement is under way. A caller who walks away meanwhile (a client that hung up) must not hand a
/// connection that is busy, or that never answers again, to the next one: it is kept until it has answered a further
/// statement, and if it does not, nobody gets it again.
struct Unanswered(Option<Loan>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(loan) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            loan.handle.mark_bad();
            return;
        };
        runtime.spawn(async move {
            let answer = answer_of(
                &loan.handle,
                loan.lane,
                |c| async move { ping(c.connection()).await },
            );
            // What goes wrong is noted on the handle.
            let _ = answer.await;
            drop(loan.borrowed);
        });
    }
}

/// How long the end of a connection may follow the error that announced it.
const FAREWELL: Duration = Duration::from_millis(50);

async fn answer_of<T, F>(
    handle: &Arc<Handle>,
    lane: Lane,
    statement: impl FnOnce(Arc<Handle>) -> F,
) -> Result<T, RepositoryError>
where
    F: Future<Output = QueryResult<T>> + Send,
{
    let limit = lane.statement_timeout();
    let started = Instant::now();
    match timeout(limit, statement(Arc::clone(handle))).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let took_as_long_as_allowed = started.elapsed() >= lane.server_limits().statement_timeout;
            let mut error = StatementError::new(&error, took_as_long_as_allowed);
            if error.may_be_the_end()
                && let Ok(last_words) = timeout(FAREWELL, handle.end()).await
            {
                error = error.at_the_end(last_words);
            }
            if error.spoils_the_connection() {
                handle.mark_bad();
            }
            Err(error.into())
        }
        Err(_) => {
            handle.mark_bad();
            Err(RepositoryError::TimedOut(Box::new(GaveUp(limit))))
        }
    }
}

/// A pool, and the patience of those who wait for it.
struct LanePool {
    pool: Pool<Manager>,
    lane: Lane,
    size: u32,
    waiters: Waiters,
    last_failure: Arc<LastFailure>,
    patience: Duration,
}

impl LanePool {
    fn new(connector: Arc<Connector>, lane: Lane, size: u32, patience: Duration) -> Self {
        let last_failure = Arc::new(LastFailure::default());
        let manager = Manager {
            connector,
            lane,
            last_failure: Arc::clone(&last_failure),
        };
        let pool = Pool::builder()
            .max_size(size)
            // An open connection keeps nobody awake, but a pool that refills itself would.
            .min_idle(None)
            .idle_timeout(Duration::from_secs(240))
            .max_lifetime(Duration::from_secs(30 * 60))
            // A quiet load keeps few connections busy and lets the others go.
            .queue_strategy(QueueStrategy::Lifo)
            .test_on_check_out(true)
            // A failed attempt wakes nobody in bb8, and its own retries back off for too long: we ask again in
            // short turns instead.
            .retry_connection(false)
            .connection_timeout(Duration::from_millis(300))
            .build_unchecked(manager);
        Self {
            pool,
            lane,
            size,
            waiters: Waiters::default(),
            last_failure,
            patience,
        }
    }

    /// Waits for a connection, through any number of failed attempts to make one.
    async fn acquire(&self) -> Result<PooledConnection<'static, Manager>, RepositoryError> {
        let waiting = self.waiters.join();
        let started = Instant::now();
        loop {
            match self.pool.get_owned().await {
                Ok(borrowed) => return Ok(borrowed),
                Err(_) if started.elapsed() >= self.patience => {
                    waiting.give_up();
                    return Err(self.error_of_waiting_since(started));
                }
                Err(RunError::TimedOut) => {}
                // bb8 keeps to itself that an idle connection had ended; should it ever tell, this is no busy loop.
                Err(RunError::User(_)) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn stats(&self) -> LaneStats {
        let state = self.pool.state();
        LaneStats {
            idle: state.idle_connections,
            used: state.connections.saturating_sub(state.idle_connections),
            max: self.size,
            waiting: self.waiters.now(),
            timeouts: self.waiters.in_vain(),
        }
    }

    /// Nobody handed us a connection: because none could be made, or because all were in use.
    fn error_of_waiting_since(&self, started: Instant) -> RepositoryError {
        match self.last_failure.since(started) {
            Some(failure) => RepositoryError::Unavailable(failure.into()),
            // An attempt may take longer than we wait.
            None if self.pool.state().connections == 0 => {
                RepositoryError::Unavailable("the database has not let us in yet".into())
            }
            None => RepositoryError::Busy,
        }
    }
}

/// The most recent failure to connect, as text, until a connection is made.
#[derive(Default)]
struct LastFailure(Mutex<Option<(Instant, String)>>);

impl LastFailure {
    fn set(&self, failure: Option<&ConnectError>) {
        let failure = failure.map(|failure| (Instant::now(), failure.to_string()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn since(&self, started: Instant) -> Option<String> {
        let failure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure
            .as_ref()
            .filter(|(at, _)| *at >= started)
            .map(|(_, text)| text.clone())
    }
}

/// Makes and judges connections for bb8, without ever asking the server.
struct Manager {
    connector: Arc<Connector>,
    lane: Lane,
    last_failure: Arc<LastFailure>,
}

impl ManageConnection for Manager {
    type Connection = Arc<Handle>;
    type Error = Ended;

    async fn connect(&self) -> Result<Self::Connection, Self::Error> {
        match self.connector.connect(self.lane.server_limits()).await {
            Ok(handle) => {
                self.last_failure.set(None);
                Ok(Arc::new(handle))
            }
            Err(error) => {
                self.last_failure.set(Some(&error));
                Err(Ended)
            }
        }
    }

    async fn is_valid(&self, handle: &mut Self::Connection) -> Result<(), Self::Error> {
        if handle.is_bad() { Err(Ended) } else { Ok(()) }
    }

    fn has_broken(&self, handle: &mut Self::Connection) -> bool {
        handle.is_bad()
    }
}

/// There is no usable connection; why is kept in [`LastFailure`].
#[derive(Debug)]
struct Ended;
