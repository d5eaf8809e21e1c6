//! The API with tasks, where one storage is enough to show it.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod errors;
mod head_size;
mod limit;
