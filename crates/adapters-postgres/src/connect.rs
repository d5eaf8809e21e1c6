//! Establishing connections: TLS, time limits and start-up options.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use rustls::RootCertStore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connect_error::ConnectError;
use crate::error::explain_old_poolers;
use crate::handle::{Beginning, Handle, Silence};
use crate::health::Health;
use crate::inquiry::Inquiry;
use crate::settings::Reload;
use crate::transport::Transport;
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
    reload: Option<Reload>,
    /// The address as it was read last.
    last_read: Mutex<Option<DatabaseUrl>>,
    // Each is logged once, until it is over.
    cannot_reload: AtomicBool,
    has_moved: AtomicBool,
    transports: Arc<[Transport]>,
    timeout: Duration,
    /// How many attempts for one connection may be under way. A server that may be asleep gets one: it answers when it
    /// wakes up, and its host counts attempts.
    most_attempts: usize,
    silence: Arc<Silence>,
    // Set once a pooler has refused our start-up options; it would refuse them every time.
    options_are_refused: AtomicBool,
}

/// The means to make one connection.
#[derive(Clone)]
struct Attempt {
    config: Config,
    transports: Arc<[Transport]>,
    silence: Arc<Silence>,
    has_limits: bool,
}

/// A connection before diesel has it.
struct Opened {
    client: Client,
    health: Arc<Health>,
    transport: Transport,
}

impl Attempt {
    async fn establish(self) -> Result<Handle, ConnectError> {
        let started = Instant::now();
        let Opened {
            client,
            health,
            transport,
        } = self.open().await?;
        let connection = AsyncPgConnection::try_from(client).await.map_err(|error| {
            explain_old_poolers(&error.to_string());
            ConnectError::Setup(error)
        })?;
        let beginning = Beginning {
            took: started.elapsed(),
            has_limits: self.has_limits,
            transport,
        };
        Ok(Handle::new(connection, health, &self.silence, beginning))
    }

