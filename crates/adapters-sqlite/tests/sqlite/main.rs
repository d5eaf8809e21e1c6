//! The adapter on real files. Programs of their own are `statements`, which listens to every statement of its process,
//! and `fairness`, whose users compete for the processor with nothing else.
//!
//! | Module | What it proves |
//! |---|---|
//! | `archive` | the archive, when an unforeseen row is in the way |
//! | `contract` | the contracts of the ports, over a fresh file per case |
//! | `disk` | a disk that is full or read-only |
//! | `durability` | what was acknowledged is there, with many writers and in every later process |
//! | `failure` | what callers get when something is in the way, and that it passes |
//! | `opening` | opening a file, or being told why not, and migrating it |
//! | `replaced` | a file that is deleted, moved, replaced or overwritten under an open database |
//! | `schema_rules` | what the migrated database itself says and refuses |
//! | `stats` | what the database says about its own use |

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod contract;
mod disk;
mod durability;
mod failure;
mod opening;
mod replaced;
mod schema_rules;
mod stats;
