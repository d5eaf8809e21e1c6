//! The task that fetches: one fetch at a time, whenever the cache says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::cache::KeyCache;
use super::key_set::KeySet;
use super::source::{FetchFailed, KeySetSource};
use crate::settings::{KeySetSettings, KeySetUrl};

/// Keeps the cache fresh for ever.
pub(crate) async fn keep_fresh(cache: Arc<KeyCache>, source: impl KeySetSource, settings: KeySetSettings) {
    let mut report = Report::about(settings.url);
    loop {
        cache.until_due().await;
        cache.begin_fetch();
        let fetched = timeout(settings.timing.timeout, source.fetch()).await;
        match fetched
            .unwrap_or(Err(FetchFailed::TimedOut))
            .and_then(|document| key_set(&document))
        {
            Ok(set) => {
                report.success(set.len());
                cache.end_fetch(Ok(set));
            }
            Err(failure) => {
                report.failure(&failure);
                cache.end_fetch(Err(&failure));
            }
        }
    }
}

/// A set without any usable key is a fault of the server: nobody could sign in.
fn key_set(document: &[u8]) -> Result<KeySet, FetchFailed> {
    let set = KeySet::parse(document).ok_or(FetchFailed::NoKeySet)?;
    if set.len() == 0 {
        return Err(FetchFailed::NoUsableKey);
    }
    Ok(set)
}

/// What the log says about the fetches: each change for the better or the worse, and failures once a minute.
struct Report {
    url: KeySetUrl,
    keys: Option<usize>,
    warned_at: Option<Instant>,
}

impl Report {
    const PAUSE: Duration = Duration::from_secs(60);

    fn about(url: KeySetUrl) -> Self {
        Self {
            url,
            keys: None,
            warned_at: None,
        }
    }

    fn success(&mut self, keys: usize) {
        let has_failed = self.warned_at.take().is_some();
        if has_failed || self.keys != Some(keys) {
            tracing::info!(url = %self.url, keys, "the keys that verify tokens were fetched");
        }
        self.keys = Some(keys);
    }

    fn failure(&mut self, failure: &FetchFailed) {
        if self
            .warned_at
            .is_some_and(|warned_at| warned_at.elapsed() < Self::PAUSE)
        {
            return;
        }
        self.warned_at = Some(Instant::now());
        tracing::warn!(
            url = %self.url,
            class = failure.class(),
            error = %failure,
            "the keys that verify tokens cannot be fetched"
        );
    }
}
