use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use domain::clock::Clock;

/// The machine's clock, in whole microseconds, for applications that a test serves itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests have a clock of their own, so that they need no binary"
    )]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}
