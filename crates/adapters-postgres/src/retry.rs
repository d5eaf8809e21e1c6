//! The statements that may run a second time, and how often that may happen.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::{AttemptFailure, Meaning};
use crate::stats::RepeatStats;

/// The effect of a second run of a statement, should it be unknown whether the first one happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Nothing: it only reads.
    Read,
    /// Nothing: the row of the first run, whose id and key were made before it, is in the way. An insertion looks whose
    /// row that is. Should that row have been deleted, a second one is made, as it is when the client repeats the
    /// key: so only for creations with a key.
    Insert,
    /// Nothing: each run touches the row only as it was before the time that the change itself leaves in it. So of
    /// several runs one takes effect, in whatever order they end, and what others have changed since stays.
    Dated,
    /// It would contradict the first one (the version would no longer be the expected one, the row would be gone), or
    /// undo what another writer did in between.
    Never,
}

/// The knowledge of a first run when a statement runs for the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstRun {
    /// It had no effect.
    Undone,
    /// It may have happened.
    Unknown,
}

impl AttemptFailure {
    /// Whether the statement may run once more, with what is known of its first run.
    pub(crate) fn allows(&self, repeat: Repeat) -> Option<FirstRun> {
        let Self::Statement(error) = self else { return None };
        match error.meaning() {
            Meaning::Undone | Meaning::Stale => Some(FirstRun::Undone),
            Meaning::Lost | Meaning::Unrecognised => (repeat != Repeat::Never).then_some(FirstRun::Unknown),
            Meaning::Useless
            | Meaning::Exhausted
            | Meaning::TooSlow
            | Meaning::Refused
            | Meaning::Unreadable
            | Meaning::Fault => None,
        }
    }
}

/// So many calls earn one repeat: repeats never add more than a tenth to a load that goes on.
const CALLS_PER_REPEAT: u32 = 10;
/// The most calls that count: a hundred repeats at once, for the moment when many connections end together.
const MOST_CALLS: u32 = 100 * CALLS_PER_REPEAT;

/// A bucket of tokens that all workers of the process share. It starts full, so that a quiet server may repeat too; a
/// database that fails again and again empties it, and is then not asked twice for everything.
pub(crate) struct RetryBudget {
    calls: AtomicU32,
    done: AtomicU64,
    denied: AtomicU64,
}

impl RetryBudget {
    pub(crate) fn new() -> Self {
        Self {
            calls: AtomicU32::new(MOST_CALLS),
            done: AtomicU64::new(0),
            denied: AtomicU64::new(0),
        }
    }

    /// Counts a call. Writes nothing while the bucket is full, as it nearly always is.
    pub(crate) fn earn(&self) {
        let one_more = |calls| (calls < MOST_CALLS).then_some(calls + 1);
        let _ = self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
    }

    /// Takes one repeat out, if there is one; counts it if there is none.
    pub(crate) fn spend(&self) -> bool {
        let less = |calls: u32| calls.checked_sub(CALLS_PER_REPEAT);
        let is_there = self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok();
        if !is_there {
            self.denied.fetch_add(1, Ordering::Relaxed);
        }
        is_there
    }

    /// Counts a second run. Not every repeat that was taken out becomes one: there may be no connection to be had.
    pub(crate) fn note_repeat(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> RepeatStats {
        RepeatStats {
            done: self.done.load(Ordering::Relaxed),
            denied: self.denied.load(Ordering::Relaxed),
            left: self.calls.load(Ordering::Relaxed) / CALLS_PER_REPEAT,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::tests::{SAID, said};

    fn spent(budget: &RetryBudget) -> usize {
        (0..1_000).filter(|_| budget.spend()).count()
    }

    #[test]
    fn a_statement_runs_once_more_only_if_a_second_run_changes_nothing_or_the_first_did_not_happen() {
        let harmless = [Repeat::Read, Repeat::Insert, Repeat::Dated];
        for (code, text, ..) in SAID {
            let failure = AttemptFailure::Statement(said(code, text));
            let (first_run, even_if_harmful) = match *code {
                "08P01" if text.contains("prepared statement") => (None, None),
                "08006" | "08P01" | "40003" | "57P01" | "57P02" | "57P03" | "P0001" | "XX000" => {
                    (Some(FirstRun::Unknown), None)
                }
                "40001" | "40P01" | "57P05" | "0A000" => (Some(FirstRun::Undone), Some(FirstRun::Undone)),
                _ => (None, None),
            };
            for repeat in harmless {
                assert_eq!(failure.allows(repeat), first_run, "{text}");
            }
            assert_eq!(failure.allows(Repeat::Never), even_if_harmful, "{text}");
        }
        for failure in [
            AttemptFailure::Busy,
            AttemptFailure::NotConnected("refused".to_owned()),
            AttemptFailure::GaveUp {
                after: Duration::from_secs(5),
                is_silence: true,
            },
        ] {
            assert_eq!(failure.allows(Repeat::Read), None, "{failure}");
        }
    }

    #[test]
    fn a_hundred_repeats_are_there_from_the_start_and_no_more() {
        assert_eq!(spent(&RetryBudget::new()), 100);
    }

    #[test]
    fn second_runs_and_denied_ones_are_counted() {
        let budget = RetryBudget::new();
        let stats = |done, denied, left| RepeatStats { done, denied, left };
        assert_eq!(budget.stats(), stats(0, 0, 100));
        budget.spend();
        assert_eq!(budget.stats(), stats(0, 0, 99), "it may find no connection");
        budget.note_repeat();
        assert_eq!(budget.stats(), stats(1, 0, 99));
        spent(&budget);
        assert_eq!(budget.stats(), stats(1, 901, 0));
    }

    #[test]
    fn ten_calls_earn_one_repeat() {
        let budget = RetryBudget::new();
        spent(&budget);
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        assert!(!budget.spend());
    }

    #[test]
    fn what_is_not_spent_does_not_grow_beyond_the_hundred() {
        let budget = RetryBudget::new();
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(spent(&budget), 100);
    }

    #[test]
    fn of_a_load_that_fails_all_the_time_a_tenth_is_repeated() {
        let budget = RetryBudget::new();
        spent(&budget);
        let repeated = (0..10_000)
            .filter(|_| {
                budget.earn();
                budget.spend()
            })
            .count();
        assert_eq!(repeated, 1_000);
    }
}