    /// Tries each transport in turn.
    async fn open(&self) -> Result<Opened, ConnectError> {
        let mut failure = ConnectError::TimedOut(Duration::ZERO);
        for transport in self.transports.iter() {
            match transport.open(&self.config).await {
                Ok((client, health)) => {
                    return Ok(Opened {
                        client,
                        health,
                        transport: transport.clone(),
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The server's limits for statements of a connection; our own limits come on top.
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

/// A connection of some kind.
trait Connection: Sized {
    async fn open(connector: &Connector, config: &Config, has_limits: bool) -> Result<Self, ConnectError>;
}

impl Connection for Handle {
    async fn open(connector: &Connector, config: &Config, has_limits: bool) -> Result<Self, ConnectError> {
        let attempt = connector.attempt(config, has_limits);
        connector.in_time(connector.first_of_several(&attempt)).await
    }
}

impl Connection for Inquiry {
    async fn open(connector: &Connector, config: &Config, has_limits: bool) -> Result<Self, ConnectError> {
        let attempt = connector.attempt(config, has_limits);
        let opened = connector.in_time(attempt.open()).await?;
        Ok(Self::over(opened.client, connector.timeout))
    }
}

impl Connector {
    pub(crate) fn new(
        url: &DatabaseUrl,
        reload: Option<Reload>,
        authorities: fn() -> RootCertStore,
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
        let transports = if url.uses_tls() {
            let tls = url.trust().client_config(authorities);
            vec![Transport::tls(MakeRustlsConnect::new(tls))]
        } else {
            Transport::plain(&mut config)
        };
        Self {
            transports: transports.into(),
            url: url.clone(),
            config,
            reload,
            last_read: Mutex::default(),
            cannot_reload: AtomicBool::new(false),
            has_moved: AtomicBool::new(false),
            timeout,
            most_attempts: if url.may_be_asleep() { 1 } else { 3 },
            silence: Arc::new(Silence::new()),
            options_are_refused: AtomicBool::new(false),
        }
    }

    /// A connection for the lanes. Its task runs on the runtime that calls this.
    pub(crate) async fn connect(&self, limits: ServerLimits) -> Result<Handle, ConnectError> {
        self.open(Some(limits)).await
    }

    /// A connection with the credentials of now. A login that is refused with credentials that change meanwhile is
    /// tried once more.
    async fn open<T: Connection>(&self, limits: Option<ServerLimits>) -> Result<T, ConnectError> {
        let config = self.current_config().await;
        match self.open_as(&config, limits).await {
            Err(error) if error.is_about_login() => {
                let anew = self.current_config().await;
                if has_same_credentials(&config, &anew) {
                    return Err(error);
                }
                self.open_as(&anew, limits).await
            }
            outcome => outcome,
        }
    }

    async fn open_as<T: Connection>(
        &self,
        config: &Config,
        limits: Option<ServerLimits>,
    ) -> Result<T, ConnectError> {
        match limits {
            Some(limits) if !self.refuses_options() => self.with_or_without(config, limits).await,
            _ => T::open(self, config, false).await,
        }
    }

    /// With these limits as start-up options, or without options where the server refuses them, which is remembered.
    ///
    /// A refusal of another kind may pass by itself between two attempts. So, unless the words of the server leave no
    /// doubt, options count as refused only if they are refused once more after the server took a connection without
    /// them.
    async fn with_or_without<T: Connection>(
        &self,
        config: &Config,
        limits: ServerLimits,
    ) -> Result<T, ConnectError> {
        let with_limits = with_options(config, limits);
        let refusal = match T::open(self, &with_limits, true).await {
            Err(error) if error.may_be_about_options() => error,
            outcome => return outcome,
        };
        let without = T::open(self, config, false).await?;
        if !refusal.is_about_options() {
            match T::open(self, &with_limits, true).await {
                Err(error) if error.may_be_about_options() => {}
                Err(_) => return Ok(without),
                with => return with,
            }
        }
        self.remember_refused_options();
        Ok(without)
    }

    /// The configuration of a connection that begins now: with the user name and the password that its address has now.
    async fn current_config(&self) -> Config {
        let Some(reload) = self.reload.clone() else {
            return self.config.clone();
        };
        // It reads a file. A panic of the function is as good as an error.
        let read = spawn_blocking(move || reload.read()).await;
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        match read.map_err(Into::into).and_then(|read| read) {
            Ok(url) => {
                self.cannot_reload.store(false, Ordering::Relaxed);
                if url.is_same_database_as(&self.url) {
                    self.has_moved.store(false, Ordering::Relaxed);
                } else if !self.has_moved.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "the address of the database names another host, port or database now: restart to move there; until \
                         then only its user name and password are used"
                    );
                }
                *last = Some(url);
            }
            Err(error) => {
                if !self.cannot_reload.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the address of the database cannot be read anew; the one before is used");
                }
            }
        }
        let mut config = self.config.clone();
        if let Some(url) = last.as_ref() {
            if let Some(user) = url.config().get_user() {
                config.user(user);
            }
            if let Some(password) = url.config().get_password() {
                config.password(password);
            }
        }
        config
    }

    /// Whether start-up options are refused, as far as is known.
    pub(crate) fn refuses_options(&self) -> bool {
        self.options_are_refused.load(Ordering::Relaxed)
    }

    /// A connection without limits, for work at start-up.
    pub(crate) async fn connect_without_limits(&self) -> Result<Handle, ConnectError> {
        self.open(None).await
    }

    /// A connection for a few questions, with these limits if they can be had. Finds out whether start-up options are
    /// taken.
    pub(crate) async fn inquire(&self, limits: ServerLimits) -> Result<Inquiry, ConnectError> {
        self.open(Some(limits)).await
    }

    /// An attempt that hears nothing is left alone, and another one begins beside it: what it was sent to may have
    /// gone, while a new one would be answered at once.
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
            transports: Arc::clone(&self.transports),
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

fn with_options(config: &Config, limits: ServerLimits) -> Config {
    let mut config = config.clone();
    let own = limits.as_options();
    let options = config
        .get_options()
        .map_or_else(|| own.clone(), |given| format!("{given} {own}"));
    config.options(options);
    config
}

fn has_same_credentials(one: &Config, other: &Config) -> bool {
    one.get_user() == other.get_user() && one.get_password() == other.get_password()
}
