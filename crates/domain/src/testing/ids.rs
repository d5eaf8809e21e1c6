//! Ids of tests.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::task::{TaskId, TaskIds};

/// A new id that carries this time. Ids of one time sort in the order in which they were made.
#[must_use]
pub fn an_id_at(time: DateTime<Utc>) -> TaskId {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    id_with(time, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn id_with(time: DateTime<Utc>, number: u32) -> TaskId {
    let millis = u64::try_from(time.timestamp_millis()).expect("a time after 1970");
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    let uuid: Uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    TaskId::from_uuid(uuid).expect("a version 7 UUID")
}

/// Ids that count upwards: the same ones in every run.
#[derive(Debug, Default)]
pub struct CountingTaskIds(AtomicU32);

impl TaskIds for CountingTaskIds {
    fn next(&self, now: DateTime<Utc>) -> TaskId {
        id_with(now, self.0.fetch_add(1, Ordering::Relaxed))
    }
}
