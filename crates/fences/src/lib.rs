//! Holds the structure of the workspace. `cargo test -p fences` fails when it is broken, and
//! `cargo run -p fences -- graph` shows it.
//!
//! | Fence | Its rules |
//! |---|---|
//! | [`Dependencies`] | `rules/dependencies.txt`: which crate may use which, and what each may bring |
//! | [`Graph::circles`] | no files of a crate use each other in a circle |
//! | [`Orders`] | `rules/modules.txt`: the modules of a crate from bottom to top; arrows only point down |
//!
//! # What is an arrow
//!
//! From the file that mentions something to the file that **defines** it, if that is another file of the same crate:
//!
//! - `use crate::…`, `use self::…`, `use super::…`, and each path that is written out, also among the tokens of a
//!   macro and in quotes in an attribute. A module that was imported by itself is no arrow; each path through it is.
//! - Re-exports are followed. With `pub use entity::Task` in `task/mod.rs`, `crate::task::Task` leads to
//!   `task/entity.rs`.
//! - A re-export is an arrow too, down from the parent to its child; `mod child;` is none. So a `mod.rs` or `lib.rs`
//!   either lists modules or defines what they use: both together are a circle.
//! - `super::Thing`, where `Thing` is an item of the parent itself, is an arrow up, from the child to the parent.
//! - What a module below sees of a `macro_rules!` above it, and names that a glob brings, count as if imported.
//! - A name that stands nowhere in a module was made by a macro there, and belongs to its file.
//!
//! What only tests have (`#[cfg(test)]`, `#[test]`) is left out, and so is documentation. Features are not: code of
//! every feature counts. An inline module belongs to the file that it is in. Methods are not seen: `task.title()` is no
//! arrow, but some path has named the type before.

mod cfg;
mod dependencies;
mod drawing;
mod error;
mod figures;
mod graph;
mod order;
mod resolve;
mod rules;
mod tree;
mod workspace;

pub use dependencies::Dependencies;
pub use drawing::{Detail, drawing};
pub use error::Error;
pub use figures::figures;
pub use graph::{Graph, Target};
pub use order::Orders;
pub use workspace::Workspace;
