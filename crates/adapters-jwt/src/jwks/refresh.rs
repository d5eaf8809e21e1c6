//! The task that fetches: one fetch at a time, whenever the cache says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::cache::KeyCache;
use super::key_set::KeySet;
use super::source::{FetchFailed, KeySetSource};
use crate::settings::{KeySetSettings, KeySetUrl};

/// Keeps the cache fresh forever.
pub(crate) async fn keep_fresh(cache: Arc<KeyCache>, source: impl KeySetSource, settings: KeySetSettings) {
    let mut report = Report::about(settings.url);
    loop {
        cache.until_due().await;
        cache.begin_fetch();
        let fetched = timeout(settings.timing.timeout, source.fetch()).await;
        let fetched = fetched.unwrap_or(Err(FetchFailed::TimedOut));
        match fetched.and_then(|document| key_set(&document)) {
            Ok(set) => {
                let keys = set.len();
                let is_new = cache.succeed(set);
                report.success(keys, is_new);
            }
            Err(failure) => {
                cache.fail(&failure);
                report.failure(&failure);
            }
        }
    }
}

/// A set without any usable key is a fault of the server: no one could sign in.
fn key_set(document: &[u8]) -> Result<KeySet, FetchFailed> {
    let set = KeySet::parse(document).ok_or(FetchFailed::NoKeySet)?;
    if set.len() == 0 {
        return Err(FetchFailed::NoUsableKey);
    }
    Ok(set)
}

/// Log lines about the fetches: a new set, a failure once a minute, and the end of failures that it told about.
struct Report {
    url: KeySetUrl,
    warned_at: Option<Instant>,
    has_warned: bool,
}

impl Report {
    const PAUSE: Duration = Duration::from_secs(60);

    fn about(url: KeySetUrl) -> Self {
        Self {
            url,
            warned_at: None,
            has_warned: false,
        }
    }

    fn success(&mut self, keys: usize, is_new: bool) {
        if std::mem::take(&mut self.has_warned) || is_new {
            tracing::info!(url = %self.url, keys, "the keys that verify tokens were fetched");
        }
    }

    fn failure(&mut self, failure: &FetchFailed) {
        if self.warned_at.is_some_and(|at| at.elapsed() < Self::PAUSE) {
            return;
        }
        self.warned_at = Some(Instant::now());
        self.has_warned = true;
        tracing::warn!(
            url = %self.url,
            class = failure.class(),
            error = %failure,
            "the keys that verify tokens cannot be fetched"
        );
    }
}
