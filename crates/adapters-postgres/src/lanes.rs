//! The two lanes of a worker: the connections, and who gets one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bb8::{ManageConnection, Pool, PooledConnection, QueueStrategy, RunError};
use domain::fairness::{LaneId, LaneLimits};
use domain::identity::Owner;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connect::{Connector, ServerLimits};
use crate::connect_error::ConnectError;
use crate::error::AttemptFailure;
use crate::handle::Handle;
use crate::settings::PostgresSettings;
use crate::stats::{LaneStats, Waiters};
use crate::turns::{Turn, Turns};

/// Which connection a statement travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Shared with other statements. Only single statements without locks whose answer an index bounds, and whose
    /// rows are short: whatever is behind them on the connection waits for them.
    Read,
    /// Borrowed for the whole operation. What changes a task, and other short statements.
    Work,
    /// Borrowed too, but one at a time for each user, and never all of them: statements that look at everything a user
    /// has, and large pages.
    Scan,
}

impl Lane {
    /// How long a statement may take before we give up on it and on its connection.
    pub(crate) fn statement_timeout(self) -> Duration {
        match self {
            Self::Read => Duration::from_millis(2_500),
            Self::Work | Self::Scan => Duration::from_secs(5),
        }
    }

    /// The limit for the server, a little less: then it speaks first, and the connection stays sound.
    pub(crate) fn server_limits(self) -> ServerLimits {
        match self {
            Self::Read => ServerLimits {
                statement_timeout: Duration::from_secs(2),
                lock_timeout: None,
            },
            Self::Work | Self::Scan => ServerLimits {
                statement_timeout: Duration::from_millis(4_500),
                lock_timeout: Some(Duration::from_secs(2)),
            },
        }
    }
}

/// The share of its lane that a statement needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    lane: Lane,
    units: u32,
}

impl Share {
    /// A statement that reads that many rows over the shared connection.
    pub(crate) fn of_rows(rows: u16) -> Self {
        Self {
            lane: Lane::Read,
            units: 1 + u32::from(rows) / ROWS_PER_UNIT,
        }
    }
}

impl From<Lane> for Share {
    fn from(lane: Lane) -> Self {
        Self { lane, units: 1 }
    }
}

/// How much may be under way on the shared connection of a worker: 32 tasks, or 4 lists of 100. Enough to keep a server
/// busy that is a millisecond away; longer waits happen here, where users take turns.
const READ_UNITS: u32 = 32;
const ROWS_PER_UNIT: u32 = 16;

/// The pools of all workers that serve requests, as long as they live.
#[derive(Default)]
pub(crate) struct Pools(Mutex<Vec<Weak<LanePool>>>);

impl Pools {
    /// From now on these connections are among the metrics.
    pub(crate) fn count(&self, lanes: &Lanes) {
        let mut pools = self.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.extend([&lanes.read, &lanes.work].map(Arc::downgrade));
    }

    /// How those of one lane are used together.
    pub(crate) fn stats(&self, lane: Lane) -> LaneStats {
        let mut stats = LaneStats::default();
        for pool in self.lock().iter().filter_map(Weak::upgrade) {
            if pool.lane == lane {
                stats += pool.stats();
            }
        }
        stats
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<LanePool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections of one worker.
pub(crate) struct Lanes {
    read: Arc<LanePool>,
    work: Arc<LanePool>,
    /// Turns of the work lane for statements that scan; those need a connection of the work lane too.
    scans: LaneId,
    turns: Arc<Turns>,
    at_hand: AtHand,
    /// Whether a read has put its connection under suspicion and tries another one.
    has_suspect: AtomicBool,
}

/// The right to try another connection; one at a time, because a server that does not answer gets no better by being
/// asked over more and more connections.
pub(crate) struct Suspicion<'a>(&'a AtomicBool);

impl Drop for Suspicion<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Lanes {
    pub(crate) fn new(connector: &Arc<Connector>, settings: &PostgresSettings, turns: &Arc<Turns>) -> Self {
        let size = settings.work_lane_size.max(1);
        let pool = |lane, connections, units| {
            let turn = turns.add_lane(LaneLimits::shared(units));
            let acquire_timeout = settings.acquire_timeout;
            let pool = LanePool::new(Arc::clone(connector), lane, connections, turn, acquire_timeout);
            Arc::new(pool)
        };
        Self {
            // One: a connection that is handed back at once never makes the pool open a second.
            read: pool(Lane::Read, 1, READ_UNITS),
            work: pool(Lane::Work, size, size),
            // Half of the connections, so that those of changes are never used up, and not all of that half for one
            // user, so that another one's search need not wait for the end of a long one.
            scans: turns.add_lane(LaneLimits {
                units: (size / 2).max(1),
                units_per_owner: (size / 4).max(1),
            }),
            turns: Arc::clone(turns),
            at_hand: AtHand::default(),
            has_suspect: AtomicBool::new(false),
        }
    }

