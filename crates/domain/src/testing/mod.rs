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

mod clock;
pub mod contract;
mod ids;
mod memory;
mod people;
mod task;
mod tokens;

pub use clock::{FixedClock, noon};
pub use ids::{CountingTaskIds, an_id_at};
pub use memory::InMemoryTaskRepository;
pub use people::{a_caller, a_caller_named, an_owner, an_owner_named};
pub use task::{
    a_bare_task, a_change_of_everything, a_change_to_what_it_is, a_new_task, a_task, a_task_at_every_limit,
    a_task_with, edits,
};
pub use tokens::{FakeTokenVerifier, Verdict};
