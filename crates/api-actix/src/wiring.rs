//! Puts the parts together.
//!
//! A process has one [`Storage`]; each worker thread gets an [`App`] of its own from it, because the connections to
//! PostgreSQL live on the worker that uses them.

use std::sync::Arc;

use adapters_jwt::{HttpKeySet, JwtVerifier};
use domain::identity::TokenVerifier;
use domain::task::TaskService;

use adapters_http::state::{App, Lifecycle};
use domain::chain;

use crate::clock_and_ids::{RandomTaskIds, SystemClock};
use crate::config::tls;
use crate::config::{ConfigError, ObserveConfig, TokenConfig};
use crate::failure::Failure;
use crate::storage::Storage;
use crate::telemetry;
use adapters_http::observe::Observers;
use adapters_http::observe::metrics::Metrics;
#[cfg(feature = "otel")]
use adapters_http::observe::otel::Otel;
use adapters_http::observe::snapshot::{KeyMetrics, Snapshot};
use adapters_http::observe::spans::{Collector, Spans};
use adapters_http::observe::traced::Traced;
use adapters_http::policy::Policy;
use adapters_http::policy::time_limits::TimeLimits;
use adapters_http::readiness::Readiness;

/// Everything that workers share.
#[derive(Clone)]
pub(crate) struct Wiring {
    storage: Storage,
    tokens: Arc<JwtVerifier>,
    ids: Arc<RandomTaskIds>,
    lifecycle: Arc<Lifecycle>,
    policy: Policy,
    observers: Arc<Observers>,
}

impl Wiring {
    /// Puts a database, the rules for tokens and those for requests together. Public keys are fetched on the runtime
    /// that calls this, which is to live as long as the process.
    ///
    /// # Errors
    /// The HTTP client for the public keys cannot be made.
    pub(crate) fn new(
        storage: Storage,
        tokens: TokenConfig,
        policy: Policy,
        lifecycle: Arc<Lifecycle>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            storage,
            tokens: Arc::new(verifier(tokens)?),
            ids: Arc::default(),
            lifecycle,
            policy,
            observers: Arc::default(),
        })
    }

    /// How long everything may take.
    pub(crate) fn time_limits(&self) -> TimeLimits {
        self.policy.time_limits
    }

    /// Tells these about requests.
    #[must_use]
    pub(crate) fn observed_by(self, observers: Arc<Observers>) -> Self {
        Self { observers, ..self }
    }

    /// How the database and the public keys are used right now.
    #[must_use]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            keys: self.tokens.key_set_stats().map(|keys| KeyMetrics {
                keys: keys.keys,
                age: keys.age,
                fetches: keys.fetches,
                failures: keys.failures,
            }),
            lost_lines: telemetry::lost_lines(),
            unsent: self.policy.unsent.metrics(),
            ..self.storage.snapshot()
        }
    }

    /// The application of the worker that calls this.
    #[must_use]
    pub(crate) fn app(&self) -> App {
        let (mut repository, health) = self.storage.worker();
        let mut tokens: Arc<dyn TokenVerifier> = self.tokens.clone();
        if self.observers.want_calls() {
            repository = Arc::new(Traced::new(repository));
            tokens = Arc::new(Traced::new(tokens));
        }
        App {
            tasks: TaskService::new(repository, Arc::new(SystemClock), Arc::clone(&self.ids) as _),
            tokens,
            storage: health,
            readiness: Readiness::default(),
            lifecycle: Arc::clone(&self.lifecycle),
            policy: self.policy.clone(),
            observers: Arc::clone(&self.observers),
        }
    }
}

/// The observers that the settings ask for, of requests that use this kind of database.
///
/// # Errors
/// The collector has no usable address.
pub(crate) fn observers(config: &ObserveConfig, database: &'static str) -> Result<Observers, ConfigError> {
    let metrics = config.admin_address.as_ref();
    Ok(Observers {
        metrics: metrics.map(|_| Arc::new(Metrics::default())),
        access_log: config.access_log,
        server_timing: config.server_timing,
        spans: match &config.collector {
            Some(collector) => spans(collector, database)?,
            None => None,
        },
    })
}

#[cfg(feature = "otel")]
fn spans(collector: &Collector, database: &'static str) -> Result<Option<Arc<dyn Spans>>, ConfigError> {
    match Otel::start(collector, database) {
        Ok(spans) => Ok(Some(Arc::new(spans))),
        Err(error) => Err(ConfigError::new("OTEL_EXPORTER_OTLP_ENDPOINT", error.to_string())),
    }
}

#[cfg(not(feature = "otel"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as with the feature")]
fn spans(_: &Collector, _: &'static str) -> Result<Option<Arc<dyn Spans>>, ConfigError> {
    tracing::warn!(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this binary was built without the feature otel: no spans are sent"
    );
    Ok(None)
}

fn verifier(tokens: TokenConfig) -> Result<JwtVerifier, Failure> {
    let mut verifier = JwtVerifier::new(tokens.rules, Arc::new(SystemClock));
    if let Some(reload) = tokens.reload {
        verifier = verifier.with_changing_secrets(reload);
    }
    let Some(key_set) = tokens.key_set else {
        return Ok(verifier);
    };
    let source = HttpKeySet::at(key_set.url.clone(), tls::client_config())
        .map_err(|error| Failure::unavailable(chain(&error)))?;
    Ok(verifier.with_key_set(key_set, source))
}
