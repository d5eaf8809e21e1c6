//! The responses of the API when something is wrong: with the request, with its head or its body, or with the API
//! itself.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

mod bodies;
mod failures;
mod order;
mod panics;
mod paths;
mod properties;
mod sizes;

const UNKNOWN: &str = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
