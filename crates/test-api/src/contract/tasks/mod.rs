//! What the API does with tasks, beyond what the seed specification asks: every rule of the contract about creating,
//! listing and changing them.

pub mod answers;
pub mod conditional;
pub mod create;
pub mod filters;
pub mod idempotency;
pub mod many;
pub mod pages;
pub mod patch;
pub mod texts;
pub mod update;
