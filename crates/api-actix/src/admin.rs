//! What operators ask, on an address of its own (`ADMIN_ADDR`): figures, health, and what is logged. Nobody is
//! authenticated here, so the address must not be reachable from outside.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{Error, HttpResponse, HttpServer, web};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::config::ConfigError;
use crate::edge::edge;
use crate::failure::Failure;
use crate::net::net;
use crate::observe::Observers;
use crate::observe::metrics::Metrics;
use crate::problem::{Code, Problem};
use crate::routes::health::{self, Readiness};
use crate::telemetry::LogLevel;
use crate::wiring::Wiring;

/// How often figures are tidied up if nobody asks for them.
const TIDY_UP_EVERY: Duration = Duration::from_secs(5);

/// What operators can ask for.
#[derive(Clone)]
pub struct Desk {
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// What is logged.
    pub log_level: LogLevel,
    /// Who knows how the database is used.
    pub wiring: Wiring,
}

/// The listener for operators. It stops with the process.
pub struct Admin {
    handle: ServerHandle,
    tidying: JoinHandle<()>,
}

impl Admin {
    /// Listens, beside the server.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn listen(address: &str, desk: Desk) -> Result<Self, Failure> {
        let metrics = Arc::clone(&desk.metrics);
        let server = HttpServer::new(move || admin_app(desk.clone()))
            .workers(1)
            .disable_signals()
            .bind(address)
            .map_err(|error| {
                let reason = format!("cannot be listened on: {error}");
                Failure::of_config(&ConfigError::new("ADMIN_ADDR", reason))
            })?;
        let url = server.addrs().first().map(|address| format!("http://{address}"));
        tracing::info!(url, "listening for operators");
        let running = server.run();
        let handle = running.handle();
        tokio::spawn(running);
        Ok(Self {
            handle,
            tidying: tokio::spawn(async move {
                loop {
                    tokio::time::sleep(TIDY_UP_EVERY).await;
                    metrics.tidy_up();
                }
            }),
        })
    }

    /// Stops at once.
    pub async fn stop(self) {
        self.tidying.abort();
        self.handle.stop(false).await;
    }
}

fn admin_app(
    desk: Desk,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let app = App {
        // Who looks at the figures does not change them.
        observers: Observers::default(),
        ..desk.wiring.app()
    };
    actix_web::App::new()
        .app_data(web::Data::new(app))
        .app_data(web::Data::new(Readiness::default()))
        .app_data(web::Data::new(desk))
        .service(web::resource("/metrics").get(metrics).head(metrics))
        .service(web::resource("/log-level").get(log_level).put(set_log_level))
        .service(web::resource("/livez").get(health::live).head(health::live))
        .service(web::resource("/readyz").get(health::ready).head(health::ready))
        .default_service(web::to(nothing_here))
        .wrap(NormalizePath::trim())
        .wrap(from_fn(net))
        .wrap(from_fn(edge))
}

/// `GET /metrics`
async fn metrics(desk: web::Data<Desk>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(desk.metrics.render(&desk.wiring.snapshot()))
}

/// `GET /log-level`
async fn log_level(desk: web::Data<Desk>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(format!("{}\n", desk.log_level))
}

/// `PUT /log-level` with `debug`, or with directives such as `info,adapters_postgres=debug`, until the process ends.
async fn set_log_level(desk: web::Data<Desk>, body: String) -> Result<HttpResponse, Problem> {
    const UNREADABLE: &str =
        "Send error, warn, info, debug, trace, or directives such as info,adapters_postgres=debug.";
    let filter = Some(body.trim()).filter(|text| !text.is_empty());
    let filter = filter.and_then(|text| LogLevel::parse(text).ok());
    let filter = filter.ok_or_else(|| Problem::new(Code::ValidationError).with_detail(UNREADABLE))?;
    desk.log_level.set(filter);
    tracing::warn!(log_level = %desk.log_level, "the log level was changed");
    Ok(log_level(desk).await)
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::RouteNotFound))
}
