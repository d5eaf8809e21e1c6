//! The operator's settings for the database.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use crate::url::DatabaseUrl;

/// How to use the database.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Where migrations run, if not there: the direct address behind a pooler.
    pub migration_url: Option<DatabaseUrl>,
    /// Reads the address anew, if its user name and password may change while the process runs.
    pub reload: Option<Reload>,
    /// The public certificates and those of the machine, asked only if an address demands TLS and names no others.
    pub authorities: fn() -> RootCertStore,
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

/// Reads the address of the database anew, for every new connection: hosting services change passwords while the
/// process runs, some of them every 15 minutes. Only the user name and the password count; whatever else changed, such
/// as the host, waits for a restart. An address that cannot be read leaves those that were read last.
#[derive(Clone)]
pub struct Reload(Arc<dyn Fn() -> ReadAddress + Send + Sync>);

type ReadAddress = Result<DatabaseUrl, Box<dyn Error + Send + Sync>>;

impl Reload {
    /// Reads with this function, which may block for a moment. Its error is logged, so it must not show a password.
    pub fn with(read: impl Fn() -> ReadAddress + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn read(&self) -> ReadAddress {
        (self.0)()
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}
