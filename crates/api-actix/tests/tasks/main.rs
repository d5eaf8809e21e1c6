//! What the API does with tasks, beyond what the seed specification asks: every rule of the contract about creating,
//! listing and changing them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

mod answers;
mod conditional;
mod create;
mod errors;
mod filters;
mod head_size;
mod idempotency;
mod limit;
mod many;
mod pages;
mod patch;
#[path = "../support/mod.rs"]
mod support;
mod texts;
mod update;

/// The path of a task.
fn path_of(task: &serde_json::Value) -> String {
    format!("/api/tasks/{}", task["id"].as_str().expect("an id"))
}
