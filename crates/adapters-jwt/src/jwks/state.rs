//! The state of the published keys, and when to fetch them again. Decides everything and waits for nothing: it is
//! told the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::identity::{AuthError, Refusal, RefusalReason};
use thiserror::Error;
use tokio::time::Instant;

use super::key_set::KeySet;
use super::source::FetchFailed;
use crate::settings::KeySetTiming;
use crate::stats::KeySetStats;

/// How long a request waits for a fetch.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);
/// How many requests may wait for a fetch, and how many ids of keys may be waited for.
pub(crate) const MAX_WAITING: usize = 256;

/// Between the beginnings of two fetches that requests ask for: a tenth of what Better Auth lets through.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// After failures, one after the other; the last one from then on.
const BACK_OFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(10),
];
/// The longest pause after a failure while a request waits, so that it does not wait in vain for a server that is back.
const MAX_BACK_OFF_OF_WAITING: Duration = Duration::from_secs(2);
/// The longest pause that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long a fetched set is beyond doubt when a signature does not match.
const TRUSTED_FOR: Duration = Duration::from_secs(10);
/// How long an id that was fetched for in vain is remembered.
const ABSENT_FOR: Duration = Duration::from_secs(5);
const MAX_ABSENT: usize = 256;

/// A set of keys in use. The generation goes up whenever a key of the set before is gone or another.
#[derive(Debug)]
pub(crate) struct CurrentKeys {
    pub(crate) set: KeySet,
    pub(crate) generation: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    timing: KeySetTiming,
    keys: Option<Arc<CurrentKeys>>,
    /// When a fetch brought them last; the start if none has.
    fetched_at: Instant,
    /// Fetches are numbered from 1: this many have begun and ended so far. At most one is under way.
    begun: u64,
    ended: u64,
    successes: u64,
    last_begin: Option<Instant>,
    /// Since the last success.
    failures: usize,
    last_failure: Option<&'static str>,
    /// When the next fetch begins by itself, and the earliest time that a request can bring it forward to.
    due: Instant,
    earliest: Instant,
    /// The ids that requests wait for.
    wanted: HashMap<String, Wanted>,
    /// The number of the last fetch that a request waits for whatever it brings.
    wanted_anyhow: u64,
    /// The ids that were fetched for in vain, and how long that counts.
    absent: HashMap<String, Instant>,
}

/// The numbers of the fetches that the first and the last request for an id wait for. Each waits for one that begins
/// after its arrival: only that can have an id that was made just now.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    first: u64,
    last: u64,
}

impl State {
    /// Nothing is known, and the first fetch is due.
    pub(crate) fn new(timing: KeySetTiming, now: Instant) -> Self {
        Self {
            timing,
            keys: None,
            fetched_at: now,
            begun: 0,
            ended: 0,
            successes: 0,
            last_begin: None,
            failures: 0,
            last_failure: None,
            due: now,
            earliest: now,
            wanted: HashMap::new(),
            wanted_anyhow: 0,
            absent: HashMap::new(),
        }
    }

    /// The keys to verify with, if there are any that are not too old.
    pub(crate) fn keys(&self, now: Instant) -> Option<&Arc<CurrentKeys>> {
        let good_until = self.fetched_at + self.timing.max_stale;
        self.keys.as_ref().filter(|_| now < good_until)
    }

    /// The keys to verify with, if that id is among them. A token without an id has to do with what is there.
    pub(crate) fn keys_with(&self, id: Option<&str>, now: Instant) -> Option<&Arc<CurrentKeys>> {
        self.keys(now)
            .filter(|keys| id.is_none_or(|id| !keys.set.with_id(id).is_empty()))
    }

    /// Whether a fetch of the last seconds has shown that no one published that id.
    pub(crate) fn is_absent(&self, id: &str, now: Instant) -> bool {
        self.absent.get(id).is_some_and(|until| now < *until)
    }

