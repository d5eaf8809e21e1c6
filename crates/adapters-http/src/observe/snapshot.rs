//! The metrics that are looked up when they are asked for: what is running, and how the database and the public
//! keys are used.

use std::time::Duration;

use metrics::{counter, gauge};

/// The label of the semantic conventions that tells pools apart.
const POOL: &str = "db_client_connection_pool_name";

/// How the adapters are used at one moment, whichever they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The pools of the database, in a fixed order.
    pub pools: Vec<PoolMetrics>,
    /// Operations that use the database or wait for it, and the most that may; for a database that counts them.
    pub in_flight: Option<(usize, usize)>,
    /// Statements that ran once more; for a database whose connections can break.
    pub retries: Option<RetryMetrics>,
    /// The bytes that responses hold and that are not sent yet.
    pub unsent: UnsentMetrics,
    /// Lines of the log that were never written.
    pub lost_lines: LostLines,
    /// The public keys that verify tokens, if there are any to fetch.
    pub keys: Option<KeyMetrics>,
}

/// The connections for one kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMetrics {
    /// `read` or `work`.
    pub name: &'static str,
    /// Open connections that are free, and those that are in use; for a pool that tells them apart.
    pub connections: Option<(u32, u32)>,
    /// The most connections that requests may open.
    pub max: u32,
    /// Operations that wait for one.
    pub waiting: usize,
    /// Operations that have waited in vain since the start.
    pub timeouts: u64,
}

/// Statements whose connection broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryMetrics {
    /// Those that ran once more, since the start.
    pub run: u64,
    /// Those that did not, because there had been too many.
    pub denied: u64,
    /// How many more may right now.
    pub budget: u32,
}

/// The public keys that verify tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetrics {
    /// How many there are.
    pub keys: usize,
    /// How long ago they were fetched.
    pub age: Duration,
    /// How often they were fetched, since the start.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

/// The bytes that responses hold and that are not sent yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnsentMetrics {
    /// Bytes that are held right now.
    pub bytes: usize,
    /// The most that may be.
    pub max: usize,
    /// Reads that were refused since the start.
    pub refused: u64,
}

/// Lines of the log that were lost since the start, because no one took them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LostLines {
    /// Of the audit log.
    pub audit: u64,
    /// Of everything else.
    pub others: u64,
}

impl Snapshot {
    /// Tells the recorder of this thread.
    pub(super) fn record(&self) {
        gauge!(
            description: "Always 1; the labels say what is running",
            "task_api_build_info", "version" => env!("CARGO_PKG_VERSION")
        )
        .set(1);
        self.pools.iter().for_each(PoolMetrics::record);
        if let Some((now, max)) = self.in_flight {
            gauge!(description: "Operations that use the database or wait for it", "db_operations_in_flight")
                .set(float(now));
            gauge!(description: "The most operations that may do so at once", "db_operations_in_flight_max")
                .set(float(max));
        }
        if let Some(retries) = &self.retries {
            retries.record();
        }
        self.unsent.record();
        for (kind, count) in [
            ("audit", self.lost_lines.audit),
            ("other", self.lost_lines.others),
        ] {
            counter!(
                description: "Lines of the log that were lost because no one took them, by kind",
                "log_lines_lost_total", "kind" => kind
            )
            .absolute(count);
        }
        if let Some(keys) = &self.keys {
            keys.record();
        }
    }
}

impl PoolMetrics {
    fn record(&self) {
        if let Some((idle, used)) = self.connections {
            for (state, count) in [("idle", idle), ("used", used)] {
                gauge!(
                    description: "Open connections to the database, by state",
                    "db_client_connection_count", POOL => self.name, "db_client_connection_state" => state
                )
                .set(count);
            }
        }
        gauge!(
            description: "The most connections that requests may open",
            "db_client_connection_max", POOL => self.name
        )
        .set(self.max);
        gauge!(
            description: "Operations that wait for a connection",
            "db_client_connection_pending_requests", POOL => self.name
        )
        .set(float(self.waiting));
        counter!(
            description: "Operations that have waited for a connection in vain",
            "db_client_connection_timeouts_total", POOL => self.name
        )
        .absolute(self.timeouts);
    }
}

impl RetryMetrics {
    fn record(&self) {
        for (outcome, count) in [("run", self.run), ("denied", self.denied)] {
            counter!(
                description: "Statements whose connection broke, by whether they ran once more",
                "db_retries_total", "outcome" => outcome
            )
            .absolute(count);
        }
        gauge!(description: "How many more statements may run once more right now", "db_retry_budget")
            .set(self.budget);
    }
}

impl UnsentMetrics {
    fn record(self) {
        gauge!(
            description: "Bytes that answers hold and that are not sent yet",
            "http_server_unsent_bytes"
        )
        .set(float(self.bytes));
        gauge!(
            description: "The most bytes that answers may hold before reads are refused",
            "http_server_unsent_bytes_max"
        )
        .set(float(self.max));
        counter!(
            description: "Reads refused because too many answers wait to be read",
            "http_server_unsent_refusals_total"
        )
        .absolute(self.refused);
    }
}

impl KeyMetrics {
    fn record(&self) {
        gauge!(description: "Public keys that verify tokens", "jwks_keys").set(float(self.keys));
        gauge!(description: "How long ago the public keys were fetched, in seconds", "jwks_age_seconds")
            .set(self.age);
        for (outcome, count) in [("success", self.fetches), ("failure", self.failures)] {
            counter!(
                description: "How often the public keys were fetched, by outcome",
                "jwks_fetches_total", "outcome" => outcome
            )
            .absolute(count);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to nine thousand million million"
)]
fn float(count: usize) -> f64 {
    count as f64
}
