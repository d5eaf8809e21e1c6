//! How the connections are used right now, as plain numbers for the operator of the process.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The connections of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// The connections that reads share.
    pub read: LaneStats,
    /// The connections that are borrowed for a whole operation.
    pub work: LaneStats,
    /// Operations that use the database or wait for it.
    pub in_flight: usize,
    /// The most that there may be at once.
    pub max_in_flight: usize,
    /// Statements that ran a second time.
    pub repeats: RepeatStats,
}

/// Statements that ran a second time because their first run failed, or should have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RepeatStats {
    /// How many did, since the start.
    pub done: u64,
    /// How many did not, because there had been too many.
    pub denied: u64,
    /// How many more may right now.
    pub left: u32,
}

/// One lane, all workers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Open connections that are not borrowed. The connections of the read lane are never borrowed for long.
    pub idle: u32,
    /// Open connections that an operation has borrowed.
    pub used: u32,
    /// The most connections that may be open.
    pub max: u32,
    /// Operations that wait for a connection.
    pub waiting: usize,
    /// Operations that have waited in vain since the start.
    pub timeouts: u64,
}

impl AddAssign for LaneStats {
    fn add_assign(&mut self, other: Self) {
        self.idle += other.idle;
        self.used += other.used;
        self.max += other.max;
        self.waiting += other.waiting;
        self.timeouts += other.timeouts;
    }
}

/// Who waits for a connection of one pool.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    now: AtomicUsize,
    in_vain: AtomicU64,
}

impl Waiters {
    /// Waits until the answer is dropped, also by a caller who walks away.
    pub(crate) fn join(&self) -> Waiting<'_> {
        self.now.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn in_vain(&self) -> u64 {
        self.in_vain.load(Ordering::Relaxed)
    }
}

/// One who waits.
pub(crate) struct Waiting<'a>(&'a Waiters);

impl Waiting<'_> {
    pub(crate) fn give_up(&self) {
        self.0.in_vain.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}
