//! The listener for operators, on an address of its own (`ADMIN_ADDR`): metrics, and what is logged. No one is
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

use crate::middleware::edge::edge;
use crate::middleware::last_resort::net;
use crate::observe::metrics::Metrics;
use crate::observe::snapshot::Snapshot;
use crate::policy::own_host::OwnHost;
use crate::policy::time_limits::TimeLimits;
use crate::problem::{Code, Problem, refused};
use crate::routes::{nothing_here, readable};
use crate::server::{listeners, serve_service, url_of};

/// How often metrics are tidied up if they are not asked for: until then each request takes eight bytes.
const TIDY_UP_EVERY: Duration = Duration::from_secs(1);

/// The state behind the requests of operators.
#[derive(Clone)]
pub struct AdminState {
    /// The metrics of requests.
    pub metrics: Arc<Metrics>,
    /// Looks up how the rest of the process is doing.
    pub snapshot: Arc<dyn Fn() -> Snapshot + Send + Sync>,
    /// The log level.
    pub log_level: Arc<dyn LogLevel>,
    /// The host of their address.
    pub own_host: OwnHost,
}

/// The log level, and how to change it.
pub trait LogLevel: Send + Sync {
    /// A level or directives.
    fn get(&self) -> String;

    /// From now on logs this, until it is changed again or the process ends. `None`: the text is no level.
    fn set(&self, text: &str) -> Option<()>;
}

/// The listener for operators. It stops with the process.
pub struct Admin {
    url: String,
    handle: ServerHandle,
    tidying: JoinHandle<()>,
}

impl Admin {
    /// Listens, beside the server and with the same limits.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn listen(address: &str, limits: TimeLimits, state: AdminState) -> io::Result<Self> {
        let listeners = listeners(address)?;
        let url = url_of(&listeners)?;
        let metrics = Arc::clone(&state.metrics);
        let running = serve_service(listeners, 1, limits, || None, move || admin_app(state.clone()))?;
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
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops at once.
    pub async fn stop(self) {
        self.tidying.abort();
        self.handle.stop(false).await;
    }
}

fn admin_app(
    state: AdminState,
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
        .app_data(web::Data::new(state))
        .service(readable("/metrics", metrics))
        .service(
            web::resource("/log-level")
                .get(log_level)
                .put(set_log_level)
                .wrap(from_fn(refuse_other_hosts)),
        )
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
    let state = request.app_data::<web::Data<AdminState>>();
    let own = state.map(|state| &state.own_host);
    match OwnHost::check(own, &request) {
        Err(problem) if *request.method() == Method::PUT => Ok(refused(request, problem)),
        _ => next.call(request).await.map(ServiceResponse::map_into_left_body),
    }
}

/// `GET /metrics`
async fn metrics(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render(&(state.snapshot)()))
}

/// `GET /log-level`
async fn log_level(state: web::Data<AdminState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(format!("{}\n", state.log_level.get()))
}

/// `PUT /log-level` with `debug`, or with directives such as `info,adapters_postgres=debug`, until the process ends.
async fn set_log_level(state: web::Data<AdminState>, body: String) -> Result<HttpResponse, Problem> {
    const UNREADABLE: &str =
        "Send error, warn, info, debug, trace, or directives such as info,adapters_postgres=debug.";
    let changed = state.log_level.set(body.trim());
    changed.ok_or_else(|| Problem::new(Code::ValidationError).with_detail(UNREADABLE))?;
    tracing::warn!(log_level = state.log_level.get(), "the log level was changed");
    Ok(log_level(state).await)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use super::*;

    struct Off;

    impl LogLevel for Off {
        fn get(&self) -> String {
            "off".to_owned()
        }

        fn set(&self, _: &str) -> Option<()> {
            None
        }
    }

    fn state() -> AdminState {
        AdminState {
            metrics: Arc::default(),
            snapshot: Arc::new(Snapshot::default),
            log_level: Arc::new(Off),
            own_host: OwnHost::new("127.0.0.1"),
        }
    }

    /// actix itself limits only the first head of a connection.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_later_head_that_never_ends_ends_the_connection() {
        let limits = TimeLimits {
            exchange: Duration::from_millis(300),
            ..TimeLimits::default()
        };
        let admin = Admin::listen("127.0.0.1:0", limits, state()).unwrap();
        let mut stream = TcpStream::connect(admin.url().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
            .write_all(b"GET /log-level HTTP/1.1\r\nHost: admin\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"off\n") {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).unwrap();
            answer.extend_from_slice(&part[..count]);
        }
        let started = Instant::now();
        stream
            .write_all(b"GET /log-level HTTP/1.1\r\nHost: admin\r\nX: ")
            .unwrap();
        let end = stream.read(&mut [0; 1024]);
        assert!(matches!(end, Ok(0)), "{end:?} after {:?}", started.elapsed());
        admin.stop().await;
    }
}
