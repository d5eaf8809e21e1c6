//! Who is served next where not everyone can be served at once: users take turns.
//!
//! A storage can do only so much at a time. If waiting were first come, first served over all requests, the one user
//! who sends the most of them would decide how long everyone else waits. So the unit of fairness is the [`Owner`]:
//! owners are served round robin, each in the order of its own requests, and when there is no room for another request,
//! the owner with the longest queue pays.
//!
//! This is bookkeeping only: no lock, no clock, no thread. Adapters put it behind a lock of their own and choose what a
//! waiter is (a channel, a job).

use std::collections::{HashMap, VecDeque, hash_map};

use crate::identity::Owner;

/// What a lane can do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// How many units may be in use; a connection or a thread is one.
    pub units: u32,
    /// How many of them one owner may use, so that some are left for the others. At least one.
    pub units_per_owner: u32,
}

impl LaneLimits {
    /// Units that one owner may use all of, as long as no one else wants any.
    #[must_use]
    pub const fn shared(units: u32) -> Self {
        Self {
            units,
            units_per_owner: units,
        }
    }
}

/// Names a lane of a [`FairQueue`]: one kind of work with units of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneId(usize);

/// Requests that use or wait for a storage.
#[derive(Debug)]
pub struct FairQueue<T> {
    capacity: usize,
    entered: usize,
    lanes: Vec<Lane<T>>,
    /// How many requests of each owner wait, over all lanes. Only owners with some.
    waiting: HashMap<Owner, usize>,
    tickets: u64,
}

#[derive(Debug)]
struct Lane<T> {
    limits: LaneLimits,
    free: u32,
    /// What each owner uses; kept only where an owner may not use everything.
    used_by: HashMap<Owner, u32>,
    /// The owners with waiting requests; the first one is next.
    turns: VecDeque<Owner>,
    queues: HashMap<Owner, VecDeque<Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    ticket: u64,
    units: u32,
    waiter: T,
}

/// What became of a request that wants to enter.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// There was room.
    Entered,
    /// It has entered in the place of another one, which MUST be told that it is refused. That one still counts as
    /// entered until it leaves.
    InPlaceOf(T),
    /// There is no room, and no owner has a longer queue than this one.
    Refused,
}

/// A waiting request, for withdrawing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    lane: LaneId,
    owner: Owner,
    number: u64,
}

impl Ticket {
    /// Where the request waits.
    #[must_use]
    pub fn lane(&self) -> LaneId {
        self.lane
    }
}

