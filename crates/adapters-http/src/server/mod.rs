//! Listening, serving and stopping.

mod connection;
mod expect;

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{Server as RunningServer, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::web;
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::app::http_app;
use crate::middleware::framing;
use crate::policy::time_limits::TimeLimits;
use crate::server::connection::PatientStream;
use crate::server::expect::before_continue;
use crate::state::{App, Lifecycle};

/// How many connections the operating system may keep for us until we take them.
const BACKLOG: u32 = 1024;
/// How long a connection that is about to be closed may still send unread bytes. Closing it earlier could cost the
/// client its response.
const LINGER: Duration = Duration::from_secs(1);
/// How long requests that are under way may take when the server stops, in seconds.
/// actix looks once a second, and the whole stop shall take less than 10.
const SHUTDOWN_TIMEOUT_SECS: u64 = 9;

/// Where and how to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address or name to listen on; an IPv6 address without brackets.
    pub host: String,
    /// The port; 0 is any free one.
    pub port: u16,
    /// How many threads handle requests.
    pub workers: usize,
    /// How long to serve on, as not ready, after having been told to stop.
    pub shutdown_delay: Duration,
}

/// Why the API is not served.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address of the settings cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Host and port as they were set.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The process cannot hear that it is to stop.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// It broke down while it served.
    #[error("the server broke down: {0}")]
    Broken(io::Error),
}

/// A server that listens.
pub struct Server {
    running: RunningServer,
    url: String,
    lifecycle: Arc<Lifecycle>,
    shutdown_delay: Duration,
    signals: StopSignals,
}

impl Server {
    /// Listens; each worker builds its own application. Runs inside a Tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn listen(
        bound: Bound,
        settings: &ServerSettings,
        limits: TimeLimits,
        lifecycle: Arc<Lifecycle>,
        app: impl Fn() -> App + Clone + Send + 'static,
    ) -> Result<Self, ServerError> {
        // First, so that no signal can end the process abruptly once it is known that it listens.
        let signals = StopSignals::listen().map_err(ServerError::Signals)?;
        allow_many_connections();
        let cannot_listen = |error| settings.cannot_listen(error);
        let listeners = bound.listen().map_err(cannot_listen)?;
        Ok(Self {
            url: url_of(&listeners).map_err(cannot_listen)?,
            running: serve(listeners, settings.workers, limits, app).map_err(cannot_listen)?,
            lifecycle,
            shutdown_delay: settings.shutdown_delay,
            signals,
        })
    }

    /// Where it listens, as the start of a URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until the process is told to stop (SIGTERM or SIGINT): then it says that it is not ready, serves on for
    /// as long as the settings say, and finishes what is under way. A second signal does not wait for any of that.
    ///
    /// # Errors
    /// The server broke down.
    pub async fn run(mut self) -> Result<(), ServerError> {
        let outcome = tokio::select! {
            outcome = &mut self.running => outcome,
            signal = self.signals.next() => {
                self.lifecycle.begin_shutdown();
                tokio::select! {
                    outcome = finish(&mut self.running, signal, self.shutdown_delay) => outcome,
                    signal = self.signals.next() => {
                        tracing::warn!(signal, "stopping at once");
                        // A server that is stopping hears no further command: what is still under way ends with us.
                        Ok(())
                    }
                }
            }
        };
        outcome.map_err(ServerError::Broken)
    }
}

/// Serves on for a while, then takes no more connections and ends with the last request that is under way.
async fn finish(running: &mut RunningServer, signal: &str, delay: Duration) -> io::Result<()> {
    if !delay.is_zero() {
        tracing::info!(signal, delay = %humantime::format_duration(delay), "stopping soon: not ready for more work");
        tokio::select! {
            outcome = &mut *running => return outcome,
            () = sleep(delay) => {}
        }
    }
    tracing::info!(signal, "stopping: finishing the requests that are under way");
    // The command is sent at once. That it is done shows in the end of the server.
    drop(running.handle().stop(true));
    running.await
}

/// Serves the API from each worker, over an `app` of its own.
///
/// # Errors
/// A listener cannot be used.
pub fn serve(
    listeners: Vec<TcpListener>,
    workers: usize,
    limits: TimeLimits,
    app: impl Fn() -> App + Clone + Send + 'static,
) -> io::Result<RunningServer> {
    let app = move || once_per_worker(&app);
    let service = {
        let app = app.clone();
        move || http_app(app())
    };
    serve_service(listeners, workers, limits, move || Some(app()), service)
}

