//! The seed specification where only the real binary or its database can show it: the name of each test says which item
//! it proves. The other items are in the contract of `test-api`.
//!
//! | Items | Where |
//! |---|---|
//! | functional requirement 15 | `audit` |
//! | the audit record of an edge case | `edge_cases` |
//! | success criterion 4 | `hostile_tokens` |
//! | rows of user story 3 | `user_story_3` |
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod audit;
mod edge_cases;
mod hostile_tokens;
mod user_story_3;
