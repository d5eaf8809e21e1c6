//! Step 3 for key pairs: the public keys that the front end publishes.
//!
//! | Room | What it does |
//! |---|---|
//! | `source`, `http` | fetches a document, once |
//! | `key_set` | reads it, entry by entry |
//! | `state` | decides when to fetch and what a request gets; waits for nothing |
//! | `cache` | lets requests wait for what `state` decides |
//! | `refresh` | the one task that fetches |
//!
//! Better Auth makes a new key when it signs the first token with it and publishes it never before. So the first
//! token of a new key always meets a verifier that does not know it, and the verifier has to fetch at once.

mod cache;
mod http;
mod key_set;
mod refresh;
mod source;
mod state;

use std::sync::Arc;

use domain::identity::{AuthError, Refusal};
use tokio::task::JoinSet;

pub use http::{HttpKeySet, MAX_KEY_SET_BYTES, NoHttpClient};
pub use source::{FetchFailed, KeySetSource};

use crate::algorithm::Algorithm;
use crate::settings::KeySetSettings;
use crate::stats::KeySetStats;
use crate::token::CompactToken;
use cache::KeyCache;
use state::CurrentKeys;

/// The keys of a key set, kept fresh by a task that ends with this value.
#[derive(Debug)]
pub(crate) struct PublishedKeys {
    cache: Arc<KeyCache>,
    _refresh: JoinSet<()>,
}

impl PublishedKeys {
    /// Begins to fetch, in a task on the runtime that calls this.
    pub(crate) fn fetched_from(source: impl KeySetSource, settings: KeySetSettings) -> Self {
        let cache = Arc::new(KeyCache::new(settings.timing));
        let mut refresh = JoinSet::new();
        refresh.spawn(refresh::keep_fresh(Arc::clone(&cache), source, settings));
        Self {
            cache,
            _refresh: refresh,
        }
    }

    /// The generation of the keys in use: a signature that was right is right as long as this does not change. `None`
    /// if there are no keys.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.cache.current().map(|keys| keys.generation)
    }

    pub(crate) fn stats(&self) -> KeySetStats {
        self.cache.stats()
    }

    /// Checks the signature of a token, and returns the generation of the keys that it was checked with.
    pub(crate) async fn check(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        token: &CompactToken<'_>,
    ) -> Result<u64, AuthError> {
        let keys = self.cache.keys_for(id).await?;
        let check = |keys: &CurrentKeys| keys.set.check(algorithm, id, token.signed, token.signature);
        let Err(reason) = check(&keys) else {
            return Ok(keys.generation);
        };
        // Someone may have wiped the front end's database and got the same id for another key.
        let changed = match id {
            Some(id) => self.cache.changed_keys(id, &keys).await,
            None => None,
        };
        let keys = changed.ok_or(Refusal::new(reason))?;
        check(&keys).map_err(Refusal::new)?;
        Ok(keys.generation)
    }
}
