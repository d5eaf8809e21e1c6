//! The records about requests: metrics, timings for the caller, spans, and lines in the log.
//!
//! The edge begins and ends the observation of each request; what is switched off costs nothing.
//!
//! | Module | Contents |
//! |---|---|
//! | [`metrics`] | the metrics about requests, and the text of all metrics for Prometheus |
//! | [`snapshot`], `process` | the metrics that are looked up when they are asked for |
//! | [`current`] | the request that is being handled: its calls, its span, its end |
//! | [`traced`], [`call`] | the ports that note how long they took, and such a note |
//! | [`Observers`], [`Outcome`] | who is told about requests, and what |
//! | [`access_log`] | a line for requests |
//! | [`spans`] | what records the spans of a request; `otel` sends them to a collector (feature `otel`) |

pub mod access_log;
pub mod call;
pub mod current;
pub mod metrics;
mod observers;
#[cfg(feature = "otel")]
pub mod otel;
mod outcome;
mod panics;
mod process;
pub mod snapshot;
pub mod spans;
pub mod traced;

pub use observers::Observers;
pub use outcome::{Outcome, milliseconds};
pub use panics::panic_message;
