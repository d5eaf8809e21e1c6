//! What an operator decides about the database.

use std::time::Duration;

use rustls::ClientConfig;

use crate::url::DatabaseUrl;

/// How to use the database.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Where migrations run, if not there: the direct address behind a pooler.
    pub migration_url: Option<DatabaseUrl>,
    /// Whom to trust, asked only if an address demands TLS.
    pub tls_config: fn() -> ClientConfig,
    /// How long establishing a connection may take, from the first packet to the last of authentication. `None`
    /// is 2.5 s, and 10 s towards Neon, which may be asleep.
    pub connect_timeout: Option<Duration>,
    /// How long an operation may wait for a connection.
    pub acquire_timeout: Duration,
    /// The most connections of one worker's work lane. Its read lane has one more.
    pub work_lane_size: u32,
    /// The most operations of this process that may use or wait for the database at once.
    pub max_in_flight: usize,
}
