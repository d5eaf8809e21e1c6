//! The health of a connection, found out by the task that runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::SetOnce;
use tokio_postgres::error::DbError;

/// The health of a connection, known without asking the server.
#[derive(Default)]
pub(crate) struct Health {
    is_bad: AtomicBool,
    ended: SetOnce<Option<tokio_postgres::Error>>,
}

impl Health {
    /// Makes sure that the connection is never lent again.
    pub(crate) fn mark_bad(&self) {
        self.is_bad.store(true, Ordering::Relaxed);
    }

    /// Whether the connection was marked as bad, or has ended.
    pub(crate) fn is_bad(&self) -> bool {
        self.is_bad.load(Ordering::Relaxed) || self.ended.get().is_some()
    }

    /// Waits for the end of the connection, and returns why it ended if the server said so.
    pub(crate) async fn end(&self) -> Option<&DbError> {
        self.ended.wait().await.as_ref()?.as_db_error()
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
