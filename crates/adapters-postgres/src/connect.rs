//! Establishing connections: TLS, time limits, start-up options, and what it means when none is to be had.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::explain_old_poolers;
use crate::handle::{Beginning, Handle, Health, Silence, watch};
use crate::lanes::Lane;
use crate::probe::Inquiry;
use crate::url::DatabaseUrl;

/// How long establishing may take unless the settings say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// The same towards a server that may be asleep.
const WAKE_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an attempt to connect may take before another one begins beside it.
const SLOW_ATTEMPT: Duration = Duration::from_millis(600);

/// Makes connections to one database.
pub(crate) struct Connector {
    pub(crate) url: DatabaseUrl,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    timeout: Duration,
    /// How many attempts for one connection may be under way. A server that may be asleep gets one: it answers when it wakes
    /// up, and its host counts attempts.
    most_attempts: usize,
    silence: Arc<Silence>,
    // Set once a pooler has refused our start-up options; it would refuse them every time.
    options_are_refused: AtomicBool,
}

/// What it takes to make one connection.
#[derive(Clone)]
struct Attempt {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    silence: Arc<Silence>,
    has_limits: bool,
}

impl Attempt {
    async fn establish(self) -> Result<Handle, ConnectError> {
        let started = Instant::now();
        let (client, health) = self.open().await?;
        let connection = AsyncPgConnection::try_from(client).await.map_err(|error| {
            explain_old_poolers(&error.to_string());
            ConnectError::Setup(error)
        })?;
        let beginning = Beginning {
            took: started.elapsed(),
            has_limits: self.has_limits,
            tls: self.tls,
        };
        Ok(Handle::new(connection, health, &self.silence, beginning))
    }

    async fn open(&self) -> Result<(Client, Arc<Health>), ConnectError> {
        if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await?;
            Ok((client, watch(connection)))
        } else {
            let (client, connection) = self.config.connect(NoTls).await?;
            Ok((client, watch(connection)))
        }
    }
}

/// What the server does to statements of a connection that take too long; our own limits come on top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerLimits {
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Option<Duration>,
}

impl ServerLimits {
    /// A search through everything that a user has takes one core of the server, not all of them: others are there too.
    const ONE_CORE: &str = "-c max_parallel_workers_per_gather=0";

    fn as_options(self) -> String {
        let statement_timeout = self.statement_timeout.as_millis();
        let options = format!("{} -c statement_timeout={statement_timeout}", Self::ONE_CORE);
        match self.lock_timeout {
            Some(limit) => format!("{options} -c lock_timeout={}", limit.as_millis()),
            None => options,
        }
    }
}

impl Connector {
    pub(crate) fn new(
        url: &DatabaseUrl,
        tls_config: fn() -> ClientConfig,
        connect_timeout: Option<Duration>,
    ) -> Self {
        let default = if url.may_be_asleep() {
            WAKE_UP_TIMEOUT
        } else {
            CONNECT_TIMEOUT
        };
        let timeout = connect_timeout.unwrap_or(default);
        let mut config = url.config().clone();
        if config.get_connect_timeout().is_none() {
            // Of one address: should it be silent, there is time left for the next one.
            config.connect_timeout(timeout / 2);
        }
        Self {
            tls: url.uses_tls().then(|| MakeRustlsConnect::new(tls_config())),
            url: url.clone(),
            config,
            timeout,
            most_attempts: if url.may_be_asleep() { 1 } else { 3 },
            silence: Arc::new(Silence::new()),
            options_are_refused: AtomicBool::new(false),
        }
    }

    /// A connection for the lanes. Its task runs on the runtime that calls this.
    pub(crate) async fn connect(&self, limits: ServerLimits) -> Result<Handle, ConnectError> {
        if !self.refuses_options() {
            match self.establish(&self.config_with(limits), true).await {
                Err(error) if error.is_about_options() => self.remember_refused_options(),
                answer => return answer,
            }
        }
        self.establish(&self.config, false).await
    }

    /// Whether start-up options are refused, as far as is known.
    pub(crate) fn refuses_options(&self) -> bool {
        self.options_are_refused.load(Ordering::Relaxed)
    }

    fn config_with(&self, limits: ServerLimits) -> Config {
        let mut config = self.config.clone();
        let own = limits.as_options();
        let options = config
            .get_options()
            .map_or_else(|| own.clone(), |given| format!("{given} {own}"));
        config.options(options);
        config
    }

    /// A connection without limits, for work at start-up.
    pub(crate) async fn connect_without_limits(&self) -> Result<Handle, ConnectError> {
        self.establish(&self.config, false).await
    }

