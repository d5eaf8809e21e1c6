//! Ends statements that no caller waits for any more.
//!
//! SQLite can be interrupted from outside or by a progress handler, but diesel offers neither, and its raw handle can
//! be had only through `unsafe`. So statements that look at many rows ask an SQL function of ours about every row; when
//! the caller has gone, no further row matches, and the rest of the scan costs next to nothing.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;

diesel::define_sql_function! {
    /// Whether a caller still waits for the job that this thread does.
    fn is_wanted() -> Bool;
}

thread_local! {
    static CURRENT: RefCell<Option<Wanted>> = const { RefCell::new(None) };
}

/// Whether a caller still waits. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// No caller waits any more.
    pub(crate) fn forget(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Does some work, whose statements can ask whether it is wanted.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                CURRENT.set(None);
            }
        }
        CURRENT.set(Some(self.clone()));
        let _end = End;
        work()
    }
}

/// Teaches a connection the function.
pub(crate) fn register(connection: &mut SqliteConnection) -> QueryResult<()> {
    // Not deterministic: SQLite must not ask once and remember the answer.
    is_wanted_utils::register_nondeterministic_impl(connection, || {
        CURRENT.with_borrow(|current| current.as_ref().is_none_or(Wanted::is_wanted))
    })
}
