//! The adapter on real servers: one program, so that it is linked once and its tests share one cluster.
//!
//! | Module | What it proves |
//! |---|---|
//! | `archive` | the archive, when a row or the server is in the way |
//! | `codes` | the meaning of a failed statement, each provoked, with the SQLSTATE that the log shows |
//! | `contract` | the contracts of the ports |
//! | `failure` | the server goes away, falls silent and comes back: what callers see, and how soon it is over |
//! | `histories` | two writers of one task over connections that break: what each was told fits one order of their writes |
//! | `languages` | a failure means the same where the server speaks another language |
//! | `letters` | servers that cannot do all that a search needs |
//! | `limits` | locks, time limits and overload: who waits, for how long, and who does not |
//! | `migrations` | there and back, many at once, all or nothing |
//! | `plans` | how the server runs the statements over many rows |
//! | `refusals` | refused logins: which are final, what they say, and poolers that refuse our start-up options |
//! | `repeats` | connections that break at every point of a statement: nothing is lost, nothing is done twice |
//! | `schema_rules` | `schema.rs` describes the tables, each names its owner, and they refuse what no task is |
//! | `statements` | one prepared statement per operation, seen in the server's own log |
//! | `stats` | the use of the connections |
//! | `tls` | which certificates are trusted, and what the server says about it |

mod support;

mod archive;
mod codes;
mod contract;
mod failure;
mod histories;
mod languages;
mod letters;
mod limits;
mod migrations;
mod plans;
mod refusals;
mod repeats;
mod schema_rules;
mod statements;
mod stats;
mod tls;
