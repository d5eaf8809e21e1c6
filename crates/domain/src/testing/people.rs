//! Users of tests.

use chrono::TimeDelta;

use super::noon;
use crate::identity::{Caller, Owner};

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
