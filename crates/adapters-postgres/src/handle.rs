//! A connection, and what is known about its health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use diesel::sql_types::Integer;
use diesel::{IntoSql, QueryResult};
use diesel_async::AsyncPgConnection;
use tokio::sync::SetOnce;
use tokio::time::Instant;
use tokio_postgres::error::DbError;

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
        let elapsed = time.saturating_duration_since(self.epoch);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

/// A connection, and what is known about its health.
pub(crate) struct Handle {
    connection: AsyncPgConnection,
    health: Arc<Health>,
    silence: Arc<Silence>,
    heard: AtomicU64,
    /// Whether the server has agreed to stop statements that take too long.
    has_limits: bool,
}

/// What is found out about a connection, also by the task that runs it.
#[derive(Default)]
pub(crate) struct Health {
    is_bad: AtomicBool,
    ended: SetOnce<Option<tokio_postgres::Error>>,
}

impl Handle {
    pub(crate) fn new(
        connection: AsyncPgConnection,
        health: Arc<Health>,
        silence: &Arc<Silence>,
        has_limits: bool,
    ) -> Self {
        let handle = Self {
            connection,
            health,
            silence: Arc::clone(silence),
            heard: AtomicU64::new(0),
            has_limits,
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

    /// Makes sure that nobody gets this connection again: what is still under way on it is anyone's guess.
    pub(crate) fn mark_bad(&self) {
        self.health.is_bad.store(true, Ordering::Relaxed);
    }

    /// The server has just said something.
    pub(crate) fn mark_heard(&self) {
        self.heard
            .store(self.silence.at(Instant::now()), Ordering::Relaxed);
    }

    /// A statement has got no answer since then, for longer than the server lets one run. Nobody gets this connection
    /// again. If the server would have stopped the statement, and nothing at all was heard on the connection, nor does
    /// anybody get another one that was not heard from since: they probably end in the same silence.
    pub(crate) fn mark_silent(&self, since: Instant) {
        self.mark_bad();
        let since = self.silence.at(since);
        if self.has_limits && self.heard.load(Ordering::Relaxed) < since {
            self.silence.began.fetch_max(since, Ordering::Relaxed);
        }
    }

    /// Whether the connection is good for nothing. Costs no round trip.
    pub(crate) fn is_bad(&self) -> bool {
        self.health.is_bad.load(Ordering::Relaxed)
            || self.health.ended.get().is_some()
            || self.heard.load(Ordering::Relaxed) < self.silence.began.load(Ordering::Relaxed)
    }

    /// Waits for the end of the connection, and answers why it ended if the server said so.
    pub(crate) async fn end(&self) -> Option<&DbError> {
        self.health.ended.wait().await.as_ref()?.as_db_error()
    }
}

/// Runs a connection until it ends, and remembers why it did.
pub(crate) fn watch(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
) -> Arc<Health> {
    let health = Arc::new(Health::default());
    let ended = Arc::clone(&health);
    tokio::spawn(async move {
        let end = connection.await.err();
        let _ = ended.ended.set(end);
    });
    health
}
