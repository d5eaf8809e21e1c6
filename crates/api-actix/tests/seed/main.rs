//! The seed specification, item by item: the name of each test says which item it proves.
//!
//! | Items | Where |
//! |---|---|
//! | user stories 3, 4 and 5, one test for each acceptance scenario | `user_story_3`, `user_story_4`, `user_story_5` |
//! | functional requirements 4 to 15 | `requirements`, `audit` |
//! | success criteria 3, 4 and 6 | `success_criteria`, `hostile_tokens` |
//! | edge cases of requests | `edge_cases` |
//!
//! What the seed says about starting, configuration, the database and load is proved by the tests of those.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]

mod audit;
mod edge_cases;
mod hostile_tokens;
mod requirements;
mod success_criteria;
#[path = "../support/mod.rs"]
mod support;
mod user_story_3;
mod user_story_4;
mod user_story_5;
