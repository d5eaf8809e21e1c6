//! Who is served next where not everyone can be served at once: users take turns.
//!
//! A storage can do only so much at a time. If waiting were first come, first served over all requests, the one user
//! who sends the most of them would decide how long everyone else waits. So the unit of fairness is the [`Owner`]:
//! owners are served round robin, each in the order of its own requests, and when there is no room for another request,
//! the owner with the longest queue pays.
//!
//! This is bookkeeping only: no lock, no clock, no thread. Adapters put it behind a lock of their own and choose what a
//! waiter is (a channel, a job).

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

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
    lanes: Vec<Lane>,
    accounts: Accounts<T>,
    tickets: u64,
}

#[derive(Debug)]
struct Lane {
    limits: LaneLimits,
    free: u32,
    /// The owners with waiting requests; the first one is next.
    turns: VecDeque<usize>,
}

/// The accounts of owners, by number: who knows it need not look for the owner.
#[derive(Debug)]
struct Accounts<T> {
    numbers: HashMap<Owner, usize, RandomState>,
    all: Vec<Account<T>>,
    /// Those of no owner.
    unused: Vec<usize>,
    /// An owner who uses nothing and waits for nothing is forgotten only when there are so many owners: most come back
    /// soon.
    most: usize,
}

/// What an owner uses and waits for, by lane.
#[derive(Debug)]
struct Account<T> {
    shares: Vec<Share<T>>,
    /// How many requests wait, over all lanes.
    waiting: usize,
}

#[derive(Debug)]
struct Share<T> {
    /// Counted only where an owner may not use everything.
    used: u32,
    queue: VecDeque<Waiting<T>>,
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
    account: usize,
    number: u64,
}

impl Ticket {
    /// Where the request waits.
    #[must_use]
    pub fn lane(&self) -> LaneId {
        self.lane
    }
}

/// Units of a lane that are in use. They MUST be given back, once.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    lane: LaneId,
    units: u32,
    /// Where they are counted for their owner.
    account: Option<usize>,
}

