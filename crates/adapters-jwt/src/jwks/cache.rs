//! The published keys, shared by all threads: the waiting for what the [`State`] decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::identity::{AuthError, Refusal, RefusalReason};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::key_set::KeySet;
use super::source::FetchFailed;
use super::state::{CurrentKeys, KeysUnavailable, MAX_WAIT, MAX_WAITING, State};
use crate::settings::KeySetTiming;
use crate::stats::KeySetStats;

#[derive(Debug)]
pub(crate) struct KeyCache {
    state: Mutex<State>,
    /// Tells those who wait that a fetch has ended.
    ended: watch::Sender<()>,
    /// Tells the one who fetches that someone waits.
    demand: Notify,
    places: Semaphore,
}

impl KeyCache {
    pub(crate) fn new(timing: KeySetTiming) -> Self {
        Self {
            state: Mutex::new(State::new(timing, Instant::now())),
            ended: watch::Sender::new(()),
            demand: Notify::new(),
            places: Semaphore::new(MAX_WAITING),
        }
    }

    /// The keys to verify with, if there are any that are not too old.
    pub(crate) fn current(&self) -> Option<Arc<CurrentKeys>> {
        self.state().keys(Instant::now()).cloned()
    }

    /// The keys to verify a token with that names this id, or none. Waits for a fetch if the id is not among them.
    pub(crate) async fn keys_for(&self, id: Option<&str>) -> Result<Arc<CurrentKeys>, AuthError> {
        let now = Instant::now();
        let (_place, fetch) = {
            let mut state = self.state();
            if let Some(keys) = state.keys_with(id, now) {
                return Ok(Arc::clone(keys));
            }
            if id.is_some_and(|id| state.is_absent(id, now)) {
                return Err(Refusal::new(RefusalReason::UnknownKey).into());
            }
            let place = self.places.try_acquire();
            let place = place.map_err(|_| KeysUnavailable::TooManyWaiting)?;
            (place, state.want(id, now)?)
        };
        self.demand.notify_one();
        self.wait_for(|state| state.outcome(id, fetch, Instant::now()))
            .await
            .unwrap_or_else(|| Err(KeysUnavailable::TimedOut.into()))
    }

    /// Other keys than those that were seen under this id, if there are any by now.
    pub(crate) async fn changed_keys(&self, id: &str, seen: &CurrentKeys) -> Option<Arc<CurrentKeys>> {
        if let Some(keys) = self.current_unless_same(id, seen) {
            return Some(keys);
        }
        let _place = self.places.try_acquire().ok()?;
        let fetch = self.state().want_again(Instant::now())?;
        self.demand.notify_one();
        self.wait_for(|state| state.has_ended(fetch).then_some(()))
            .await?;
        self.current_unless_same(id, seen)
    }

    fn current_unless_same(&self, id: &str, seen: &CurrentKeys) -> Option<Arc<CurrentKeys>> {
        self.current()
            .filter(|keys| keys.set.with_id(id) != seen.set.with_id(id))
    }

    /// Waits until a fetch has ended that makes an answer possible, but not longer than a request waits.
    async fn wait_for<T>(&self, answer: impl Fn(&State) -> Option<T>) -> Option<T> {
        let mut ended = self.ended.subscribe();
        let wait = async {
            loop {
                let answer = answer(&self.state());
                if answer.is_some() {
                    return answer;
                }
                ended.changed().await.ok()?;
            }
        };
        timeout(MAX_WAIT, wait).await.ok().flatten()
    }

    pub(crate) fn stats(&self) -> KeySetStats {
        self.state().stats(Instant::now())
    }

    /// Waits until it is time for a fetch.
    pub(crate) async fn until_due(&self) {
        loop {
            let begin = self.state().next_begin();
            tokio::select! {
                () = sleep_until(begin) => return,
                () = self.demand.notified() => {}
            }
        }
    }

    pub(crate) fn begin_fetch(&self) {
        self.state().begin(Instant::now());
    }

    /// Ends a fetch with a set that has keys. Answers whether it is another one than before.
    pub(crate) fn succeed(&self, set: KeySet) -> bool {
        let is_new = self
            .state()
            .succeed(set, Instant::now(), rand::random_range(0.9..=1.1));
        self.ended.send_replace(());
        is_new
    }

    /// Ends a fetch without one.
    pub(crate) fn fail(&self, failure: &FetchFailed) {
        self.state().fail(failure, Instant::now());
        self.ended.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
