//! The shapes that travel: the bodies, parameters and headers of requests and responses.

pub(crate) mod about;
pub(crate) mod counts;
pub(crate) mod cursor;
pub(crate) mod idempotency;
pub(crate) mod list;
pub(crate) mod page;
pub(crate) mod preconditions;
pub mod task;
pub(crate) mod timestamp;