impl Grant {
    /// What the units are of.
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
            accounts: Accounts::new(),
            tickets: 0,
        }
    }

    /// Adds a kind of work.
    pub fn add_lane(&mut self, limits: LaneLimits) -> LaneId {
        self.lanes.push(Lane {
            limits,
            free: limits.units,
            turns: VecDeque::new(),
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
        let own = self
            .accounts
            .numbers
            .get(owner)
            .and_then(|number| self.accounts.all.get(*number));
        let own = own.map_or(0, |account| account.waiting);
        let newest = self.accounts.newest_of_longest(own + 1);
        match newest.and_then(|newest| self.take_out(&newest)) {
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
    pub fn try_take(&mut self, id: LaneId, owner: &Owner, units: u32) -> Option<Grant> {
        let lane = self.lanes.get_mut(id.0)?;
        let units = lane.granted(units);
        if !lane.turns.is_empty() || units > lane.free {
            return None;
        }
        let mut account = None;
        if lane.is_limited_by_owner() {
            let number = self.accounts.number_of(owner);
            let share = self.accounts.get(number)?.share(id)?;
            if !lane.lets_have(share.used, units) {
                return None;
            }
            share.used += units;
            account = Some(number);
        }
        lane.free -= units;
        Some(Grant {
            lane: id,
            units,
            account,
        })
    }

    /// Joins the queue of a lane.
    pub fn wait(&mut self, id: LaneId, owner: &Owner, units: u32, waiter: T) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket {
            lane: id,
            account: self.accounts.number_of(owner),
            number: self.tickets,
        };
        if let Some(lane) = self.lanes.get_mut(id.0)
            && let Some(account) = self.accounts.get(ticket.account)
            && let Some(share) = account.share(id)
        {
            if share.queue.is_empty() {
                lane.turns.push_back(ticket.account);
            }
            share.queue.push_back(Waiting {
                ticket: ticket.number,
                units: lane.granted(units),
                waiter,
            });
            account.waiting += 1;
        }
        ticket
    }

    /// The next waiter whose turn it is, if there are units for it; they are taken. MUST be asked after units were
    /// given back or added to a queue, until it returns `None`.
    pub fn next(&mut self, id: LaneId) -> Option<(Grant, T)> {
        let lane = self.lanes.get_mut(id.0)?;
        // An owner who uses as much as one may is passed over, and keeps its turn.
        let may_have = |account: &Account<T>| {
            let share = account.shares.get(id.0)?;
            lane.lets_have(share.used, share.queue.front()?.units)
                .then_some(())
        };
        let all = &self.accounts.all;
        let position = lane
            .turns
            .iter()
            .position(|number| all.get(*number).and_then(may_have).is_some())?;
        let number = *lane.turns.get(position)?;
        let account = self.accounts.get(number)?;
        let share = account.shares.get_mut(id.0)?;
        // A caller who needs more than is free now waits at the head, or smaller requests would go first forever.
        if share.queue.front()?.units > lane.free {
            return None;
        }
        let waiting = share.queue.pop_front()?;
        let is_limited = lane.is_limited_by_owner();
        if is_limited {
            share.used += waiting.units;
        }
        lane.free -= waiting.units;
        lane.turns.remove(position);
        if !share.queue.is_empty() {
            lane.turns.push_back(number);
        }
        account.waiting -= 1;
        let grant = Grant {
            lane: id,
            units: waiting.units,
            account: is_limited.then_some(number),
        };
        Some((grant, waiting.waiter))
    }

    /// Gives units back that [`FairQueue::try_take`] or [`FairQueue::next`] took.
    pub fn give_back(&mut self, grant: &Grant) {
        if let Some(lane) = self.lanes.get_mut(grant.lane.0) {
            lane.free = (lane.free + grant.units).min(lane.limits.units);
        }
        if let Some(account) = grant.account.and_then(|number| self.accounts.get(number))
            && let Some(share) = account.shares.get_mut(grant.lane.0)
        {
            share.used = share.used.saturating_sub(grant.units);
        }
    }

    /// Takes a request out of its queue. `false`: it waits no more, its turn has come or it was refused.
    pub fn withdraw(&mut self, ticket: &Ticket) -> bool {
        self.take_out(ticket).is_some()
    }

    /// Takes every waiting request out of a lane, whose work is done by no one any more.
    pub fn drain(&mut self, id: LaneId) -> Vec<T> {
        let Some(lane) = self.lanes.get_mut(id.0) else {
            return Vec::new();
        };
        let mut waiters = Vec::new();
        for number in lane.turns.drain(..) {
            if let Some(account) = self.accounts.get(number)
                && let Some(share) = account.shares.get_mut(id.0)
            {
                let before = waiters.len();
                waiters.extend(share.queue.drain(..).map(|waiting| waiting.waiter));
                account.waiting -= waiters.len() - before;
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
        let shares = self
            .accounts
            .all
            .iter()
            .filter_map(|account| account.shares.get(lane.0));
        shares.map(|share| share.queue.len()).sum()
    }

    /// Whether no request waits for a lane.
    #[must_use]
    pub fn is_idle(&self, lane: LaneId) -> bool {
        self.lanes.get(lane.0).is_none_or(|lane| lane.turns.is_empty())
    }

    fn take_out(&mut self, ticket: &Ticket) -> Option<T> {
        let account = self.accounts.get(ticket.account)?;
        let share = account.shares.get_mut(ticket.lane.0)?;
        // The account may be another owner's by now, but no number is used twice.
        let position = share
            .queue
            .iter()
            .rposition(|waiting| waiting.ticket == ticket.number)?;
        let waiting = share.queue.remove(position)?;
        if share.queue.is_empty() {
            let lane = self.lanes.get_mut(ticket.lane.0)?;
            lane.turns.retain(|number| *number != ticket.account);
        }
        account.waiting -= 1;
        Some(waiting.waiter)
    }
}

impl Lane {
    fn is_limited_by_owner(&self) -> bool {
        self.limits.units_per_owner < self.limits.units
    }

    /// A request never asks for more than it can ever get.
    fn granted(&self, units: u32) -> u32 {
        units
            .min(self.limits.units_per_owner.max(1))
            .min(self.limits.units)
    }

    fn lets_have(&self, used: u32, units: u32) -> bool {
        used + units <= self.limits.units_per_owner.max(1)
    }
}

impl<T> Accounts<T> {
    /// So many owners without use are not worth the effort to forget them.
    const FEW: usize = 64;

    fn new() -> Self {
        Self {
            numbers: HashMap::default(),
            all: Vec::new(),
            unused: Vec::new(),
            most: Self::FEW,
        }
    }

    fn get(&mut self, number: usize) -> Option<&mut Account<T>> {
        self.all.get_mut(number)
    }

    /// The account of an owner, a new one if need be.
    fn number_of(&mut self, owner: &Owner) -> usize {
        if let Some(number) = self.numbers.get(owner) {
            return *number;
        }
        if self.numbers.len() >= self.most {
            self.forget_idle();
        }
        let number = self.unused.pop().unwrap_or_else(|| {
            self.all.push(Account::new());
            self.all.len() - 1
        });
        self.numbers.insert(owner.clone(), number);
        number
    }

    fn forget_idle(&mut self) {
        let Self {
            numbers,
            all,
            unused,
            most,
        } = self;
        numbers.retain(|_, number| {
            let idle = all.get_mut(*number).filter(|account| account.is_idle());
            let Some(account) = idle else { return true };
            *account = Account::new();
            unused.push(*number);
            false
        });
        *most = Self::FEW.max(2 * numbers.len());
    }

    /// The newest request of the owner who has most of them waiting, if those are more than so many.
    fn newest_of_longest(&self, more_than: usize) -> Option<Ticket> {
        let accounts = self.all.iter().enumerate();
        let (number, longest) = accounts.max_by_key(|(_, account)| account.waiting)?;
        if longest.waiting <= more_than {
            return None;
        }
        let newest = longest.shares.iter().enumerate().filter_map(|(lane, share)| {
            let waiting = share.queue.back()?;
            Some((waiting.ticket, LaneId(lane)))
        });
        let (ticket, lane) = newest.max_by_key(|(ticket, _)| *ticket)?;
        Some(Ticket {
            lane,
            account: number,
            number: ticket,
        })
    }
}

impl<T> Account<T> {
    fn new() -> Self {
        Self {
            shares: Vec::new(),
            waiting: 0,
        }
    }

    fn share(&mut self, lane: LaneId) -> Option<&mut Share<T>> {
        if self.shares.len() <= lane.0 {
            self.shares.resize_with(lane.0 + 1, || Share {
                used: 0,
                queue: VecDeque::new(),
            });
        }
        self.shares.get_mut(lane.0)
    }

    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.shares.iter().all(|share| share.used == 0)
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
    fn served<T>(queue: &mut FairQueue<T>, lane: LaneId, in_use: &mut Grant) -> Option<T> {
        queue.give_back(in_use);
        let (grant, waiter) = queue.next(lane)?;
        *in_use = grant;
        Some(waiter)
    }

    #[test]
    fn owners_take_turns_and_each_is_served_in_the_order_of_its_requests() {
        let (alice, bob, carol) = (owner("alice"), owner("bob"), owner("carol"));
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(1));
        let mut in_use = queue.try_take(lane, &alice, 1).unwrap();
        for waiter in ["a1", "a2", "a3"] {
            queue.wait(lane, &alice, 1, waiter);
        }
        queue.wait(lane, &bob, 1, "b1");
        queue.wait(lane, &carol, 1, "c1");
        queue.wait(lane, &bob, 1, "b2");
        let order: Vec<_> = std::iter::from_fn(|| served(&mut queue, lane, &mut in_use)).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn no_one_overtakes_those_who_wait() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let (mut queue, lane) = queue_of(10, LaneLimits::shared(2));
        let in_use = queue.try_take(lane, &alice, 1).unwrap();
        queue.wait(lane, &alice, 2, "needs both");
        assert_eq!(queue.next(lane), None);
        assert_eq!(
            queue.try_take(lane, &bob, 1),
            None,
            "one is free, but it is spoken for"
        );
        queue.give_back(&in_use);
        assert_eq!(queue.next(lane).unwrap().1, "needs both");
    }

    #[test]
    fn an_owner_leaves_units_to_the_others_and_its_turn_is_kept() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let limits = LaneLimits {
            units: 3,
            units_per_owner: 2,
        };
        let (mut queue, lane) = queue_of(10, limits);
        let hers = queue.try_take(lane, &alice, 1).unwrap();
        let _hers_too = queue.try_take(lane, &alice, 1).unwrap();
        assert_eq!(queue.try_take(lane, &alice, 1), None);
        queue.wait(lane, &alice, 1, "alice");
        assert_eq!(queue.next(lane), None, "the third one is not for her");
        queue.wait(lane, &bob, 1, "bob");
        let (his, waiter) = queue.next(lane).unwrap();
        assert_eq!(waiter, "bob");
        queue.give_back(&his);
        assert_eq!(queue.next(lane), None);
        queue.give_back(&hers);
        assert_eq!(queue.next(lane).unwrap().1, "alice");
    }

    #[test]
    fn when_there_is_no_room_the_newest_of_the_longest_queue_makes_some() {
        let (alice, bob) = (owner("alice"), owner("bob"));
        let (mut queue, lane) = queue_of(4, LaneLimits::shared(1));
        for waiter in ["a1", "a2", "a3", "a4"] {
            assert_eq!(queue.enter(&alice), Entry::Entered);
            if queue.try_take(lane, &alice, 1).is_none() {
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
        assert!(queue.try_take(lane, &owner("alice"), 1).is_some());
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
        let mut in_use = queue.try_take(lane, &alice, 1).unwrap();
        let first = queue.wait(lane, &alice, 1, "first");
        let second = queue.wait(lane, &alice, 1, "second");
        assert!(queue.withdraw(&first));
        assert!(!queue.withdraw(&first));
        assert_eq!(served(&mut queue, lane, &mut in_use), Some("second"));
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
        assert!(queue.accounts.all.iter().all(Account::is_idle));
    }

    #[test]
    fn owners_without_use_are_forgotten_and_those_with_some_are_not() {
        let limits = LaneLimits {
            units: 3,
            units_per_owner: 1,
        };
        let (mut queue, lane) = queue_of(10, limits);
        let alice = owner("alice");
        let hers = queue.try_take(lane, &alice, 1).unwrap();
        let waits = queue.wait(lane, &alice, 1, "alice");
        let mut old = Vec::new();
        for number in 0..1_000 {
            let ticket = queue.wait(lane, &owner(&format!("user {number}")), 1, "another");
            let (grant, waiter) = queue.next(lane).unwrap();
            assert_eq!(waiter, "another", "she has hers");
            queue.give_back(&grant);
            old.push(ticket);
        }
        assert!(queue.accounts.numbers.len() <= Accounts::<()>::FEW);
        assert!(queue.accounts.all.len() <= Accounts::<()>::FEW);
        assert!(old.iter().all(|ticket| !queue.withdraw(ticket)));
        queue.give_back(&hers);
        assert_eq!(queue.next(lane).unwrap().1, "alice");
        assert!(!queue.withdraw(&waits));
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
            let mut in_use: Vec<(Grant, (usize, u32))> = Vec::new();
            let mut tickets = Vec::new();
            let mut asked = 0;
            let mut over = 0;
            for step in steps {
                match step {
                    Step::Ask { owner, units } => {
                        asked += 1;
                        if let Some(grant) = queue.try_take(lane, &owners[owner], units) {
                            in_use.push((grant, (owner, units)));
                        } else {
                            tickets.push(queue.wait(lane, &owners[owner], units, (owner, units)));
                        }
                    }
                    Step::Finish(which) if !in_use.is_empty() => {
                        let (grant, _) = in_use.remove(which % in_use.len());
                        queue.give_back(&grant);
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
                prop_assert!(in_use.iter().map(|(_, (_, units))| cost(*units)).sum::<u32>() <= limits.units);
                for owner in 0..owners.len() {
                    let used = in_use.iter().filter(|(_, (of, _))| *of == owner);
                    let used = used.map(|(_, (_, units))| cost(*units));
                    prop_assert!(used.sum::<u32>() <= limits.units_per_owner);
                }
            }
            while let Some((grant, _)) = in_use.pop() {
                queue.give_back(&grant);
                over += 1;
                in_use.extend(std::iter::from_fn(|| queue.next(lane)));
            }
            prop_assert_eq!(asked, over);
            prop_assert!(queue.is_idle(lane) && queue.accounts.all.iter().all(Account::is_idle));
            prop_assert_eq!(queue.lanes[0].free, limits.units);
        }
    }
}
