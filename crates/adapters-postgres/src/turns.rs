//! The fair queue of the process, for futures: who may use the database, and whose turn it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::fairness::{Entry, FairQueue, Grant, LaneId, LaneLimits, Ticket};
use domain::identity::Owner;
use tokio::sync::oneshot;

/// All workers of the process share it.
pub(crate) struct Turns(Mutex<FairQueue<Waiter>>);

/// Brings a statement that waits its turn.
type Waiter = oneshot::Sender<Turn>;

/// The database takes no more requests, and this owner has the longest queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Turns {
    /// Takes up to `capacity` requests.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(FairQueue::new(capacity))))
    }

    pub(crate) fn add_lane(&self, limits: LaneLimits) -> LaneId {
        self.lock().add_lane(limits)
    }

    /// How many requests use or wait for the database, and how many may.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let queue = self.lock();
        (queue.entered(), queue.capacity())
    }

    /// A slot among the requests of the process, until it is dropped.
    pub(crate) fn enter(&self, owner: &Owner) -> Result<Permit<'_>, Refused> {
        let entry = self.lock().enter(owner);
        match entry {
            Entry::Entered => Ok(Permit(self)),
            Entry::InPlaceOf(refused) => {
                // Its channel closes: that is how it learns.
                drop(refused);
                Ok(Permit(self))
            }
            Entry::Refused => Err(Refused),
        }
    }

    /// The turn of a statement, if it need not wait.
    pub(crate) fn try_take(self: &Arc<Self>, lane: LaneId, owner: &Owner, units: u32) -> Option<Turn> {
        let grant = self.lock().try_take(lane, owner, units)?;
        Some(self.turn(grant))
    }

    /// Waits for the turn of a statement. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// Another request was let in instead.
    pub(crate) async fn take(
        self: &Arc<Self>,
        lane: LaneId,
        owner: &Owner,
        units: u32,
    ) -> Result<Turn, Refused> {
        let mut queued = {
            let mut queue = self.lock();
            if let Some(grant) = queue.try_take(lane, owner, units) {
                return Ok(self.turn(grant));
            }
            let (waiter, receiver) = oneshot::channel();
            let ticket = queue.wait(lane, owner, units, waiter);
            Queued {
                turns: self,
                ticket,
                receiver,
            }
        };
        // Those before it may wait for what they may not have, and it may.
        self.serve(lane);
        (&mut queued.receiver).await.map_err(|_| Refused)
    }

    fn turn(self: &Arc<Self>, grant: Grant) -> Turn {
        Turn {
            turns: Arc::clone(self),
            grant,
        }
    }

    /// Hands free units to those who wait for them.
    fn serve(self: &Arc<Self>, lane: LaneId) {
        loop {
            let next = self.lock().next(lane);
            let Some((grant, waiter)) = next else {
                return;
            };
            // Not under the lock: a waiter who has just left drops the turn, which comes back here.
            drop(waiter.send(self.turn(grant)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, FairQueue<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a request among those that use or wait for the database.
pub(crate) struct Permit<'a>(&'a Turns);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().leave();
    }
}

/// The right to use a lane, until it is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    grant: Grant,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let is_idle = {
            let mut queue = self.turns.lock();
            queue.give_back(&self.grant);
            queue.is_idle(self.grant.lane())
        };
        if !is_idle {
            self.turns.serve(self.grant.lane());
        }
    }
}

struct Queued<'a> {
    turns: &'a Arc<Turns>,
    ticket: Ticket,
    receiver: oneshot::Receiver<Turn>,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        // A request that withdraws may have held up smaller ones behind it.
        let withdrawn = self.turns.lock().withdraw(&self.ticket);
        if withdrawn {
            self.turns.serve(self.ticket.lane());
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::an_owner_named;
    use futures_util::FutureExt;

    use super::*;

    fn owners() -> (Owner, Owner) {
        (an_owner_named("alice"), an_owner_named("bob"))
    }

    #[tokio::test]
    async fn a_turn_that_is_over_becomes_the_next_ones() {
        let (alice, bob) = owners();
        let turns = Turns::new(10);
        let lane = turns.add_lane(LaneLimits::shared(1));
        let first = turns.try_take(lane, &alice, 1).unwrap();
        let mut second = Box::pin(turns.take(lane, &bob, 1));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_the_queue_holds_no_one_up() {
        let (alice, bob) = owners();
        let turns = Turns::new(10);
        let lane = turns.add_lane(LaneLimits::shared(2));
        let first = turns.try_take(lane, &alice, 1).unwrap();
        let mut large = Box::pin(turns.take(lane, &alice, 2));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = Box::pin(turns.take(lane, &bob, 1));
        assert!(small.as_mut().now_or_never().is_none());
        drop(large);
        let small = small.now_or_never().unwrap();
        assert!(small.is_ok());
        drop((first, small));
    }

    #[tokio::test]
    async fn a_turn_that_was_granted_to_one_who_left_is_not_lost() {
        let (alice, bob) = owners();
        let turns = Turns::new(10);
        let lane = turns.add_lane(LaneLimits::shared(1));
        let first = turns.try_take(lane, &alice, 1).unwrap();
        let mut second = Box::pin(turns.take(lane, &bob, 1));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(turns.try_take(lane, &alice, 1).is_some());
    }

    #[tokio::test]
    async fn a_waiting_request_makes_room_for_that_of_another_owner() {
        let (alice, bob) = owners();
        let turns = Turns::new(3);
        let lane = turns.add_lane(LaneLimits::shared(1));
        let _places = [(); 3].map(|()| turns.enter(&alice).unwrap());
        let _first = turns.try_take(lane, &alice, 1).unwrap();
        let mut second = Box::pin(turns.take(lane, &alice, 1));
        let mut third = Box::pin(turns.take(lane, &alice, 1));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        assert!(turns.enter(&alice).is_err());
        let _place = turns.enter(&bob).unwrap();
        assert_eq!(third.now_or_never().unwrap().err(), Some(Refused));
        assert!(second.now_or_never().is_none());
        assert_eq!(turns.in_flight(), (4, 3), "until the refused one has left");
    }
}