    /// Asks for an id, or for any keys at all. Answers the number of the fetch to wait for.
    pub(crate) fn want(&mut self, id: Option<&str>, now: Instant) -> Result<u64, KeysUnavailable> {
        if !self.can_fetch_soon(now) {
            return Err(KeysUnavailable::Paused);
        }
        let fetch = self.begun + 1;
        let Some(id) = id else {
            self.wanted_anyhow = fetch;
            return Ok(fetch);
        };
        if let Some(wanted) = self.wanted.get_mut(id) {
            wanted.last = fetch;
        } else if self.wanted.len() < MAX_WAITING {
            self.wanted.insert(
                id.to_owned(),
                Wanted {
                    first: fetch,
                    last: fetch,
                },
            );
        } else {
            return Err(KeysUnavailable::TooManyWaiting);
        }
        Ok(fetch)
    }

    /// Asks for a look whether a key has changed behind its id. Answers the number of the fetch to wait for; `None` if
    /// the last one is fresh enough, or the next one too far.
    pub(crate) fn want_again(&mut self, now: Instant) -> Option<u64> {
        if self.begun > self.ended {
            return Some(self.begun);
        }
        let is_fresh = self.last_begin.is_some_and(|begin| now < begin + TRUSTED_FOR);
        if is_fresh || !self.can_fetch_soon(now) {
            return None;
        }
        self.wanted_anyhow = self.begun + 1;
        Some(self.wanted_anyhow)
    }

    /// The outcome for a request that waits for that fetch; `None` as long as it has to wait.
    pub(crate) fn outcome(
        &self,
        id: Option<&str>,
        fetch: u64,
        now: Instant,
    ) -> Option<Result<Arc<CurrentKeys>, AuthError>> {
        if let Some(keys) = self.keys_with(id, now) {
            return Some(Ok(Arc::clone(keys)));
        }
        self.has_ended(fetch).then(|| {
            Err(match self.last_failure {
                None => Refusal::new(RefusalReason::UnknownKey).into(),
                Some(class) => KeysUnavailable::CannotFetch(class).into(),
            })
        })
    }

    pub(crate) fn has_ended(&self, fetch: u64) -> bool {
        self.ended >= fetch
    }

    pub(crate) fn stats(&self, now: Instant) -> KeySetStats {
        KeySetStats {
            keys: self.keys(now).map_or(0, |keys| keys.set.len()),
            age: now.saturating_duration_since(self.fetched_at),
            fetches: self.successes,
            failures: self.ended - self.successes,
        }
    }

    /// When the next fetch has to begin, as things are now.
    pub(crate) fn next_begin(&self) -> Instant {
        let is_wanted = !self.wanted.is_empty() || self.wanted_anyhow > self.ended;
        if is_wanted {
            self.due.min(self.earliest)
        } else {
            self.due
        }
    }

    pub(crate) fn begin(&mut self, now: Instant) {
        self.begun += 1;
        self.last_begin = Some(now);
    }

    /// The fetch under way has brought a set with keys. Answers whether it is another one than before. `jitter`
    /// stretches the time to the next fetch.
    pub(crate) fn succeed(&mut self, set: KeySet, now: Instant, jitter: f64) -> bool {
        self.ended = self.begun;
        self.failures = 0;
        self.last_failure = None;
        self.earliest = self.last_begin.map_or(now, |begin| begin + MIN_INTERVAL);
        self.due = now + self.timing.refresh_every.mul_f64(jitter);
        self.remember_absent(&set, now);
        self.fetched_at = now;
        self.successes += 1;
        let generation = match &self.keys {
            None => 0,
            Some(old) if old.set == set => return false,
            Some(old) if set.keeps_all_of(&old.set) => old.generation,
            Some(old) => old.generation + 1,
        };
        self.keys = Some(Arc::new(CurrentKeys { set, generation }));
        true
    }

    /// The fetch under way has brought nothing; the keys stay.
    pub(crate) fn fail(&mut self, failure: &FetchFailed, now: Instant) {
        self.ended = self.begun;
        let pause = BACK_OFF.get(self.failures).or(BACK_OFF.last());
        let pause = pause.copied().unwrap_or(MIN_INTERVAL);
        self.failures += 1;
        self.last_failure = Some(failure.class());
        self.due = now + pause;
        self.earliest = now + pause.min(MAX_BACK_OFF_OF_WAITING);
        if let FetchFailed::TooManyRequests {
            retry_after: Some(wait),
        } = failure
        {
            self.due = now + pause.max(*wait).min(MAX_RETRY_AFTER);
            self.earliest = self.due;
        }
        let ended = self.ended;
        self.wanted.retain(|_, wanted| wanted.last > ended);
    }

