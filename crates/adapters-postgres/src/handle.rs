//! A connection, and what is known about its health.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::sql_types::Integer;
use diesel::{IntoSql, QueryResult};
use diesel_async::AsyncPgConnection;
use tokio::time::Instant;
use tokio_postgres::error::DbError;

use crate::connect_error::ConnectError;
use crate::health::Health;
use crate::transport::Transport;

/// How many times its usual time a read may be silent before the connection is under suspicion, and the least and the
/// most that this may be. The most leaves time to connect anew within a second.
const MANY_TIMES: u32 = 16;
const LEAST_SILENCE: Duration = Duration::from_millis(250);
const MOST_SILENCE: Duration = Duration::from_millis(700);

/// When the other side was last found silent. All connections of the process share it: what one of them has found out
/// at the price of a time limit, the others need not find out again.
pub(crate) struct Silence {
    epoch: Instant,
    began: AtomicU64,
}

impl Silence {
    /// None was found yet.
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            began: AtomicU64::new(0),
        }
    }

    /// Microseconds since this was made; never 0, which means that no silence was found yet.
    fn at(&self, time: Instant) -> u64 {
        microseconds(time.saturating_duration_since(self.epoch)).max(1)
    }

    fn time_of(&self, microseconds: u64) -> Instant {
        self.epoch + Duration::from_micros(microseconds)
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A connection, and what is known about its health.
pub(crate) struct Handle {
    connection: AsyncPgConnection,
    health: Arc<Health>,
    silence: Arc<Silence>,
    heard: AtomicU64,
    /// How long a read takes on it, in microseconds: a moving average that begins with the time of connecting.
    usual: AtomicU64,
    /// Whether the server has agreed to stop statements that take too long.
    has_limits: bool,
    transport: Transport,
}

/// How a connection came about.
pub(crate) struct Beginning {
    /// How long it took.
    pub(crate) took: Duration,
    /// Whether the server has agreed to stop statements that take too long.
    pub(crate) has_limits: bool,
    /// How the server was reached, and is reached to cancel a statement.
    pub(crate) transport: Transport,
}

impl Handle {
    pub(crate) fn new(
        connection: AsyncPgConnection,
        health: Arc<Health>,
        silence: &Arc<Silence>,
        beginning: Beginning,
    ) -> Self {
        let handle = Self {
            connection,
            health,
            silence: Arc::clone(silence),
            heard: AtomicU64::new(0),
            usual: AtomicU64::new(microseconds(beginning.took)),
            has_limits: beginning.has_limits,
            transport: beginning.transport,
        };
        handle.mark_heard();
        handle
    }

    /// For one statement at a time or for several, which are then pipelined. Never for a transaction.
    pub(crate) fn connection(&self) -> &AsyncPgConnection {
        &self.connection
    }

    /// For a transaction, which needs the connection to itself.
    pub(crate) fn into_connection(self) -> AsyncPgConnection {
        self.connection
    }

    /// Asks the server for an answer, any answer.
    pub(crate) async fn ping(&self) -> QueryResult<()> {
        // Not above: atomics have a `load` too.
        use diesel_async::RunQueryDsl as _;
        let statement = diesel::select(1.into_sql::<Integer>());
        statement.load::<i32>(&mut self.connection()).await.map(drop)
    }

    /// Makes sure that this connection is never lent again: what is still under way on it is anyone's guess.
    pub(crate) fn mark_bad(&self) {
        self.health.mark_bad();
    }

    /// Whether the server stops statements of this connection that take too long.
    pub(crate) fn has_limits(&self) -> bool {
        self.has_limits
    }

    /// Asks the server to stop what it does on this connection. The request may come late: no other statement may
    /// follow on the connection, or it would be that one which is stopped.
    pub(crate) async fn cancel(&self) -> Result<(), ConnectError> {
        self.mark_bad();
        self.transport.cancel(self.connection.cancel_token()).await
    }

    /// The server has just said something.
    pub(crate) fn mark_heard(&self) {
        self.heard
            .store(self.silence.at(Instant::now()), Ordering::Relaxed);
    }

    /// The server has just answered a read that was sent then.
    pub(crate) fn mark_read(&self, since: Instant) {
        let now = Instant::now();
        self.heard.store(self.silence.at(now), Ordering::Relaxed);
        // Reads of several callers may get in each other's way here: the average is none the worse for it.
        let usual = self.usual.load(Ordering::Relaxed);
        let took = microseconds(now.saturating_duration_since(since));
        self.usual
            .store(usual - usual / 16 + took / 16, Ordering::Relaxed);
    }

    /// When a read that was sent then, and has got no answer, puts the connection under suspicion, unless the server
    /// says something on it meanwhile.
    pub(crate) fn suspicious_at(&self, since: Instant) -> Instant {
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed));
        let silence = (usual * MANY_TIMES).clamp(LEAST_SILENCE, MOST_SILENCE);
        let heard = self.silence.time_of(self.heard.load(Ordering::Relaxed));
        since.max(heard) + silence
    }

    /// Whether other connections got their answers while nothing was heard on this one.
    pub(crate) fn is_silent(&self) -> bool {
        self.heard.load(Ordering::Relaxed) < self.silence.began.load(Ordering::Relaxed)
    }

    /// Another connection got the answer that this one owes since then: it is never lent again, nor one that was not
    /// heard from since.
    pub(crate) fn mark_outrun(&self, since: Instant) {
        self.mark_bad();
        let since = self.silence.at(since);
        if self.heard.load(Ordering::Relaxed) < since {
            self.silence.began.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// A statement has got no answer since then, for longer than the server lets one run. This connection is
    /// never lent again. If the server would have stopped the statement, and nothing at all was heard on the
    /// connection, nor are other ones that were not heard from since: they probably end in the same silence.
    pub(crate) fn mark_silent(&self, since: Instant) {
        self.mark_bad();
        let since = self.silence.at(since);
        if self.has_limits && self.heard.load(Ordering::Relaxed) < since {
            self.silence.began.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// Whether the connection is good for nothing. Costs no round trip.
    pub(crate) fn is_bad(&self) -> bool {
        self.health.is_bad() || self.is_silent()
    }

    /// Waits for the end of the connection, and returns why it ended if the server said so.
    pub(crate) async fn end(&self) -> Option<&DbError> {
        self.health.end().await
    }
}
