//! Listening, serving and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;

use crate::app::{Lifecycle, http_app};
use crate::config::{ConfigError, HttpConfig};
use crate::failure::Failure;
use crate::wiring::Wiring;

/// How long a connection may stay without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long requests that are under way may take when the server stops, in seconds.
/// actix looks once a second, and the whole stop shall take less than 10.
const SHUTDOWN_TIMEOUT_SECS: u64 = 9;

/// A server that listens.
pub struct Server {
    running: actix_web::dev::Server,
    addresses: Vec<SocketAddr>,
    lifecycle: Arc<Lifecycle>,
    signals: StopSignals,
}

impl Server {
    /// Listens; each worker builds its own application.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn listen(config: &HttpConfig, wiring: Wiring, lifecycle: Arc<Lifecycle>) -> Result<Self, Failure> {
        let HttpConfig { host, port, workers } = config;
        // First, so that no signal can end the process abruptly once somebody knows that it listens.
        let signals = StopSignals::listen()
            .map_err(|error| Failure::unavailable(format!("cannot listen for signals: {error}")))?;
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
            signals,
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
    pub async fn run(mut self) -> Result<(), Failure> {
        let outcome = tokio::select! {
            outcome = &mut self.running => outcome,
            signal = self.signals.next() => {
                tracing::info!(signal, "stopping: finishing the requests that are under way");
                self.lifecycle.begin_shutdown();
                // The command is sent at once. That it is done shows in the end of the server.
                drop(self.running.handle().stop(true));
                tokio::select! {
                    outcome = &mut self.running => outcome,
                    signal = self.signals.next() => {
                        tracing::warn!(signal, "stopping at once");
                        // A server that is stopping hears no further command: what is still under way ends with us.
                        Ok(())
                    }
                }
            }
        };
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

/// What asks the process to stop. As long as this lives no such signal is missed.
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

/// What asks the process to stop.
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
