//! The state that the handlers of one worker use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpRequest, web};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::TaskService;

use crate::observe::Observers;
use crate::policy::Policy;
use crate::policy::time_limits::TimeLimits;
use crate::readiness::Readiness;

/// The state that the handlers of one worker use.
pub struct App {
    /// The use cases.
    pub tasks: TaskService,
    /// Who decides whether a token is good.
    pub tokens: Arc<dyn TokenVerifier>,
    /// Who knows how the storage is.
    pub storage: Arc<dyn StorageHealth>,
    /// Its last verdict.
    pub readiness: Readiness,
    /// Whether the process is about to stop.
    pub lifecycle: Arc<Lifecycle>,
    /// An operator's settings for requests.
    pub policy: Policy,
    /// Who is told about requests.
    pub observers: Arc<Observers>,
}

impl App {
    /// The one that handles this request.
    pub(crate) fn of(request: &HttpRequest) -> Option<&web::Data<Self>> {
        request.app_data()
    }

    /// The time limits of the application that handles this request.
    pub(crate) fn time_limits_of(request: &HttpRequest) -> TimeLimits {
        Self::of(request)
            .map(|app| app.policy.time_limits)
            .unwrap_or_default()
    }
}

/// Where the process is in its life.
#[derive(Debug, Default)]
pub struct Lifecycle(AtomicBool);

impl Lifecycle {
    /// From now on `/readyz` says that no new work should be sent here.
    pub fn begin_shutdown(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the process is about to stop.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