    /// A connection for a few questions. Finds out whether start-up options are taken.
    pub(crate) async fn inquire(&self) -> Result<Inquiry, ConnectError> {
        if !self.refuses_options() {
            let config = self.config_with(Lane::Work.server_limits());
            match self.in_time(self.attempt(&config, true).open()).await {
                Err(error) if error.is_about_options() => self.remember_refused_options(),
                opened => return Ok(Inquiry::over(opened?.0, self.timeout)),
            }
        }
        let (client, _) = self.in_time(self.attempt(&self.config, false).open()).await?;
        Ok(Inquiry::over(client, self.timeout))
    }

    async fn establish(&self, config: &Config, has_limits: bool) -> Result<Handle, ConnectError> {
        self.in_time(self.first_of_several(&self.attempt(config, has_limits)))
            .await
    }

    /// An attempt that hears nothing is left alone, and another one begins beside it: what it was sent to may have gone, while
    /// a new one would be answered at once.
    async fn first_of_several(&self, attempt: &Attempt) -> Result<Handle, ConnectError> {
        let mut attempts = JoinSet::new();
        loop {
            if attempts.len() < self.most_attempts {
                attempts.spawn(attempt.clone().establish());
            }
            match timeout(SLOW_ATTEMPT, attempts.join_next()).await {
                Ok(Some(Ok(outcome))) => return outcome,
                // None of them panics, and there is always one.
                Ok(Some(Err(_)) | None) => return Err(ConnectError::TimedOut(self.timeout)),
                Err(_) => {}
            }
        }
    }

    fn attempt(&self, config: &Config, has_limits: bool) -> Attempt {
        Attempt {
            config: config.clone(),
            tls: self.tls.clone(),
            silence: Arc::clone(&self.silence),
            has_limits,
        }
    }

    async fn in_time<T>(
        &self,
        attempt: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        // It is large, and connecting is rare.
        timeout(self.timeout, Box::pin(attempt))
            .await
            .unwrap_or(Err(ConnectError::TimedOut(self.timeout)))
    }

    fn remember_refused_options(&self) {
        if !self.options_are_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the database does not take start-up options, as poolers do not: set the limits on the role instead \
                 (ALTER ROLE ... SET, as docs/operations/scaling.md has it)"
            );
        }
    }
}

const REFUSALS: [SqlState; 3] = [
    SqlState::INVALID_PASSWORD,
    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    SqlState::INVALID_CATALOG_NAME,
];
/// What Neon's proxy says, with no code of its own, when waiting does not help. The last one with a capital or without.
const REFUSALS_OF_NEON: [&str; 3] = [
    "endpoint is disabled",
    "endpoint cannot be found",
    "ndpoint ID is not specified",
];

/// Why no connection could be established. Shows no credentials.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// It took too long, from the first packet to the last of authentication.
    #[error("connecting took longer than {0:?}")]
    TimedOut(Duration),
    /// The network, TLS or the server said no.
    #[error("{}", described(.0))]
    Failed(tokio_postgres::Error),
    /// The first statements on the connection failed.
    #[error("setting up the connection failed: {0}")]
    Setup(diesel::ConnectionError),
}

// By hand: what is described with its source must not have it as a source as well, or it is told twice.
impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error)
    }
}

impl ConnectError {
    /// Whether trying again is of no use: a wrong or missing password, a role or database that does not exist, a
    /// certificate that we do not trust, a server without TLS, an endpoint that Neon does not know or has disabled.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        match error.as_db_error() {
            Some(server) => {
                REFUSALS.contains(server.code())
                    || REFUSALS_OF_NEON
                        .iter()
                        .any(|text| server.message().contains(text))
            }
            // The driver tells these kinds by their texts only. First: the server asks for something that the URL does
            // not have; or cannot prove itself as the URL asks.
            None => match error.to_string().as_str() {
                "invalid configuration" | "authentication error" => true,
                "error performing TLS handshake" => is_final(error),
                _ => false,
            },
        }
    }

    /// PgBouncer says `unsupported startup parameter: …` or `unsupported startup parameter in options: …`.
    fn is_about_options(&self) -> bool {
        match self {
            Self::Failed(error) => error
                .as_db_error()
                .is_some_and(|error| error.message().contains("unsupported startup parameter")),
            Self::TimedOut(_) | Self::Setup(_) => false,
        }
    }
}

/// Whether a failure of TLS is one that time does not cure. A failure of the network is an error of input and output
/// with nothing inside; what we think of a certificate comes wrapped in one.
fn is_final(failure: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(failure);
    let Some(io_error) = source.and_then(|source| source.downcast_ref::<io::Error>()) else {
        // The driver's own words: the server does not speak TLS.
        return true;
    };
    let rustls_error = io_error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(rustls_error, Some(rustls::Error::InvalidCertificate(_)))
}

fn described(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("SQLSTATE {}: {}", server.code().code(), server.message()),
        None => std::error::Error::source(error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    }
}
