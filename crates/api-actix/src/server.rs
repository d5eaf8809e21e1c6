//! Listening, serving and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;

use crate::app::{Lifecycle, http_app};
use crate::config::{ConfigError, HttpConfig};
use crate::failure::Failure;
use crate::wiring::Wiring;

/// How long a connection may stay without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests that are under way may take when the server stops, in seconds.
const SHUTDOWN_TIMEOUT_SECS: u64 = 10;

/// A server that listens.
pub struct Server {
    running: actix_web::dev::Server,
    addresses: Vec<SocketAddr>,
    lifecycle: Arc<Lifecycle>,
}

impl Server {
    /// Listens; each worker builds its own application.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn listen(config: &HttpConfig, wiring: Wiring, lifecycle: Arc<Lifecycle>) -> Result<Self, Failure> {
        let HttpConfig { host, port, workers } = config;
        let server = HttpServer::new(move || http_app(wiring.app()))
            .workers(*workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .shutdown_timeout(SHUTDOWN_TIMEOUT_SECS)
            .disable_signals()
            .bind((host.as_str(), *port))
            .map_err(|error| cannot_listen(config, &error))?;
        Ok(Self {
            addresses: server.addrs(),
            running: server.run(),
            lifecycle,
        })
    }

    /// Where it listens, as the start of a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let address = self
            .addresses
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("http://{address}")
    }

    /// Serves until the process is told to stop (SIGTERM or SIGINT), then finishes what is under way. A second
    /// signal does not wait for that.
    ///
    /// # Errors
    /// The server broke down.
    pub async fn run(self) -> Result<(), Failure> {
        let stopping = tokio::spawn(stop_on_signal(self.running.handle(), self.lifecycle));
        let outcome = self.running.await;
        stopping.abort();
        outcome.map_err(|error| Failure::unavailable(format!("the server broke down: {error}")))
    }
}

fn cannot_listen(config: &HttpConfig, error: &std::io::Error) -> Failure {
    let reason = format!(
        "and PORT: cannot listen on {}:{}: {error}",
        config.host, config.port
    );
    Failure::of_config(&ConfigError::new("HOST", reason))
}

async fn stop_on_signal(server: ServerHandle, lifecycle: Arc<Lifecycle>) {
    let signal = next_signal().await;
    tracing::info!(signal, "stopping: finishing the requests that are under way");
    lifecycle.begin_shutdown();
    let graceful = server.stop(true);
    tokio::select! {
        () = graceful => {}
        signal = next_signal() => {
            tracing::warn!(signal, "stopping at once");
            server.stop(false).await;
        }
    }
}

#[cfg(unix)]
async fn next_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(not(unix))]
async fn next_signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
