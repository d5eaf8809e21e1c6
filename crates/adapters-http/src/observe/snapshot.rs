//! The figures that are looked up when somebody asks for them: what is running, and how the database and the public
//! keys are used.

use std::time::Duration;

use super::text::{Text, bare, labelled};

/// The label of the semantic conventions that tells pools apart.
const POOL: &str = "db_client_connection_pool_name";

/// How the adapters are used at one moment, whichever they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The pools of the database, in a fixed order.
    pub pools: Vec<PoolFigures>,
    /// Operations that use the database or wait for it, and the most that may; for a database that counts them.
    pub in_flight: Option<(usize, usize)>,
    /// Statements that ran once more; for a database whose connections can break.
    pub retries: Option<RetryFigures>,
    /// What answers hold that is not sent yet.
    pub unsent: UnsentFigures,
    /// Lines of the log that nobody took.
    pub lost_lines: LostLines,
    /// The public keys that verify tokens, if there are any to fetch.
    pub keys: Option<KeyFigures>,
}

/// The connections for one kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFigures {
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
pub struct RetryFigures {
    /// Those that ran once more, since the start.
    pub run: u64,
    /// Those that did not, because there had been too many.
    pub denied: u64,
    /// How many more may right now.
    pub budget: u32,
}

/// The public keys that verify tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFigures {
    /// How many there are.
    pub keys: usize,
    /// How long ago they were fetched.
    pub age: Duration,
    /// How often they were fetched, since the start.
    pub fetches: u64,
    /// How often that failed.
    pub failures: u64,
}

/// What answers hold that is not sent yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnsentFigures {
    /// Bytes that are held right now.
    pub bytes: usize,
    /// The most that may be.
    pub max: usize,
    /// Reads that were refused since the start.
    pub refused: u64,
}

/// Lines of the log that were lost since the start, because nobody took them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LostLines {
    /// Of the audit log.
    pub audit: u64,
    /// Of everything else.
    pub others: u64,
}

impl Snapshot {
    pub(super) fn render(&self, text: &mut Text) {
        let version = labelled("version", env!("CARGO_PKG_VERSION"), 1);
        text.gauge(
            "task_api_build_info",
            "Always 1; the labels say what is running",
            [version],
        );
        render_pools(&self.pools, text);
        if let Some((now, max)) = self.in_flight {
            let help = "Operations that use the database or wait for it";
            text.gauge("db_operations_in_flight", help, [bare(now)]);
            let help = "The most operations that may do so at once";
            text.gauge("db_operations_in_flight_max", help, [bare(max)]);
        }
        if let Some(retries) = &self.retries {
            let outcomes = [("run", retries.run), ("denied", retries.denied)];
            text.counter(
                "db_retries_total",
                "Statements whose connection broke, by whether they ran once more",
                outcomes.map(|(outcome, count)| labelled("outcome", outcome, count)),
            );
            let help = "How many more statements may run once more right now";
            text.gauge("db_retry_budget", help, [bare(retries.budget)]);
        }
        let help = "Bytes that answers hold and that are not sent yet";
        text.gauge("http_server_unsent_bytes", help, [bare(self.unsent.bytes)]);
        let help = "The most bytes that answers may hold before reads are refused";
        text.gauge("http_server_unsent_bytes_max", help, [bare(self.unsent.max)]);
        let help = "Reads refused because too many answers wait to be read";
        text.counter(
            "http_server_unsent_refusals_total",
            help,
            [bare(self.unsent.refused)],
        );
        let help = "Lines of the log that were lost because nobody took them, by kind";
        let kinds = [
            ("audit", self.lost_lines.audit),
            ("other", self.lost_lines.others),
        ];
        let kinds = kinds.map(|(kind, count)| labelled("kind", kind, count));
        text.counter("log_lines_lost_total", help, kinds);
        if let Some(keys) = &self.keys {
            let help = "Public keys that verify tokens";
            text.gauge("jwks_keys", help, [bare(keys.keys)]);
            let help = "How long ago the public keys were fetched, in seconds";
            text.gauge("jwks_age_seconds", help, [bare(keys.age.as_secs_f64())]);
            let outcomes = [("success", keys.fetches), ("failure", keys.failures)];
            text.counter(
                "jwks_fetches_total",
                "How often the public keys were fetched, by outcome",
                outcomes.map(|(outcome, count)| labelled("outcome", outcome, count)),
            );
        }
    }
}

fn render_pools(pools: &[PoolFigures], text: &mut Text) {
    let states = pools
        .iter()
        .filter_map(|pool| Some((pool.name, pool.connections?)))
        .flat_map(|(pool, (idle, used))| [(pool, "idle", idle), (pool, "used", used)])
        .map(|(pool, state, count)| {
            let labels = format!("{POOL}=\"{pool}\",db_client_connection_state=\"{state}\"");
            (labels, count)
        });
    let help = "Open connections to the database, by state";
    text.gauge("db_client_connection_count", help, states);
    let max = pools.iter().map(|pool| labelled(POOL, pool.name, pool.max));
    let help = "The most connections that requests may open";
    text.gauge("db_client_connection_max", help, max);
    let waiting = pools.iter().map(|pool| labelled(POOL, pool.name, pool.waiting));
    let help = "Operations that wait for a connection";
    text.gauge("db_client_connection_pending_requests", help, waiting);
    let timeouts = pools.iter().map(|pool| labelled(POOL, pool.name, pool.timeouts));
    let help = "Operations that have waited for a connection in vain";
    text.counter("db_client_connection_timeouts_total", help, timeouts);
}
