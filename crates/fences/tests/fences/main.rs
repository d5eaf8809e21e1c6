//! The fences hold, and each of them is seen to fail on a violation.

#![expect(clippy::unwrap_used, reason = "in tests a broken set-up should panic")]

mod seeded;
mod workspace;