    /// Only a fetch that began after a request for an id had come can tell that no one published it.
    fn remember_absent(&mut self, set: &KeySet, now: Instant) {
        let ended = self.ended;
        self.absent.retain(|_, until| now < *until);
        let absent = &mut self.absent;
        self.wanted.retain(|id, wanted| {
            if !set.with_id(id).is_empty() {
                return false;
            }
            if wanted.first <= ended && absent.len() < MAX_ABSENT {
                absent.insert(id.clone(), now + ABSENT_FOR);
            }
            wanted.last > ended
        });
    }

    fn can_fetch_soon(&self, now: Instant) -> bool {
        self.earliest < now + MAX_WAIT
    }
}

/// Why the keys are not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum KeysUnavailable {
    /// With the kind of the last failure.
    #[error("the key set cannot be fetched ({0})")]
    CannotFetch(&'static str),
    /// The server has asked for a pause that takes longer than a request waits.
    #[error("the server of the key set has asked for a pause")]
    Paused,
    /// A fetch takes longer than a request waits.
    #[error("the key set was not fetched in time")]
    TimedOut,
    /// There is no place for another request that waits.
    #[error("too many requests wait for the key set")]
    TooManyWaiting,
}

impl From<KeysUnavailable> for AuthError {
    fn from(reason: KeysUnavailable) -> Self {
        Self::KeysUnavailable(reason.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of keys with these ids: the key of RFC 8037 A.2, over and over.
    fn set(ids: &[&str]) -> KeySet {
        let entry = |id: &&str| {
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            format!(r#"{{"kid":"{id}","kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)
        };
        let entries: Vec<_> = ids.iter().map(entry).collect();
        KeySet::parse(format!(r#"{{"keys":[{}]}}"#, entries.join(",")).as_bytes()).unwrap()
    }

    fn fetch(state: &mut State, set: KeySet, now: Instant) {
        state.begin(now);
        state.succeed(set, now, 1.0);
    }

    #[test]
    fn the_generation_goes_up_when_a_key_goes_and_not_when_one_comes() {
        let now = Instant::now();
        let mut state = State::new(KeySetTiming::default(), now);
        for (ids, generation) in [
            (&["a"][..], 0),
            (&["a", "b"], 0),
            (&["b"], 1),
            (&["b", "c"], 1),
            (&["a"], 2),
        ] {
            fetch(&mut state, set(ids), now);
            assert_eq!(state.keys(now).unwrap().generation, generation, "{ids:?}");
        }
    }

    #[test]
    fn only_a_fetch_that_began_after_the_request_shows_that_an_id_is_absent() {
        let now = Instant::now();
        let mut state = State::new(KeySetTiming::default(), now);
        state.begin(now);
        assert_eq!(state.want(Some("b"), now), Ok(2));
        state.succeed(set(&["a"]), now, 1.0);
        assert!(!state.is_absent("b", now));
        fetch(&mut state, set(&["a"]), now);
        assert!(state.is_absent("b", now));
    }

    #[test]
    fn two_hundred_and_fifty_six_ids_are_held_absent_at_most() {
        let now = Instant::now();
        let mut state = State::new(KeySetTiming::default(), now);
        let ids: Vec<_> = (0..300).map(|number| number.to_string()).collect();
        for some in ids.chunks(150) {
            for id in some {
                state.want(Some(id), now).unwrap();
            }
            fetch(&mut state, set(&["a"]), now);
        }
        assert_eq!(ids.iter().filter(|id| state.is_absent(id, now)).count(), 256);
        let later = now + ABSENT_FOR;
        state.want(Some("late"), later).unwrap();
        fetch(&mut state, set(&["a"]), later);
        assert!(state.is_absent("late", later), "there is room again");
    }

    #[test]
    fn a_pause_as_long_as_a_request_waits_is_too_long() {
        let now = Instant::now();
        let mut state = State::new(KeySetTiming::default(), now);
        state.begin(now);
        let busy = FetchFailed::TooManyRequests {
            retry_after: Some(MAX_WAIT),
        };
        state.fail(&busy, now);
        assert_eq!(state.want(Some("a"), now), Err(KeysUnavailable::Paused));
        assert_eq!(state.want(Some("a"), now + Duration::from_millis(1)), Ok(2));
    }
}
