//! The real clock and the real ids behind the ports of the domain: where every time and every id of a task comes from.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use domain::clock::Clock;
use domain::task::{TaskId, TaskIds};
use uuid::{ContextV7, Timestamp, Uuid};

/// The machine's clock, in whole microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that looks at the clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}

/// How far ids may be ahead of the clock to stay in order. Clocks that are kept by NTP are set back by less than that;
/// a step back by more means that the clock was wrong before, or is now.
const MOST_AHEAD: TimeDelta = TimeDelta::seconds(5);

/// Random UUIDs of version 7. Those of one millisecond made by this process also sort in the order of their making
/// (RFC 9562, 6.2, method 1), and so do those of a clock that is set back a little.
#[derive(Debug, Default)]
pub struct RandomTaskIds(Mutex<Sequence>);

#[derive(Debug, Default)]
struct Sequence {
    context: ContextV7,
    /// The latest time that an id was asked for at.
    latest: Option<DateTime<Utc>>,
}

impl Sequence {
    /// Follows the clock. The context alone would stay at the latest time that it ever saw: one request while the clock
    /// was a day ahead, and every task of that day would have the same `created_at`.
    fn follow(&mut self, now: DateTime<Utc>) {
        let ahead = self.latest.map_or(TimeDelta::zero(), |latest| latest - now);
        if ahead > MOST_AHEAD {
            self.context = ContextV7::new();
            self.latest = None;
            tracing::warn!(
                step_ms = ahead.num_milliseconds(),
                "the clock was set back: tasks that are created now sort before those that were created until then"
            );
        }
        self.latest = self.latest.max(Some(now));
    }
}

impl TaskIds for RandomTaskIds {
    fn next(&self, now: DateTime<Utc>) -> TaskId {
        loop {
            let mut sequence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sequence.follow(now);
            let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
            let uuid = Uuid::new_v7(Timestamp::from_unix(
                &sequence.context,
                seconds,
                now.timestamp_subsec_nanos(),
            ));
            drop(sequence);
            // Always version 7 by construction, so the loop ends at its first turn.
            if let Ok(id) = TaskId::from_uuid(uuid) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_768_478_400 + seconds, 0).unwrap()
    }

    #[test]
    fn after_the_clock_was_a_day_ahead_ids_follow_it_again() {
        let ids = RandomTaskIds::default();
        assert_eq!(ids.next(at(0)).created_at(), at(0));
        let day = 24 * 60 * 60;
        assert_eq!(ids.next(at(day)).created_at(), at(day));
        for seconds in [1, 2, 3] {
            assert_eq!(ids.next(at(seconds)).created_at(), at(seconds));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_ten_minutes_is_followed_and_its_ids_stay_in_order() {
        let ids = RandomTaskIds::default();
        ids.next(at(600));
        let mut last = ids.next(at(0));
        assert_eq!(last.created_at(), at(0));
        for _ in 0..1_000 {
            let next = ids.next(at(0));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_keeps_the_order() {
        let ids = RandomTaskIds::default();
        let mut last = ids.next(at(10));
        for seconds in [9, 5, 8, 10, 11, 6] {
            let next = ids.next(at(seconds));
            assert!(next > last, "{seconds}");
            last = next;
        }
        assert_eq!(last.created_at(), at(11));
    }

    #[test]
    fn little_steps_back_one_after_the_other_never_add_up() {
        let ids = RandomTaskIds::default();
        for seconds in (0..100).rev() {
            let ahead = ids.next(at(seconds)).created_at() - at(seconds);
            assert!(ahead <= MOST_AHEAD, "{ahead}");
        }
    }
}
