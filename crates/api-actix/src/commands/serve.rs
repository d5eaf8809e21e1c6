//! The whole process while it serves: the server, and beside it whatever operators have asked for.

use std::sync::Arc;

use crate::config::{Config, ConfigError};
use crate::failure::{Failure, hint};
use crate::storage::Storage;
use crate::telemetry::LogLevel;
use crate::wiring::{self, Wiring};
use adapters_http::admin::{Admin, AdminState};
use adapters_http::observe::Observers;
use adapters_http::policy::own_host::OwnHost;
use adapters_http::server::{Bound, Server};
use adapters_http::state::Lifecycle;

/// A server that listens, with its listener for operators if there is one.
pub(crate) struct Running {
    server: Server,
    admin: Option<Admin>,
    observers: Arc<Observers>,
    storage: Storage,
}

impl Running {
    /// Everything between reading the settings and serving.
    pub(crate) async fn start(config: Config, log_level: LogLevel) -> Result<Self, Failure> {
        // First, so that a port that is taken leaves the schema as it is; a load balancer does not find us yet.
        let bound = Bound::of(&config.http)?;
        let (storage, info) = Storage::open(&config.database, config.http.workers).await?;
        info.log();
        if config.database.migrate_on_start {
            let applied = storage.migrate(config.database.startup_timeout).await?;
            if !applied.is_empty() {
                tracing::info!(migrations = applied.join(", "), "schema brought up to date");
            }
        } else {
            info.warn_about_pending_migrations();
        }
        let lifecycle = Arc::new(Lifecycle::default());
        let observers = Arc::new(wiring::observers(&config.observe, info.kind)?);
        let wiring = Wiring::new(
            storage.clone(),
            config.tokens,
            config.policy,
            Arc::clone(&lifecycle),
        )?;
        let wiring = wiring.observed_by(Arc::clone(&observers));
        let limits = wiring.time_limits();
        let server = {
            let wiring = wiring.clone();
            Server::listen(bound, &config.http, limits, lifecycle, move || wiring.app())?
        };
        let admin = match (observers.metrics.clone(), config.observe.admin_address) {
            (Some(metrics), Some(address)) => {
                let state = AdminState {
                    metrics,
                    snapshot: Arc::new(move || wiring.snapshot()),
                    log_level: Arc::new(log_level),
                    own_host: OwnHost::of_address(&address),
                };
                Some(Admin::listen(&address, limits, state).map_err(|error| {
                    let hint = hint(&error, "ADMIN_ADDR");
                    ConfigError::new("ADMIN_ADDR", format!("cannot be listened on: {error}{hint}"))
                })?)
            }
            _ => None,
        };
        if let Some(admin) = &admin {
            tracing::info!(url = admin.url(), "listening for operators");
        }
        Ok(Self {
            server,
            admin,
            observers,
            storage,
        })
    }

    /// Where the API listens, as the start of a URL.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// Serves until the process is told to stop. Operators are answered and spans are sent to the end. Then the
    /// database is closed: workers may hold it for longer than the process lives.
    ///
    /// # Errors
    /// The server broke down.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let outcome = self.server.run().await;
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
        self.observers.flush().await;
        self.storage.close().await;
        outcome.map_err(Failure::from)
    }
}
