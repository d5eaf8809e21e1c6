//! The real clock and the real ids behind the ports of the domain: where every time and every id of a task comes from.

use std::sync::{Mutex, PoisonError};

use actix_web::http::header::HeaderValue;
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

/// Random UUIDs of version 7. Those of one millisecond made by this process also sort in the order of their making
/// (RFC 9562, 6.2, method 1).
#[derive(Debug, Default)]
pub struct RandomTaskIds(Mutex<ContextV7>);

impl TaskIds for RandomTaskIds {
    fn next(&self, now: DateTime<Utc>) -> TaskId {
        loop {
            let context = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
            let uuid = Uuid::new_v7(Timestamp::from_unix(
                &*context,
                seconds,
                now.timestamp_subsec_nanos(),
            ));
            drop(context);
            // Always version 7 by construction, so the loop ends at its first turn.
            if let Ok(id) = TaskId::from_uuid(uuid) {
                return id;
            }
        }
    }
}

/// An id for a request that brought none.
#[expect(
    clippy::disallowed_methods,
    reason = "a request id is no task id; it carries the time for people who read logs"
)]
pub(crate) fn new_request_id() -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    // Hexadecimal digits and hyphens are always fit for a header.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
}
