//! The bytes that responses still hold in this process: they were made for a user, and the kernel has not taken
//! them yet.
//!
//! Nothing is reserved. Reads are refused while too much waits, so that a client that asks and does not read can
//! neither fill the memory nor, beyond their own share, keep others from reading.
//!
//! | Module | Contents |
//! |---|---|
//! | here | the limit, and what each user holds |
//! | `body` | bodies that are handed to actix in pieces |
//! | `handed` | what a connection has of them and could not send yet |

pub(crate) mod handed;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::identity::Owner;

use crate::observe::snapshot::UnsentMetrics;
use crate::problem::{Code, Problem};

/// Bodies from this size on are counted and sent in pieces, in bytes. Smaller ones fit into the buffer of the
/// connection, and nothing is done about them.
pub(crate) const LARGE: usize = 32 << 10;
/// How much is handed to actix at once, in bytes: with what may be there already, the buffer holds twice as much.
pub(crate) const PIECE: usize = 32 << 10;
/// How many parts the limit has, one of which a single user may fill.
const SHARES: usize = 4;

/// The bytes that the responses of this process hold, and how many they may. Clones share it.
#[derive(Clone)]
pub struct Unsent(Arc<Books>);

struct Books {
    limit: usize,
    total: AtomicUsize,
    refused: AtomicU64,
    owners: Mutex<HashMap<Owner, usize>>,
}

impl Unsent {
    /// The limit unless another is set, in bytes.
    pub const DEFAULT: usize = 64 << 20;
    /// The smallest limit, in bytes: each user's share still lets some response through, because one that has begun may
    /// exceed it.
    pub const MIN: usize = 1 << 20;

    /// Nothing yet, and at most `limit` bytes.
    #[must_use]
    pub fn limited_to(limit: usize) -> Self {
        Self(Arc::new(Books {
            limit,
            total: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            owners: Mutex::default(),
        }))
    }

    /// How things stand.
    #[must_use]
    pub fn metrics(&self) -> UnsentMetrics {
        UnsentMetrics {
            bytes: self.0.total.load(Ordering::Relaxed),
            max: self.0.limit,
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }

    /// Whether one more read of this user may be answered.
    ///
    /// # Errors
    /// `overloaded`: they hold their share already, or all of them together hold everything.
    pub(crate) fn check(&self, owner: &Owner) -> Result<(), Problem> {
        let books = &*self.0;
        let (total, share) = (books.total.load(Ordering::Relaxed), books.limit / SHARES);
        // No user holds more than all together: mostly there is nothing to look up.
        if total < share || (total < books.limit && books.held_by(owner) < share) {
            return Ok(());
        }
        books.refused.fetch_add(1, Ordering::Relaxed);
        Err(Problem::new(Code::Overloaded))
    }

    /// Counts a response of `bytes` bytes until they are released.
    pub(crate) fn hold(&self, owner: &Owner, bytes: usize) -> Hold {
        self.0.add(owner, bytes);
        Hold {
            unsent: self.clone(),
            owner: owner.clone(),
            bytes,
        }
    }
}

impl Default for Unsent {
    fn default() -> Self {
        Self::limited_to(Self::DEFAULT)
    }
}

/// Without the users.
impl fmt::Debug for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metrics().fmt(f)
    }
}

impl Books {
    fn held_by(&self, owner: &Owner) -> usize {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.get(owner).copied().unwrap_or_default()
    }

    fn add(&self, owner: &Owner, bytes: usize) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        *owners.entry(owner.clone()).or_default() += bytes;
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, owner: &Owner, bytes: usize) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut held) = owners.entry(owner.clone()) {
            *held.get_mut() = held.get().saturating_sub(bytes);
            // A user who holds nothing leaves nothing behind.
            if *held.get() == 0 {
                held.remove();
            }
        }
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of one user's response. What is left of them is released with the value.
pub(crate) struct Hold {
    unsent: Unsent,
    owner: Owner,
    bytes: usize,
}

impl Hold {
    /// Leaves up to `bytes` of them to another value.
    pub(crate) fn split_off(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            unsent: self.unsent.clone(),
            owner: self.owner.clone(),
            bytes,
        }
    }

    /// Releases what is beyond `bytes` bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        if surplus > 0 {
            self.unsent.0.remove(&self.owner, surplus);
            self.bytes -= surplus;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::an_owner_named;

    use super::*;

    fn is_refused(unsent: &Unsent, owner: &str) -> bool {
        match unsent.check(&an_owner_named(owner)) {
            Ok(()) => false,
            Err(problem) => {
                assert_eq!(problem.code(), Code::Overloaded);
                true
            }
        }
    }

    #[test]
    fn a_user_who_holds_a_quarter_is_refused_and_no_one_else() {
        let unsent = Unsent::limited_to(400);
        let _some = unsent.hold(&an_owner_named("bob"), 60);
        let hold = unsent.hold(&an_owner_named("alice"), 99);
        assert!(!is_refused(&unsent, "alice"));
        let more = unsent.hold(&an_owner_named("alice"), 1);
        assert!(is_refused(&unsent, "alice"));
        assert!(!is_refused(&unsent, "bob"));
        drop(more);
        assert!(!is_refused(&unsent, "alice"));
        drop(hold);
        assert_eq!(
            unsent.metrics(),
            UnsentMetrics {
                bytes: 60,
                max: 400,
                refused: 1
            }
        );
    }

    #[test]
    fn when_everything_is_used_every_user_is_refused() {
        let unsent = Unsent::limited_to(400);
        let mut holds: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|owner| unsent.hold(&an_owner_named(owner), 133))
            .collect();
        assert!(!is_refused(&unsent, "d"));
        holds.push(unsent.hold(&an_owner_named("d"), 1));
        assert!(is_refused(&unsent, "d"));
        assert!(is_refused(&unsent, "e"));
        holds.clear();
        assert!(!is_refused(&unsent, "a"));
        assert_eq!(unsent.metrics().bytes, 0);
    }

    #[test]
    fn who_holds_nothing_leaves_nothing_behind() {
        let unsent = Unsent::default();
        let mut hold = unsent.hold(&an_owner_named("alice"), 10);
        let mut part = hold.split_off(4);
        part.shrink_to(1);
        assert_eq!(unsent.metrics().bytes, 7);
        drop(hold);
        assert_eq!(unsent.metrics().bytes, 1);
        drop(part);
        assert_eq!(unsent.metrics().bytes, 0);
        assert!(unsent.0.owners.lock().unwrap().is_empty());
    }

    #[test]
    fn debug_output_names_no_user() {
        let unsent = Unsent::default();
        let _hold = unsent.hold(&an_owner_named("alice"), 10);
        assert!(!format!("{unsent:?}").contains("alice"));
    }
}
