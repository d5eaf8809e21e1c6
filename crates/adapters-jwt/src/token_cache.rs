//! Tokens whose signature was right a moment ago. Checking a signature of a key pair costs a hundred times as much as
//! finding the token here; a shared secret is checked as fast as that.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use domain::identity::Caller;

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

/// The content of accepted tokens of key pairs, each under its digest. Times are checked again whenever one is taken
/// out.
#[derive(Debug, Default)]
pub(crate) struct TokenCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Of the keys that all of them were verified with.
    generation: u64,
    /// When `recent` is full it becomes `older`, and what was `older` goes: the last ones used stay.
    recent: HashMap<TokenDigest, Verified>,
    older: HashMap<TokenDigest, Verified>,
}

impl TokenCache {
    /// The most tokens that are remembered.
    const MAX: usize = 8_192;

    /// Who the bearer of a token is, if it was accepted with keys of this generation and its times are right.
    pub(crate) fn get(
        &self,
        token: &TokenDigest,
        generation: u64,
        now: DateTime<Utc>,
        leeway: Leeway,
    ) -> Option<Caller> {
        let mut entries = self.entries();
        if entries.generation != generation {
            return None;
        }
        let found = entries.recent.get(token).cloned();
        let found = found.or_else(|| entries.take_back(token))?;
        found.is_valid_at(now, leeway).then_some(found.caller)
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
        if self.recent.len() >= TokenCache::MAX / 2 {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(token, verified);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::testing::{a_caller, noon};

    use super::*;

    fn digest_of(number: usize) -> TokenDigest {
        TokenDigest::of(&number.to_string())
    }

    fn verified() -> Verified {
        Verified {
            caller: a_caller(),
            not_before: noon(),
        }
    }

    fn remembers(tokens: &TokenCache, number: usize, generation: u64) -> bool {
        let found = tokens.get(&digest_of(number), generation, noon(), Leeway::default());
        found.is_some()
    }

    /// FIPS 180-4, the example of one block.
    #[test]
    fn a_digest_is_that_of_the_standard() {
        let digest = TokenDigest::of("abc").0;
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }

    #[test]
    fn a_token_is_found_again_under_its_own_digest() {
        let tokens = TokenCache::default();
        tokens.insert(digest_of(1), 0, verified());
        assert!(remembers(&tokens, 1, 0));
        assert!(!remembers(&tokens, 2, 0));
    }

    #[test]
    fn a_token_is_found_only_while_its_times_are_right() {
        let tokens = TokenCache::default();
        tokens.insert(digest_of(1), 0, verified());
        let found_at = |now, leeway| {
            tokens
                .get(&digest_of(1), 0, now, Leeway::from_secs(leeway).unwrap())
                .is_some()
        };
        let end = a_caller().expires_at;
        let moment = TimeDelta::microseconds(1);
        assert!(found_at(end - moment, 0) && !found_at(end, 0));
        assert!(found_at(noon(), 0) && !found_at(noon() - moment, 0));
        assert!(
            found_at(end + TimeDelta::seconds(1) - moment, 1) && !found_at(end + TimeDelta::seconds(1), 1)
        );
        assert!(found_at(noon() - TimeDelta::seconds(1), 1));
    }

    #[test]
    fn a_newer_generation_makes_everything_void() {
        let tokens = TokenCache::default();
        tokens.insert(digest_of(1), 0, verified());
        assert!(
            !remembers(&tokens, 1, 1),
            "asked by a request that has newer keys"
        );
        tokens.insert(digest_of(2), 1, verified());
        assert!(remembers(&tokens, 2, 1));
        assert!(!remembers(&tokens, 1, 1) && !remembers(&tokens, 1, 0));
    }

    #[test]
    fn a_request_with_older_keys_adds_nothing() {
        let tokens = TokenCache::default();
        tokens.insert(digest_of(1), 1, verified());
        tokens.insert(digest_of(2), 0, verified());
        assert!(remembers(&tokens, 1, 1));
        assert!(!remembers(&tokens, 2, 0) && !remembers(&tokens, 2, 1));
    }

    #[test]
    fn there_are_never_more_than_8192_and_the_last_ones_used_stay() {
        let tokens = TokenCache::default();
        for number in 0..20_000 {
            tokens.insert(digest_of(number), 0, verified());
            // Used all the time.
            assert!(remembers(&tokens, 0, 0));
            let entries = tokens.entries();
            assert!(entries.recent.len() + entries.older.len() <= 8_192);
        }
        let kept = (0..20_000)
            .filter(|number| remembers(&tokens, *number, 0))
            .count();
        assert!(kept > 4_096, "{kept}");
        assert!(remembers(&tokens, 19_999, 0));
        assert!(!remembers(&tokens, 1, 0));
    }

    #[test]
    fn a_digest_of_a_remembered_token_shows_no_token() {
        let tokens = TokenCache::default();
        tokens.insert(TokenDigest::of("hunter2"), 0, verified());
        assert!(!format!("{tokens:?}").contains("hunter2"));
    }
}
