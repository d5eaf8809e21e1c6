//! The bytes that bodies have handed to actix on one connection and the kernel has not taken yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::Hold;

/// In the order in which it will be sent. A connection may carry the responses of several users, behind a proxy. Clones
/// share it: the stream has one, and bodies find another in the data of the connection.
#[derive(Clone, Default)]
pub(crate) struct Handed(Rc<RefCell<Queue>>);

#[derive(Default)]
struct Queue {
    holds: VecDeque<Hold>,
    bytes: usize,
}

impl Handed {
    /// Counts these bytes until they were sent.
    pub(crate) fn add(&self, mut hold: Hold) {
        let queue = &mut *self.0.borrow_mut();
        queue.bytes += hold.bytes;
        match queue.holds.back_mut() {
            Some(last) if last.owner == hold.owner => last.bytes += std::mem::take(&mut hold.bytes),
            _ => queue.holds.push_back(hold),
        }
    }

    /// Only this many bytes still wait on the connection, whatever they are: everything before them was sent.
    pub(crate) fn are_left(&self, bytes: usize) {
        let queue = &mut *self.0.borrow_mut();
        let mut sent = queue.bytes.saturating_sub(bytes);
        queue.bytes -= sent;
        while sent > 0
            && let Some(first) = queue.holds.front_mut()
        {
            let part = sent.min(first.bytes);
            first.shrink_to(first.bytes - part);
            sent -= part;
            if first.bytes == 0 {
                queue.holds.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::an_owner_named;

    use super::super::Unsent;
    use super::*;

    fn held(unsent: &Unsent, owner: &str) -> usize {
        unsent.0.held_by(&an_owner_named(owner))
    }

    #[test]
    fn what_was_sent_is_released_in_its_order_whichever_user_it_belongs_to() {
        let (unsent, handed) = (Unsent::default(), Handed::default());
        for (owner, bytes) in [("alice", 10), ("alice", 10), ("bob", 10), ("alice", 5)] {
            handed.add(unsent.hold(&an_owner_named(owner), bytes));
        }
        let state = || (held(&unsent, "alice"), held(&unsent, "bob"));
        // Heads and small bodies wait as well.
        handed.are_left(100);
        assert_eq!(state(), (25, 10));
        handed.are_left(34);
        assert_eq!(state(), (24, 10));
        handed.are_left(12);
        assert_eq!(state(), (5, 7));
        handed.are_left(12);
        assert_eq!(state(), (5, 7));
        handed.are_left(3);
        assert_eq!(state(), (3, 0));
        handed.are_left(0);
        assert_eq!(unsent.metrics().bytes, 0);
    }

    #[test]
    fn a_connection_that_ends_releases_what_waited_on_it() {
        let (unsent, handed) = (Unsent::default(), Handed::default());
        handed.add(unsent.hold(&an_owner_named("alice"), 10));
        drop(handed);
        assert_eq!(unsent.metrics().bytes, 0);
    }
}
