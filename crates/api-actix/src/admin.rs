//! What operators ask, on an address of its own (`ADMIN_ADDR`): figures, health, and what is logged. Nobody is
//! authenticated here, so the address must not be reachable from outside.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, NormalizePath, from_fn};
use actix_web::{Error, HttpResponse, web};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::commands::failure::Failure;
use crate::config::ConfigError;
use crate::middleware::edge::edge;
use crate::middleware::last_resort::net;
use crate::observe::metrics::Metrics;
use crate::policy::own_host::OwnHost;
use crate::problem::{Code, Problem, refused};
use crate::routes::{health, nothing_here, readable};
use crate::server::{listeners, serve, url_of};
use crate::telemetry::LogLevel;
use crate::wiring::Wiring;

/// How often figures are tidied up if nobody asks for them: until then each request takes eight bytes.
const TIDY_UP_EVERY: Duration = Duration::from_secs(1);

/// What operators can ask for.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The figures.
    pub(crate) metrics: Arc<Metrics>,
    /// What is logged.
    pub(crate) log_level: LogLevel,
    /// Who knows how the database is used.
    pub(crate) wiring: Wiring,
    /// The host of their address.
    pub(crate) own_host: OwnHost,
}

/// The listener for operators. It stops with the process.
pub(crate) struct Admin {
    url: String,
    handle: ServerHandle,
    tidying: JoinHandle<()>,
}

impl Admin {
    /// Listens, beside the server and with the same limits.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) fn listen(address: &str, desk: Desk) -> Result<Self, Failure> {
        let cannot_listen = |error: io::Error| {
            let reason = format!("cannot be listened on: {error}");
            Failure::of_config(&ConfigError::new("ADMIN_ADDR", reason))
        };
        let listeners = listeners(address).map_err(cannot_listen)?;
        let url = url_of(&listeners).map_err(cannot_listen)?;
        let limits = desk.wiring.time_limits();
        let metrics = Arc::clone(&desk.metrics);
        let wiring = desk.wiring.clone();
        let app = move || wiring.app_for_operators();
        let service = move |app| admin_app(app, desk.clone());
        let running = serve(listeners, 1, limits, app, service).map_err(cannot_listen)?;
        let handle = running.handle();
        tokio::spawn(running);
        Ok(Self {
            url,
            handle,
            tidying: tokio::spawn(async move {
                loop {
                    tokio::time::sleep(TIDY_UP_EVERY).await;
                    metrics.tidy_up();
                }
            }),
        })
    }

    /// Where it listens, as the start of a URL.
    #[must_use]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops at once.
    pub(crate) async fn stop(self) {
        self.tidying.abort();
        self.handle.stop(false).await;
    }
}

fn admin_app(
    app: web::Data<App>,
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
    actix_web::App::new()
        .app_data(app)
        .app_data(web::Data::new(desk))
        .service(readable("/metrics", metrics))
        .service(
            web::resource("/log-level")
                .get(log_level)
                .put(set_log_level)
                .wrap(from_fn(refuse_other_hosts)),
        )
        .service(readable("/livez", health::live))
        .service(readable("/readyz", health::ready))
        .default_service(web::to(nothing_here))
        .wrap(NormalizePath::trim())
        .wrap(from_fn(net))
        .wrap(from_fn(edge))
}

/// A page of any web site can send a `PUT` under a name that leads here, which a browser takes for that site's own.
async fn refuse_other_hosts<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let desk = request.app_data::<web::Data<Desk>>();
    let own = desk.map(|desk| &desk.own_host);
    match OwnHost::check(own, &request) {
        Err(problem) if *request.method() == Method::PUT => Ok(refused(request, problem)),
        _ => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use adapters_sqlite::{SqliteDatabase, SqliteSettings};

    use super::*;
    use crate::config::{LogConfig, LogFormat, Source, TokenConfig};
    use crate::policy::Policy;
    use crate::policy::time_limits::TimeLimits;
    use crate::storage::Backend;
    use crate::telemetry;

    fn desk(folder: &tempfile::TempDir, time_limits: TimeLimits) -> Desk {
        let source = Source::of_environment(&[("BETTER_AUTH_SECRET", "0123456789-0123456789-0123456789")]);
        let database = SqliteDatabase::open(&folder.path().join("tasks.db"), SqliteSettings::default());
        let policy = Policy {
            time_limits,
            ..Policy::default()
        };
        let wiring = Wiring::new(
            Backend::Sqlite(Arc::new(database.unwrap())),
            TokenConfig::from_source(&source).unwrap(),
            policy,
            Arc::default(),
        );
        let log = LogConfig {
            filter: LogLevel::parse("off").unwrap(),
            format: LogFormat::Text,
        };
        Desk {
            metrics: Arc::default(),
            log_level: telemetry::start(log),
            own_host: OwnHost::new("127.0.0.1"),
            wiring: wiring.unwrap(),
        }
    }

    /// actix itself limits only the first head of a connection.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_later_head_that_never_ends_ends_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let limits = TimeLimits {
            exchange: Duration::from_millis(300),
            ..TimeLimits::default()
        };
        let admin = Admin::listen("127.0.0.1:0", desk(&folder, limits)).unwrap();
        let mut stream = TcpStream::connect(admin.url().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).unwrap();
            answer.extend_from_slice(&part[..count]);
        }
        let started = Instant::now();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: admin\r\nX: ")
            .unwrap();
        let end = stream.read(&mut [0; 1024]);
        assert!(matches!(end, Ok(0)), "{end:?} after {:?}", started.elapsed());
        admin.stop().await;
    }
}
