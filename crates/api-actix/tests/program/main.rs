//! The program `task-api`, seen by its operator.
//!
//! | Module | What it proves |
//! |---|---|
//! | `cli` | what the commands print, and how they end |
//! | `docs` | what the documents say about the code is true |
//! | `dotenv` | which settings come from `.env` |
//! | `lifecycle` | how a running server ends, and how it lives through the end of its database |
//! | `observe` | what operators see of a running server |
//! | `proxies` | real proxies in front of the server make no answer wrong |
//! | `scale` | more than one process, and more than one server between it and the tasks |
//! | `startup` | how the server starts, and how it says that it cannot |

mod cli;
mod docs;
mod dotenv;
mod lifecycle;
mod observe;
mod proxies;
mod scale;
mod startup;
#[path = "../support/mod.rs"]
mod support;
