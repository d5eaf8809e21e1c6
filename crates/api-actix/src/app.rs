//! The application of one worker: what its handlers use, and how a request reaches them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Condition, NormalizePath, from_fn};
use actix_web::{Error, HttpRequest, web};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::TaskService;

use crate::middleware::edge::edge;
use crate::middleware::last_resort::net;
use crate::observe::Observers;
use crate::policy::Policy;
use crate::routes;
use crate::routes::health::Readiness;

/// What the handlers of one worker use.
pub struct App {
    /// The use cases.
    pub tasks: TaskService,
    /// Who decides whether a token is good.
    pub tokens: Arc<dyn TokenVerifier>,
    /// Who knows how the storage is.
    pub storage: Arc<dyn StorageHealth>,
    /// What it said when it was last asked.
    pub readiness: Readiness,
    /// Whether the process is about to stop.
    pub lifecycle: Arc<Lifecycle>,
    /// What an operator decides about requests.
    pub policy: Policy,
    /// Who is told about requests.
    pub observers: Observers,
}

impl App {
    /// The one that handles this request.
    pub(crate) fn of(request: &HttpRequest) -> Option<&web::Data<Self>> {
        request.app_data()
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

/// The whole HTTP application over these parts: tests build it over memory, the server over a database.
pub fn http_app(
    app: web::Data<App>,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let cors = Condition::new(
        app.policy.allowed_origins.is_on(),
        app.policy.allowed_origins.middleware(),
    );
    actix_web::App::new()
        .app_data(app)
        .configure(routes::configure)
        // The last one is the outermost.
        .wrap(NormalizePath::trim())
        .wrap(from_fn(net))
        .wrap(cors)
        .wrap(from_fn(edge))
}