impl<T> FairQueue<T> {
    /// Room for that many requests, those that are being served included.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entered: 0,
            lanes: Vec::new(),
            waiting: HashMap::new(),
            tickets: 0,
        }
    }

    /// Adds a kind of work.
    pub fn add_lane(&mut self, limits: LaneLimits) -> LaneId {
        self.lanes.push(Lane {
            limits,
            free: limits.units,
            used_by: HashMap::new(),
            turns: VecDeque::new(),
            queues: HashMap::new(),
        });
        LaneId(self.lanes.len() - 1)
    }

    /// Lets a request in. When there is no room, the newest waiting request of the owner with the longest queue makes
    /// some; if that owner is this one, or no request waits, the new request is refused.
    pub fn enter(&mut self, owner: &Owner) -> Entry<T> {
        if self.entered < self.capacity {
            self.entered += 1;
            return Entry::Entered;
        }
        let own = self.waiting.get(owner).copied().unwrap_or_default();
        let longest = self.waiting.iter().max_by_key(|(_, waiting)| **waiting);
        let Some((longest, _)) = longest.filter(|(_, waiting)| **waiting > own + 1) else {
            return Entry::Refused;
        };
        let longest = longest.clone();
        match self.pop_newest_of(&longest) {
            Some(waiter) => {
                self.entered += 1;
                Entry::InPlaceOf(waiter)
            }
            None => Entry::Refused,
        }
    }

    /// A request that had entered is over.
    pub fn leave(&mut self) {
        self.entered = self.entered.saturating_sub(1);
    }

    /// Takes units of a lane if they are free, the owner may have them, and no one waits for them. A request for more
    /// units than the lane has, or one owner may have, takes all of those.
    pub fn try_take(&mut self, lane: LaneId, owner: &Owner, units: u32) -> bool {
        self.lanes
            .get_mut(lane.0)
            .is_some_and(|lane| lane.turns.is_empty() && lane.take(owner, units))
    }

    /// Joins the queue of a lane.
    pub fn wait(&mut self, lane: LaneId, owner: &Owner, units: u32, waiter: T) -> Ticket {
        self.tickets += 1;
        let number = self.tickets;
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            let queue = lane.queues.entry(owner.clone()).or_default();
            if queue.is_empty() {
                lane.turns.push_back(owner.clone());
            }
            queue.push_back(Waiting {
                ticket: number,
                units,
                waiter,
            });
            *self.waiting.entry(owner.clone()).or_default() += 1;
        }
        Ticket {
            lane,
            owner: owner.clone(),
            number,
        }
    }

    /// The next waiter whose turn it is, if there are units for it; they are taken. MUST be asked after units were
    /// given back or added to a queue, until it returns `None`.
    pub fn next(&mut self, lane: LaneId) -> Option<T> {
        let lane = self.lanes.get_mut(lane.0)?;
        // An owner who uses as much as one may is passed over, and keeps its turn.
        let position = lane.turns.iter().position(|owner| lane.may_have_more(owner))?;
        let owner = lane.turns.get(position)?.clone();
        let units = lane.queues.get(&owner)?.front()?.units;
        // Whoever needs more than is free now waits at the head, or smaller requests would go first forever.
        if !lane.take(&owner, units) {
            return None;
        }
        lane.turns.remove(position);
        let hash_map::Entry::Occupied(mut queue) = lane.queues.entry(owner.clone()) else {
            return None;
        };
        let waiting = queue.get_mut().pop_front()?;
        if queue.get().is_empty() {
            queue.remove();
        } else {
            lane.turns.push_back(owner.clone());
        }
        self.forget_one_of(&owner);
        Some(waiting.waiter)
    }

    /// Gives units back that [`FairQueue::try_take`] or [`FairQueue::next`] took.
    pub fn give_back(&mut self, lane: LaneId, owner: &Owner, units: u32) {
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            lane.give_back(owner, units);
        }
    }

    /// Takes a request out of its queue. `false`: it waits no more, its turn has come or it was refused.
    pub fn withdraw(&mut self, ticket: &Ticket) -> bool {
        self.take_out(ticket.lane.0, &ticket.owner, ticket.number)
            .is_some()
    }

    /// Takes every waiting request out of a lane, whose work is done by no one any more.
    pub fn drain(&mut self, lane: LaneId) -> Vec<T> {
        let Some(lane) = self.lanes.get_mut(lane.0) else {
            return Vec::new();
        };
        lane.turns.clear();
        let queues: Vec<_> = lane.queues.drain().collect();
        let mut waiters = Vec::new();
        for (owner, queue) in queues {
            for waiting in queue {
                self.forget_one_of(&owner);
                waiters.push(waiting.waiter);
            }
        }
        waiters
    }

    /// How many requests use or wait for the storage.
    #[must_use]
    pub fn entered(&self) -> usize {
        self.entered
    }

    /// How many requests may.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many requests wait for a lane.
    #[must_use]
    pub fn waiting_for(&self, lane: LaneId) -> usize {
        let lane = self.lanes.get(lane.0);
        lane.map_or(0, |lane| lane.queues.values().map(VecDeque::len).sum())
    }

    /// Whether no request waits for a lane.
    #[must_use]
    pub fn is_idle(&self, lane: LaneId) -> bool {
        self.lanes.get(lane.0).is_none_or(|lane| lane.turns.is_empty())
    }

    fn pop_newest_of(&mut self, owner: &Owner) -> Option<T> {
        let newest = self.lanes.iter().enumerate().filter_map(|(index, lane)| {
            let waiting = lane.queues.get(owner)?.back()?;
            Some((waiting.ticket, index))
        });
        let (number, lane) = newest.max()?;
        self.take_out(lane, owner, number)
    }

    fn take_out(&mut self, lane: usize, owner: &Owner, number: u64) -> Option<T> {
        let lane = self.lanes.get_mut(lane)?;
        let queue = lane.queues.get_mut(owner)?;
        let position = queue.iter().rposition(|waiting| waiting.ticket == number)?;
        let waiting = queue.remove(position)?;
        if queue.is_empty() {
            lane.queues.remove(owner);
            lane.turns.retain(|other| other != owner);
        }
        self.forget_one_of(owner);
        Some(waiting.waiter)
    }

    fn forget_one_of(&mut self, owner: &Owner) {
        if let hash_map::Entry::Occupied(mut waiting) = self.waiting.entry(owner.clone()) {
            *waiting.get_mut() -= 1;
            if *waiting.get() == 0 {
                waiting.remove();
            }
        }
    }
}

impl<T> Lane<T> {
    fn is_limited_by_owner(&self) -> bool {
        self.limits.units_per_owner < self.limits.units
    }

    /// A request never asks for more than it can ever get.
    fn granted(&self, units: u32) -> u32 {
        units
            .min(self.limits.units_per_owner.max(1))
            .min(self.limits.units)
    }

    fn used_by(&self, owner: &Owner) -> u32 {
        self.used_by.get(owner).copied().unwrap_or_default()
    }

