//! How the database is used right now, as plain numbers for anyone who watches the process.

/// Both lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Where reads wait and are done.
    pub reads: LaneStats,
    /// Where writes wait and are done.
    pub writes: LaneStats,
    /// Calls of users that use or wait for the database.
    pub in_flight: usize,
    /// How many there may be.
    pub max_in_flight: usize,
}

/// One lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStats {
    /// Connections, each with a thread of its own.
    pub connections: usize,
    /// Calls that wait for one.
    pub waiting: usize,
    /// Calls that have waited for their answer in vain since the start.
    pub timeouts: u64,
}
