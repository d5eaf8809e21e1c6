//! Puts the parts together.
//!
//! A process has one [`Backend`]; each worker thread gets an [`App`] of its own from it, because the connections to
//! PostgreSQL live on the worker that uses them.

use std::sync::Arc;

use adapters_jwt::{HttpKeySet, JwtVerifier};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskRepository, TaskService};

use crate::app::{App, Lifecycle};
use crate::commands::failure::{Failure, chain};
use crate::config::TokenConfig;
use crate::observe::Observers;
use crate::observe::snapshot::Snapshot;
use crate::observe::traced::Traced;
use crate::policy::Policy;
use crate::policy::time_limits::TimeLimits;
use crate::routes::health::Readiness;
use crate::storage::Backend;
use crate::system::{RandomTaskIds, SystemClock};

/// Everything that workers share.
#[derive(Clone)]
pub struct Wiring {
    backend: Backend,
    tokens: Arc<JwtVerifier>,
    ids: Arc<RandomTaskIds>,
    lifecycle: Arc<Lifecycle>,
    policy: Policy,
    observers: Observers,
}

impl Wiring {
    /// Puts a database, the rules for tokens and those for requests together. Public keys are fetched on the runtime
    /// that calls this, which is to live as long as the process.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        backend: Backend,
        tokens: TokenConfig,
        policy: Policy,
        lifecycle: Arc<Lifecycle>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            backend,
            tokens: Arc::new(verifier(tokens)?),
            ids: Arc::default(),
            lifecycle,
            policy,
            observers: Observers::default(),
        })
    }

    /// How long everything may take.
    pub(crate) fn time_limits(&self) -> TimeLimits {
        self.policy.time_limits
    }

    /// Tells these about requests.
    #[must_use]
    pub fn observed_by(self, observers: Observers) -> Self {
        Self { observers, ..self }
    }

    /// How the database and the public keys are used right now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            keys: self.tokens.key_set_stats(),
            unsent: self.policy.unsent.figures(),
            ..self.backend.snapshot()
        }
    }

    /// The application of the worker that calls this.
    #[must_use]
    pub fn app(&self) -> App {
        self.app_over(self.backend.worker(), &self.observers)
    }

    /// The application of the listener for operators: nobody observes those who look at the figures.
    #[must_use]
    pub fn app_for_operators(&self) -> App {
        self.app_over(self.backend.uncounted_worker(), &Observers::default())
    }

    fn app_over(
        &self,
        (mut repository, storage): (Arc<dyn TaskRepository>, Arc<dyn StorageHealth>),
        observers: &Observers,
    ) -> App {
        let mut tokens: Arc<dyn TokenVerifier> = self.tokens.clone();
        if observers.want_calls() {
            repository = Arc::new(Traced::new(repository));
            tokens = Arc::new(Traced::new(tokens));
        }
        App {
            tasks: TaskService::new(repository, Arc::new(SystemClock), Arc::clone(&self.ids) as _),
            tokens,
            storage,
            readiness: Readiness::default(),
            lifecycle: Arc::clone(&self.lifecycle),
            policy: self.policy.clone(),
            observers: observers.clone(),
        }
    }
}

fn verifier(tokens: TokenConfig) -> Result<JwtVerifier, Failure> {
    let verifier = JwtVerifier::new(tokens.rules, Arc::new(SystemClock));
    let Some(key_set) = tokens.key_set else {
        return Ok(verifier);
    };
    let source = HttpKeySet::at(key_set.url.clone()).map_err(|error| Failure::unavailable(chain(&error)))?;
    Ok(verifier.with_key_set(key_set, source))
}