    fn may_have_more(&self, owner: &Owner) -> bool {
        !self.is_limited_by_owner() || {
            let wanted = self.queues.get(owner).and_then(VecDeque::front);
            let units = wanted.map_or(1, |waiting| self.granted(waiting.units));
            self.used_by(owner) + units <= self.limits.units_per_owner.max(1)
        }
    }

    fn take(&mut self, owner: &Owner, units: u32) -> bool {
        let units = self.granted(units);
        if units > self.free {
            return false;
        }
        if self.is_limited_by_owner() {
            // Whoever uses nothing is never refused here, so that no entry without units stays.
            let used = self.used_by.entry(owner.clone()).or_default();
            if *used + units > self.limits.units_per_owner.max(1) {
                return false;
            }
            *used += units;
        }
        self.free -= units;
        true
    }

    fn give_back(&mut self, owner: &Owner, units: u32) {
        let units = self.granted(units);
        self.free = (self.free + units).min(self.limits.units);
        if self.is_limited_by_owner()
            && let hash_map::Entry::Occupied(mut used) = self.used_by.entry(owner.clone())
        {
            *used.get_mut() = used.get().saturating_sub(units);
            if *used.get() == 0 {
                used.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::parse(name).unwrap()
    }

    fn queue_of(capacity: usize, limits: LaneLimits) -> (FairQueue<&'static str>, LaneId) {
        let mut queue = FairQueue::new(capacity);
        let lane = queue.add_lane(limits);
        (queue, lane)
    }

    /// The only unit of the lane goes from one to the next.
    fn served<T>(queue: &mut FairQueue<T>, lane: LaneId, in_use: &Owner) -> Option<T> {
        queue.give_back(lane, in_use, 1);
        queue.next(lane)
    }

    #[test]
    fn owners_take_turns_and_each_is_served_in_the_order_of_its_requests() {
        let (alice, bob, carol) = (owner("alice"), owner("bob"), owner("carol"));
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(1));
        assert!(queue.try_take(lane, &alice, 1));
        for waiter in ["a1", "a2", "a3"] {
            queue.wait(lane, &alice, 1, waiter);
        }
        queue.wait(lane, &bob, 1, "b1");
        queue.wait(lane, &carol, 1, "c1");
        queue.wait(lane, &bob, 1, "b2");
        let order: Vec<_> = std::iter::from_fn(|| served(&mut queue, lane, &alice)).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn no_one_overtakes_those_who_wait() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(2));
        assert!(queue.try_take(lane, &alice, 1));
        queue.wait(lane, &alice, 2, "needs both");
        assert_eq!(queue.next(lane), None);
        assert!(
            !queue.try_take(lane, &bob, 1),
            "one is free, but it is spoken for"
        );
        queue.give_back(lane, &alice, 1);
        assert_eq!(queue.next(lane), Some("needs both"));
    }