    /// `None`: another read finds out about the connection already.
    pub(crate) fn suspect(&self) -> Option<Suspicion<'_>> {
        let is_first = !self.has_suspect.swap(true, Ordering::Relaxed);
        is_first.then_some(Suspicion(&self.has_suspect))
    }

    /// Waits for a turn and a connection, at most until then. Without an owner, as the health check, for a connection
    /// only.
    pub(crate) async fn lend(
        &self,
        share: Share,
        owner: Option<&Owner>,
        deadline: Instant,
    ) -> Result<Loan, AttemptFailure> {
        let Share { lane, units } = share;
        match lane {
            Lane::Read => {
                let turn = match owner {
                    Some(owner) => Some(self.turn_to_read(owner, units, deadline).await?),
                    None => None,
                };
                let handle = self.shared(deadline).await?;
                Ok(Loan {
                    handle,
                    lane,
                    _own: None,
                    _turns: [turn, None],
                })
            }
            Lane::Work | Lane::Scan => {
                let borrowing = self.work.in_time(deadline, self.borrowed(lane, owner));
                let (borrowed, turns) = borrowing.await?;
                Ok(Loan {
                    handle: Arc::clone(&*borrowed),
                    lane,
                    _own: Some(borrowed),
                    _turns: turns,
                })
            }
        }
    }

    /// A second loan of a read, for a statement that has its turn already.
    pub(crate) async fn lend_again(&self, deadline: Instant) -> Result<Loan, AttemptFailure> {
        self.lend(Lane::Read.into(), None, deadline).await
    }

    async fn turn_to_read(
        &self,
        owner: &Owner,
        units: u32,
        deadline: Instant,
    ) -> Result<Turn, AttemptFailure> {
        if let Some(turn) = self.turns.try_take(self.read.turn, owner, units) {
            return Ok(turn);
        }
        let turn = async { Ok(self.turns.take(self.read.turn, owner, units).await?) };
        self.read.in_time(deadline, turn).await
    }

    async fn borrowed(
        &self,
        lane: Lane,
        owner: Option<&Owner>,
    ) -> Result<(Borrowed, [Option<Turn>; 2]), AttemptFailure> {
        let mut turns = [None, None];
        if let Some(owner) = owner {
            if lane == Lane::Scan {
                turns[1] = Some(self.turns.take(self.scans, owner, 1).await?);
            }
            turns[0] = Some(self.turns.take(self.work.turn, owner, 1).await?);
        }
        Ok((self.work.borrow().await, turns))
    }

    /// The connection of all reads. It goes back to the pool at once, for the next one to share it.
    async fn shared(&self, deadline: Instant) -> Result<Arc<Handle>, AttemptFailure> {
        let now = Instant::now();
        if let Some(handle) = self.at_hand.get(now) {
            return Ok(handle);
        }
        let borrowing = async { Ok(self.read.borrow().await) };
        let borrowed = self.read.in_time(deadline, borrowing).await?;
        self.at_hand.set(&borrowed, now);
        Ok(Arc::clone(&*borrowed))
    }
}

