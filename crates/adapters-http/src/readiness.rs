//! Whether the storage of a worker can be used, as far as is known.

use std::time::{Duration, Instant};

use domain::health::StorageHealth;
use tokio::sync::Mutex;

use crate::problem::{Code, Problem};

/// How long the verdict of one look at the database stands, so that eager probes cost nothing.
const FRESH: Duration = Duration::from_secs(1);

/// The last verdict of one worker about its storage.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<Verdict>>);

#[derive(Debug, Clone, Copy)]
struct Verdict {
    at: Instant,
    failure: Option<Code>,
}

impl Readiness {
    /// The last verdict if it is fresh, a failure too; else a new one. A request that comes meanwhile waits for it
    /// instead of asking as well.
    pub(crate) async fn of(&self, storage: &dyn StorageHealth) -> Result<(), Problem> {
        let mut last = self.0.lock().await;
        if let Some(Verdict { at, failure }) = *last
            && at.elapsed() < FRESH
        {
            return failure.map_or(Ok(()), |code| Err(Problem::new(code)));
        }
        let outcome = storage.check().await.map_err(Problem::from);
        *last = Some(Verdict {
            at: Instant::now(),
            failure: outcome.as_ref().err().map(Problem::code),
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use domain::storage::StorageError;
    use futures_util::future::join_all;

    use super::*;

    /// A storage that is unavailable, and takes its time to say so.
    #[derive(Default)]
    struct Unavailable {
        asked: AtomicUsize,
    }

    #[async_trait]
    impl StorageHealth for Unavailable {
        async fn check(&self) -> Result<(), StorageError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(StorageError::Busy)
        }

        fn is_degraded(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn probes_at_the_same_time_share_one_look_at_the_storage() {
        let (storage, readiness) = (Unavailable::default(), Readiness::default());
        let probes = join_all((0..8).map(|_| readiness.of(&storage))).await;
        for probe in probes {
            assert_eq!(probe.unwrap_err().code(), Code::PoolExhausted);
        }
        assert_eq!(storage.asked.load(Ordering::Relaxed), 1);
    }
}
