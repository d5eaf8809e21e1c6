//! How long a client, and we, may take.

use std::time::Duration;

/// The times after which nothing is waited for any more. The defaults are those of the contract; tests set shorter
/// ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// From the start of a connection to the end of the first head (408).
    pub head: Duration,
    /// From the end of a head to the end of its body (408).
    pub body: Duration,
    /// From the end of a head to the response (503).
    pub request: Duration,
    /// From the first byte of a request to the first of its response (the connection ends). Longer than a head and a
    /// request together.
    pub exchange: Duration,
    /// How long responses wait for space before it is judged how fast the client takes them in (the connection of a
    /// slow one ends).
    pub slow_reader: Duration,
    /// From a response to the next request (the connection ends).
    pub keep_alive: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            body: Duration::from_secs(10),
            request: Duration::from_secs(12),
            exchange: Duration::from_secs(20),
            slow_reader: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
        }
    }
}
