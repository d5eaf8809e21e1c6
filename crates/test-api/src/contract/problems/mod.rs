//! What the API answers when something is wrong.

pub mod headers;

/// The path of a task that no one has.
const UNKNOWN: &str = "/api/tasks/01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";
