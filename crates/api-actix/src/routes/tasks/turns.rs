//! How many pages of one user a worker asks for at once.
//!
//! A database may read pages faster than a worker sends them, and those that were read wait in memory. So whoever asks for
//! many at once gets them one after the other; nobody else waits for that.

use std::cell::RefCell;
use std::collections::VecDeque;

use domain::identity::Owner;
use tokio::sync::oneshot;

/// More than any database works on at once for one worker, by far.
const AT_ONCE: usize = 8;

thread_local! {
    // A worker is a thread.
    static OF_WORKER: RefCell<Turns> = RefCell::default();
}

#[derive(Default)]
struct Turns {
    /// Whose pages are under way, once for each. Mostly a few, so that nothing has to be looked up in a map.
    running: Vec<Owner>,
    waiting: VecDeque<(Owner, oneshot::Sender<Turn>)>,
}

/// The right to have one page under way, which ends with the value.
pub(super) struct Turn(Owner);

/// Waits until it is the user's turn.
pub(super) async fn turn_of(owner: &Owner) -> Turn {
    let waiting = OF_WORKER.with_borrow_mut(|turns| {
        if turns.has_room_for(owner) {
            turns.running.push(owner.clone());
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        turns.waiting.push_back((owner.clone(), sender));
        Some(receiver)
    });
    match waiting {
        None => Turn(owner.clone()),
        // The other end lives as long as the thread.
        Some(receiver) => receiver.await.unwrap_or_else(|_| Turn(owner.clone())),
    }
}

impl Turns {
    fn has_room_for(&self, owner: &Owner) -> bool {
        self.running.len() < AT_ONCE
            || self.running.iter().filter(|running| *running == owner).count() < AT_ONCE
    }

    /// Ends the turn of this user; answers the one of theirs who has waited longest and still does.
    fn end(&mut self, owner: &Owner) -> Option<oneshot::Sender<Turn>> {
        while let Some(next) = self.waiting.iter().position(|(waiting, _)| waiting == owner) {
            let sender = self.waiting.remove(next).map(|(_, sender)| sender);
            if let Some(sender) = sender.filter(|sender| !sender.is_closed()) {
                return Some(sender);
            }
        }
        if let Some(place) = self.running.iter().position(|running| running == owner) {
            self.running.swap_remove(place);
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A thread that ends has no turns left to give.
        let next = OF_WORKER.try_with(|turns| turns.borrow_mut().end(&self.0));
        if let Ok(Some(next)) = next {
            // Who gives up in this very moment passes it on: their end of the channel drops it.
            drop(next.send(Self(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use domain::testing::an_owner_named;
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_user_with_many_pages_under_way_waits_and_nobody_else_does() {
        let (alice, bob) = (an_owner_named("alice"), an_owner_named("bob"));
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(turn_of(&alice).await);
        }
        let (mut first, mut given_up) = (Box::pin(turn_of(&alice)), Box::pin(turn_of(&alice)));
        let mut last = pin!(turn_of(&alice));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(given_up.as_mut().now_or_never().is_none());
        assert!(last.as_mut().now_or_never().is_none());
        for _ in 0..AT_ONCE {
            turns.push(turn_of(&bob).await);
        }
        drop(given_up);
        drop(turns.remove(0));
        let turn = first.as_mut().now_or_never().unwrap();
        assert!(last.as_mut().now_or_never().is_none());
        drop(turn);
        let turn = last.now_or_never().unwrap();
        turns.push(turn);
        turns.clear();
        OF_WORKER.with_borrow(|turns| assert!(turns.running.is_empty() && turns.waiting.is_empty()));
    }

    #[tokio::test]
    async fn a_turn_that_comes_too_late_is_passed_on() {
        let alice = an_owner_named("alice");
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(turn_of(&alice).await);
        }
        let mut first = Box::pin(turn_of(&alice));
        let mut second = pin!(turn_of(&alice));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        // It is theirs by now, and they are gone before they take it.
        drop(turns.pop());
        drop(first);
        assert!(second.now_or_never().is_some());
        turns.clear();
        OF_WORKER.with_borrow(|turns| assert!(turns.running.is_empty() && turns.waiting.is_empty()));
    }
}