/// Serves what `service` makes on each worker; `app` knows the tokens for which a body is worth waiting for. Not
/// `actix_web::HttpServer`, which has no place for a `PatientStream` between the socket and HTTP.
pub(crate) fn serve_service<T>(
    listeners: Vec<TcpListener>,
    workers: usize,
    limits: TimeLimits,
    app: impl Fn() -> Option<web::Data<App>> + Clone + Send + 'static,
    service: impl Fn() -> actix_web::App<T> + Clone + Send + 'static,
) -> io::Result<RunningServer>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
{
    let mut server = ServerBuilder::new()
        .workers(workers)
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS)
        .disable_signals();
    for listener in listeners {
        let (app, service) = (app.clone(), service.clone());
        let stopping = server.graceful_shutdown_signal();
        server = server.listen("http", listener, move || {
            let stopping = stopping.clone();
            let app = app();
            let answers = || {
                let answers = service().into_factory();
                let answers = answers.map_err(|error: actix_web::Error| error.error_response());
                map_config(answers, |()| AppConfig::default())
            };
            let http = HttpService::build()
                .keep_alive(limits.keep_alive)
                .client_request_timeout(limits.head)
                .client_disconnect_timeout(LINGER)
                .on_connect_ext(|stream: &PatientStream<TcpStream>, connection| {
                    framing::prepare(connection);
                    connection.insert(stream.handed());
                })
                // Idle connections end at once when the server stops.
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .expect(before_continue(app.clone(), answers()))
                .finish(answers());
            fn_service(move |stream: TcpStream| async move {
                let peer = stream.peer_addr().ok();
                Ok::<_, DispatchError>((PatientStream::accepted(stream, limits), Protocol::Http1, peer))
            })
            .and_then(http)
        })?;
    }
    Ok(server.run())
}

/// The application of the worker that calls this. actix asks each worker for one per listener, and a second one would
/// have connections to the database beyond those that the settings allow.
fn once_per_worker(app: impl Fn() -> App) -> web::Data<App> {
    thread_local! {
        // A worker is a thread. Its services keep the application, so that it ends with them.
        static OF_WORKER: RefCell<Weak<App>> = const { RefCell::new(Weak::new()) };
    }
    let app = OF_WORKER.with_borrow(Weak::upgrade).unwrap_or_else(|| {
        let app = Arc::new(app());
        OF_WORKER.set(Arc::downgrade(&app));
        app
    });
    app.into()
}

/// Listens on every address of a name; one that can be listened on is enough.
///
/// # Errors
/// There is none.
pub fn listeners(addresses: impl ToSocketAddrs) -> io::Result<Vec<TcpListener>> {
    Bound::to(addresses)?.listen()
}

/// Addresses that no other process can listen on, and that are not served yet.
pub struct Bound(Vec<TcpSocket>);

impl Bound {
    /// The addresses of the settings.
    ///
    /// # Errors
    /// They cannot be listened on.
    pub fn of(settings: &ServerSettings) -> Result<Self, ServerError> {
        Self::to((settings.host.as_str(), settings.port)).map_err(|error| settings.cannot_listen(error))
    }

    /// Every address of a name; one is enough.
    fn to(addresses: impl ToSocketAddrs) -> io::Result<Self> {
        let mut sockets = Vec::new();
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses.to_socket_addrs()? {
            match bind(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) => failure = error,
            }
        }
        if sockets.is_empty() {
            Err(failure)
        } else {
            Ok(Self(sockets))
        }
    }

    fn listen(self) -> io::Result<Vec<TcpListener>> {
        let listeners = self.0.into_iter();
        listeners
            .map(|socket| socket.listen(BACKLOG)?.into_std())
            .collect()
    }
}

/// Where the first of them listens, as the start of a URL.
pub(crate) fn url_of(listeners: &[TcpListener]) -> io::Result<String> {
    let listener = listeners.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Each connection is an open file, and many systems allow 1,024 of them to a process that does not ask for more.
fn allow_many_connections() {
    #[cfg(unix)]
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A server that is started again need not wait until the connections of the one before are forgotten.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl ServerSettings {
    fn cannot_listen(&self, source: io::Error) -> ServerError {
        let Self { host, port, .. } = self;
        let is_ipv6 = host.contains(':');
        ServerError::Address {
            address: if is_ipv6 {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            },
            source,
        }
    }
}

/// The signals that ask the process to stop. As long as this lives no such signal is missed.
#[cfg(unix)]
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The signals that ask the process to stop.
#[cfg(not(unix))]
struct StopSignals;

#[cfg(not(unix))]
impl StopSignals {
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
