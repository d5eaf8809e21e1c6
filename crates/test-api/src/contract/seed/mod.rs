//! The seed specification, item by item: the name of each test says which item it proves.
//!
//! | Items | Where |
//! |---|---|
//! | user stories 3, 4 and 5, one test for each acceptance scenario | `user_story_3`, `user_story_4`, `user_story_5` |
//! | functional requirements 4 to 14 | `requirements`, `signed_tokens` |
//! | success criteria 3 and 6 | `success_criteria` |
//! | edge cases of requests | `edge_cases` |
//!
//! What it says about tokens and logs is also proved over the real binary alone: `api-actix/tests/http/seed`.

pub mod edge_cases;
pub mod requirements;
pub mod signed_tokens;
pub mod success_criteria;
pub mod user_story_3;
pub mod user_story_4;
pub mod user_story_5;
