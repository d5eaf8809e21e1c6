//! What a task is, which rules it obeys, and the ports through which the outside reaches it.
//!
//! This crate knows no HTTP, no SQL, no wire format, no clock and no source of randomness. Everything it needs
//! from the outside is a **port**: a trait with its promises written down, implemented by an adapter crate or by the
//! binary, and mostly by a double in `testing` too.
//!
//! | Room | What lives there |
//! |---|---|
//! | [`identity`] | who is asking: [`identity::Owner`], [`identity::Caller`], the port [`identity::TokenVerifier`] |
//! | [`task`] | the task, one file per notion, the ports [`task::TaskRepository`], [`task::TaskArchive`] and [`task::TaskIds`], the use cases in [`task::TaskService`] |
//! | [`clock`], [`health`] | the small ports: the time, whether the storage answers |
//! | [`storage`] | the one failure type of every port of a storage, [`storage::StorageError`] |
//! | [`fairness`] | whose turn it is at a storage that cannot serve everyone at once |
//! | `testing` (feature `testing`) | builders, a fixed clock, the in-memory repository, mocks, and the contracts that every storage passes |
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use domain::task::{GetError, TaskService};
//! use domain::testing::{
//!     CountingTaskIds, FixedClock, InMemoryTaskRepository, a_caller_named, a_new_task, noon,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = TaskService::new(
//!     Arc::new(InMemoryTaskRepository::default()),
//!     Arc::new(FixedClock::at(noon())),
//!     Arc::new(CountingTaskIds::default()),
//! );
//! let alice = a_caller_named("alice");
//! let task = service.create(&alice, a_new_task("Buy milk"), None).await?.task;
//! assert_eq!(service.get(&alice, task.id()).await?, task);
//!
//! let stranger = a_caller_named("bob");
//! let answer = service.get(&stranger, task.id()).await;
//! assert!(matches!(answer, Err(GetError::NotFound)));
//! # Ok(())
//! # }
//! ```
//!
//! # Adding a port
//!
//! 1. Write the trait in the folder of its noun. Each promise is a sentence with MUST in its documentation.
//! 2. Add a fake to `testing`, and if several adapters will keep its promises, write the contract as plain functions
//!    over `&dyn Port`. For failures that no fake can have, give the trait
//!    `#[cfg_attr(feature = "testing", mockall::automock)]`.
//! 3. Implement it in an adapter crate and name that adapter in `backend` or `wiring` of the binary, nowhere else.

mod cause;
pub mod clock;
pub mod fairness;
pub mod health;
pub mod identity;
pub mod storage;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;

pub use cause::{Cause, chain};