/// The connection that reads have shared last, for a moment: to ask the pool takes longer than to find it here. It
/// stays the pool's, which has to see now and then that it is used, and lets it go when it is not.
#[derive(Default)]
struct AtHand(Mutex<Option<(Weak<Handle>, Instant)>>);

impl AtHand {
    const MOMENT: Duration = Duration::from_secs(1);

    fn get(&self, now: Instant) -> Option<Arc<Handle>> {
        let at_hand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (handle, since) = at_hand.as_ref()?;
        let handle = handle.upgrade()?;
        (now < *since + Self::MOMENT && !handle.is_bad()).then_some(handle)
    }

    fn set(&self, handle: &Arc<Handle>, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::downgrade(handle), now));
    }
}

type Borrowed = PooledConnection<'static, Manager>;

/// A connection for one statement; dropping it hands it back.
pub(crate) struct Loan {
    pub(crate) handle: Arc<Handle>,
    pub(crate) lane: Lane,
    // In this order: the next statement finds the connection in the pool.
    _own: Option<Borrowed>,
    _turns: [Option<Turn>; 2],
}

/// A pool, and how long a statement waits for it.
struct LanePool {
    pool: Pool<Manager>,
    lane: Lane,
    size: u32,
    /// Its units are the connections of the pool; of the read lane, what may be under way on its one connection.
    /// Asking bb8 again after one of its short attempts would stand at the end of its queue.
    turn: LaneId,
    waiters: Waiters,
    last_failure: Arc<LastFailure>,
    acquire_timeout: Duration,
}

impl LanePool {
    fn new(
        connector: Arc<Connector>,
        lane: Lane,
        size: u32,
        turn: LaneId,
        acquire_timeout: Duration,
    ) -> Self {
        let last_failure = Arc::new(LastFailure::default());
        let manager = Manager {
            connector,
            lane,
            last_failure: Arc::clone(&last_failure),
        };
        let pool = Pool::builder()
            .max_size(size)
            // An open connection wakes nothing, but a pool that refills itself would.
            .min_idle(None)
            .idle_timeout(Duration::from_secs(240))
            .max_lifetime(Duration::from_secs(30 * 60))
            // A quiet load keeps few connections busy and lets the others go.
            .queue_strategy(QueueStrategy::Lifo)
            .test_on_check_out(true)
            // A failed attempt wakes no waiter in bb8, and its own retries back off for too long: we ask again in
            // short turns instead.
            .retry_connection(false)
            .connection_timeout(Duration::from_millis(300))
            .build_unchecked(manager);
        Self {
            pool,
            lane,
            size,
            turn,
            waiters: Waiters::default(),
            last_failure,
            acquire_timeout,
        }
    }

    /// Waits for something of this lane for as long as a statement may.
    async fn in_time<T>(
        &self,
        deadline: Instant,
        waited_for: impl Future<Output = Result<T, AttemptFailure>>,
    ) -> Result<T, AttemptFailure> {
        let waiting = self.waiters.join();
        let started = Instant::now();
        let until = deadline.min(started + self.acquire_timeout);
        timeout_at(until, waited_for).await.unwrap_or_else(|_| {
            waiting.give_up();
            Err(self.why_none_came_since(started))
        })
    }

    /// Waits for a connection, through any number of failed attempts to make one. An attempt may take longer than
    /// any caller waits: it goes on by itself, and the next statement finds its connection.
    async fn borrow(&self) -> Borrowed {
        loop {
            match self.pool.get_owned().await {
                Ok(borrowed) => return borrowed,
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

    /// Why no connection came: because none could be made, or because all were in use.
    fn why_none_came_since(&self, started: Instant) -> AttemptFailure {
        match self.last_failure.since(started) {
            Some(failure) => AttemptFailure::NotConnected(failure),
            None if self.pool.state().connections == 0 => {
                AttemptFailure::NotConnected("the database has not let us in yet".to_owned())
            }
            None => AttemptFailure::Busy,
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
