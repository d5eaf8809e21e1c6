//! What tests of every crate share: builders that read as sentences, a clock that stands still, the in-memory
//! repository, a verifier of tokens without cryptography, and the contract that every repository passes.
//!
//! Use the in-memory repository for behaviour and a mock only for failures that it cannot have. Builders give
//! every field a value that is not its default, so that a forgotten column shows.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

pub mod contract;
mod memory;
mod tokens;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub use memory::InMemoryTaskRepository;
pub use tokens::{FakeTokenVerifier, Verdict};

use crate::clock::Clock;
use crate::identity::{Caller, Owner};
use crate::task::{Description, NewTask, Status, Task, TaskId, TaskIds, TaskParts, Title, Version};

/// Noon of a Thursday, in UTC.
#[must_use]
pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_768_478_400, 0).expect("a valid time")
}

/// An owner.
#[must_use]
pub fn an_owner() -> Owner {
    an_owner_named("usr_9f2c")
}

/// The owner with that user id.
#[must_use]
pub fn an_owner_named(user_id: &str) -> Owner {
    Owner::parse(user_id).expect("a valid user id")
}

/// A caller.
#[must_use]
pub fn a_caller() -> Caller {
    a_caller_named(an_owner().as_str())
}

/// The caller with that user id.
#[must_use]
pub fn a_caller_named(user_id: &str) -> Caller {
    Caller {
        owner: an_owner_named(user_id),
        expires_at: noon() + TimeDelta::minutes(15),
        issuer: Some("https://app.example".to_owned()),
    }
}

/// A task of that owner with that title. Each call makes a newer one.
#[must_use]
pub fn a_task(owner: &Owner, title: &str) -> Task {
    a_task_with(owner, title, |_| {})
}

/// The same, but for what `change` makes of it.
///
/// # Panics
/// The changed facts contradict each other.
#[must_use]
pub fn a_task_with(owner: &Owner, title: &str, change: impl FnOnce(&mut TaskParts)) -> Task {
    let id = an_id_at(noon());
    let created_at = id.created_at();
    let mut parts = TaskParts {
        id,
        owner: owner.clone(),
        title: Title::parse(title).expect("a valid title"),
        description: Some(Description::parse("2 litres, the blue one").expect("a valid description")),
        status: Status::InProgress,
        version: Version::new(3).expect("a valid version"),
        created_at,
        updated_at: created_at + TimeDelta::microseconds(61_234_567),
    };
    change(&mut parts);
    Task::restore(parts).expect("consistent facts")
}

/// A creation with that title.
#[must_use]
pub fn a_new_task(title: &str) -> NewTask {
    let TaskParts {
        title,
        description,
        status,
        ..
    } = a_task(&an_owner(), title).into_parts();
    NewTask {
        title,
        description,
        status,
    }
}

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

/// A clock that shows what it is told.
#[derive(Debug)]
pub struct FixedClock(Mutex<DateTime<Utc>>);

impl FixedClock {
    /// A clock that shows this time until it is told otherwise.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self(Mutex::new(time))
    }

    /// Moves the clock, backwards too.
    pub fn advance(&self, by: TimeDelta) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *time += by;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that count upwards: the same ones in every run.
#[derive(Debug, Default)]
pub struct CountingTaskIds(AtomicU32);

impl TaskIds for CountingTaskIds {
    fn next(&self, now: DateTime<Utc>) -> TaskId {
        id_with(now, self.0.fetch_add(1, Ordering::Relaxed))
    }
}
