//! Tokens whose signature was right a moment ago. Checking a signature of a key pair costs a hundred times as much as
//! finding the token here; a shared secret is checked as fast as that.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};

use crate::claims::Verified;
use crate::settings::Leeway;

/// SHA-256 of a whole token: no tokens lie around in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        for (byte, digested) in bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
            *byte = *digested;
        }
        Self(bytes)
    }
}

/// What accepted tokens of key pairs said, each under its digest. Times are checked again whenever one is taken out.
#[derive(Debug, Default)]
pub(crate) struct VerifiedTokens(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Of the keys that all of them were verified with.
    generation: u64,
    /// When `recent` is full it becomes `older`, and what was `older` goes: the last ones used stay.
    recent: HashMap<TokenDigest, Verified>,
    older: HashMap<TokenDigest, Verified>,
}

impl VerifiedTokens {
    /// The most tokens that are remembered.
    const MAX: usize = 8_192;

    /// What the token said, if it was accepted with keys of this generation and its times are right.
    pub(crate) fn get(
        &self,
        token: &TokenDigest,
        generation: u64,
        now: DateTime<Utc>,
        leeway: Leeway,
    ) -> Option<Verified> {
        let mut entries = self.entries();
        if entries.generation != generation {
            return None;
        }
        let found = entries.recent.get(token).cloned();
        let found = found.or_else(|| entries.take_back(token))?;
        found.is_valid_at(now, leeway).then_some(found)
    }

    /// Remembers an accepted token. Keys of a newer generation make everything else void.
    pub(crate) fn insert(&self, token: TokenDigest, generation: u64, verified: Verified) {
        let mut entries = self.entries();
        if generation > entries.generation {
            *entries = Entries {
                generation,
                ..Entries::default()
            };
        }
        // A slower request may still hold older keys.
        if generation == entries.generation {
            entries.insert(token, verified);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn take_back(&mut self, token: &TokenDigest) -> Option<Verified> {
        let verified = self.older.remove(token)?;
        self.insert(*token, verified.clone());
        Some(verified)
    }

    fn insert(&mut self, token: TokenDigest, verified: Verified) {
        if self.recent.len() >= VerifiedTokens::MAX / 2 {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(token, verified);
    }
}