    #[test]
    fn an_owner_leaves_units_to_the_others_and_its_turn_is_kept() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let limits = LaneLimits {
            units: 3,
            units_per_owner: 2,
        };
        let (mut queue, lane) = queue_of(10, limits);
        assert!(queue.try_take(lane, &alice, 1) && queue.try_take(lane, &alice, 1));
        assert!(!queue.try_take(lane, &alice, 1));
        queue.wait(lane, &alice, 1, "alice");
        assert_eq!(queue.next(lane), None, "the third one is not for her");
        queue.wait(lane, &bob, 1, "bob");
        assert_eq!(queue.next(lane), Some("bob"));
        queue.give_back(lane, &bob, 1);
        assert_eq!(queue.next(lane), None);
        queue.give_back(lane, &alice, 1);
        assert_eq!(queue.next(lane), Some("alice"));
    }

    #[test]
    fn when_there_is_no_room_the_newest_of_the_longest_queue_makes_some() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let (mut queue, lane) = queue_of(4, LaneLimits::shared(1));
        for waiter in ["a1", "a2", "a3", "a4"] {
            assert_eq!(queue.enter(&alice), Entry::Entered);
            if !queue.try_take(lane, &alice, 1) {
                queue.wait(lane, &alice, 1, waiter);
            }
        }
        assert_eq!(
            queue.enter(&alice),
            Entry::Refused,
            "her own queue is the longest"
        );
        assert_eq!(queue.enter(&bob), Entry::InPlaceOf("a4"));
        queue.leave();
        queue.wait(lane, &bob, 1, "b1");
        assert_eq!(queue.enter(&bob), Entry::Refused, "as long as hers");
        assert_eq!((queue.entered(), queue.waiting_for(lane)), (4, 3));
    }

    #[test]
    fn where_no_one_waits_the_new_request_is_refused() {
        let (mut queue, lane) = queue_of(1, LaneLimits::shared(1));
        assert_eq!(queue.enter(&owner("alice")), Entry::Entered);
        assert!(queue.try_take(lane, &owner("alice"), 1));
        assert_eq!(queue.enter(&owner("bob")), Entry::Refused);
        queue.leave();
        assert_eq!(queue.enter(&owner("bob")), Entry::Entered);
    }

    #[test]
    fn the_newest_is_found_in_whichever_lane_it_waits() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let mut queue = FairQueue::new(2);
        let lanes = [
            queue.add_lane(LaneLimits::shared(1)),
            queue.add_lane(LaneLimits::shared(1)),
        ];
        assert_eq!(queue.enter(&alice), Entry::Entered);
        assert_eq!(queue.enter(&alice), Entry::Entered);
        queue.wait(lanes[1], &alice, 1, "first");
        queue.wait(lanes[0], &alice, 1, "second");
        assert_eq!(queue.enter(&bob), Entry::InPlaceOf("second"));
        assert!(queue.is_idle(lanes[0]) && !queue.is_idle(lanes[1]));
    }

    #[test]
    fn whoever_withdraws_is_forgotten_and_once_only() {
        let alice = owner("alice");
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(1));
        assert!(queue.try_take(lane, &alice, 1));
        let first = queue.wait(lane, &alice, 1, "first");
        let second = queue.wait(lane, &alice, 1, "second");
        assert!(queue.withdraw(&first));
        assert!(!queue.withdraw(&first));
        assert_eq!(served(&mut queue, lane, &alice), Some("second"));
        assert!(!queue.withdraw(&second), "its turn has come");
        assert!(queue.is_idle(lane));
    }

    #[test]
    fn a_lane_that_no_one_serves_any_more_is_emptied() {
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(0));
        queue.wait(lane, &owner("alice"), 1, "one");
        queue.wait(lane, &owner("bob"), 1, "two");
        let mut left = queue.drain(lane);
        left.sort_unstable();
        assert_eq!(left, ["one", "two"]);
        assert_eq!(queue.waiting_for(lane), 0);
        assert!(queue.waiting.is_empty());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask { owner: usize, units: u32 },
        Finish(usize),
        Withdraw(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..4_usize, 1..4_u32).prop_map(|(owner, units)| Step::Ask { owner, units }),
            3 => any::<usize>().prop_map(Step::Finish),
            1 => any::<usize>().prop_map(Step::Withdraw),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        /// Whatever happens, no more units are in use than there are, no owner has more than its share, every request
        /// is served or withdrawn in the end, and all units are free again.
        #[test]
        fn units_are_never_overdrawn_and_never_lost(
            steps in steps(),
            units in 1..5_u32,
            share in 1..5_u32,
        ) {
            let owners = ["a", "b", "c", "d"].map(owner);
            let limits = LaneLimits { units, units_per_owner: share.min(units) };
            let mut queue = FairQueue::new(usize::MAX);
            let lane = queue.add_lane(limits);
            let mut in_use: Vec<(usize, u32)> = Vec::new();
            let mut tickets = Vec::new();
            let mut asked = 0;
            let mut over = 0;
            for step in steps {
                match step {
                    Step::Ask { owner, units } => {
                        asked += 1;
                        if queue.try_take(lane, &owners[owner], units) {
                            in_use.push((owner, units));
                        } else {
                            tickets.push(queue.wait(lane, &owners[owner], units, (owner, units)));
                        }
                    }
                    Step::Finish(which) if !in_use.is_empty() => {
                        let (owner, units) = in_use.remove(which % in_use.len());
                        queue.give_back(lane, &owners[owner], units);
                        over += 1;
                    }
                    Step::Withdraw(which) if !tickets.is_empty() => {
                        let ticket = tickets.remove(which % tickets.len());
                        over += usize::from(queue.withdraw(&ticket));
                    }
                    Step::Finish(_) | Step::Withdraw(_) => {}
                }
                in_use.extend(std::iter::from_fn(|| queue.next(lane)));
                let cost = |units: u32| units.min(limits.units_per_owner);
                prop_assert!(in_use.iter().map(|(_, units)| cost(*units)).sum::<u32>() <= limits.units);
                for owner in 0..owners.len() {
                    let used = in_use.iter().filter(|(of, _)| *of == owner).map(|(_, units)| cost(*units));
                    prop_assert!(used.sum::<u32>() <= limits.units_per_owner);
                }
            }
            while let Some((owner, units)) = in_use.pop() {
                queue.give_back(lane, &owners[owner], units);
                over += 1;
                in_use.extend(std::iter::from_fn(|| queue.next(lane)));
            }
            prop_assert_eq!(asked, over);
            prop_assert!(queue.is_idle(lane) && queue.waiting.is_empty());
            prop_assert_eq!(queue.lanes[0].free, limits.units);
            prop_assert!(queue.lanes[0].used_by.is_empty());
        }
    }
}
