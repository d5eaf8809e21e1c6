//! Drives one server for a while: so many connections, each of which sends its next request when it has its answer.
//!
//! Everything runs on the one thread of the caller: the driver shares the cores with what it measures.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::Fallible;
use crate::data::Storage;
use crate::http::Connection;
use crate::machine::{Meter, cores_of_the_machine};
use crate::operations::{Operation, Requests};

/// The time before the measurement: connections open, caches fill.
const WARM_UP: Duration = Duration::from_millis(400);
/// An answer that takes longer does not come.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest latency that is told apart from longer ones, in microseconds.
const LONGEST: u64 = 60_000_000;

/// The load and its duration.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The requests.
    pub operation: Operation,
    /// The requests.
    pub requests: &'a Requests,
    /// How many connections there are.
    pub connections: usize,
    /// How long to measure, after warming up.
    pub duration: Duration,
    /// The processes of the server.
    pub server: &'a [u32],
    /// The PostgreSQL that it uses.
    pub storage: &'a Storage,
    /// Its database there.
    pub database: &'a str,
}

/// The measurements of one turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// How many requests were answered.
    pub requests: u64,
    /// How many of them were answered with another status than they must be.
    pub failures: u64,
    /// Requests answered in a second.
    pub per_second: f64,
    /// Half of the requests were answered within so many milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 requests were answered within so many milliseconds.
    pub p99_ms: f64,
    /// Processor time of the server for each request, in microseconds.
    pub server_us: Option<f64>,
    /// Processor time of the processes of PostgreSQL that serve connections, for each request, in microseconds.
    pub postgres_us: Option<f64>,
    /// Processor time of the driver for each request, in microseconds.
    pub driver_us: Option<f64>,
    /// The share of the machine that another process had: neither the server nor its PostgreSQL nor the driver.
    pub others: Option<f64>,
}

/// Runs a turn.
///
/// # Errors
/// The server closed a connection, sent what is no answer, or none at all.
pub async fn run(turn: Turn<'_>) -> Fallible<Measurement> {
    let course = Course {
        turn,
        meter: Meter::new(),
        is_measuring: Cell::new(false),
        is_over: Cell::new(false),
        failures: Cell::new(0),
        latencies: RefCell::new(Histogram::new_with_bounds(1, LONGEST, 3)?),
    };
    let clients = try_join_all((0..turn.connections).map(|_| course.client()));
    let limit = WARM_UP + turn.duration + ANSWER_TIMEOUT;
    let clients = async { Ok(clients.await?) };
    let everything = async { tokio::try_join!(clients, course.conduct()) };
    let (_, measured): (_, Measurement) = timeout(limit, everything)
        .await
        .map_err(|_| format!("no answer within {ANSWER_TIMEOUT:?}"))??;
    if measured.requests == 0 {
        return Err("no request was answered".into());
    }
    Ok(measured)
}

struct Course<'a> {
    turn: Turn<'a>,
    meter: Meter,
    is_measuring: Cell<bool>,
    is_over: Cell<bool>,
    failures: Cell<u64>,
    latencies: RefCell<Histogram<u64>>,
}

impl Course<'_> {
    async fn client(&self) -> io::Result<()> {
        let mut connection = Connection::open(self.turn.address).await?;
        let mut request = Vec::with_capacity(1024);
        while !self.is_over.get() {
            let Some(wanted) = self.turn.requests.write_next(self.turn.operation, &mut request) else {
                // Nothing is left to ask: what was measured so far counts.
                self.is_over.set(true);
                break;
            };
            let asked = Instant::now();
            let status = connection.exchange(&request).await?.status;
            if self.is_measuring.get() {
                self.note(asked.elapsed(), status == wanted);
            }
        }
        Ok(())
    }

    fn note(&self, latency: Duration, is_right: bool) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.latencies.borrow_mut().saturating_record(micros);
        if !is_right {
            self.failures.set(self.failures.get() + 1);
        }
    }

    async fn conduct(&self) -> Fallible<Measurement> {
        sleep(WARM_UP).await;
        let before = self.used().await?;
        let started = Instant::now();
        self.is_measuring.set(true);
        while !self.is_over.get() && started.elapsed() < self.turn.duration {
            sleep(Duration::from_millis(5)).await;
        }
        self.is_measuring.set(false);
        let elapsed = started.elapsed().as_secs_f64();
        let after = self.used().await?;
        self.is_over.set(true);
        Ok(self.measurement(elapsed, &before, &after))
    }

    async fn used(&self) -> Fallible<Used> {
        let backends = self.turn.storage.backends(self.turn.database).await?;
        Ok(Used {
            server: self.meter.processor_time(self.turn.server),
            backends: self.meter.processor_times(&backends),
            driver: self.meter.processor_time(&[std::process::id()]),
            machine: self.meter.machine_time(),
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and latencies are far below 2^52"
    )]
    fn measurement(&self, elapsed: f64, before: &Used, after: &Used) -> Measurement {
        let latencies = self.latencies.borrow();
        let requests = latencies.len();
        let share = |time: Option<f64>| Some(time? / requests as f64 * 1e6);
        let (server, postgres, driver) = (
            difference(before.server, after.server),
            after.of_backends_since(before),
            difference(before.driver, after.driver),
        );
        let others = || {
            let machine = difference(before.machine, after.machine)?;
            let capacity = elapsed * cores_of_the_machine()? as f64;
            Some(((machine - server? - postgres? - driver?) / capacity).clamp(0.0, 1.0))
        };
        Measurement {
            requests,
            failures: self.failures.get(),
            per_second: requests as f64 / elapsed,
            p50_ms: latencies.value_at_quantile(0.5) as f64 / 1e3,
            p99_ms: latencies.value_at_quantile(0.99) as f64 / 1e3,
            server_us: share(server),
            postgres_us: share(postgres),
            driver_us: share(driver),
            others: others(),
        }
    }
}

fn difference(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some(after? - before?)
}

/// Processor time that was used so far, in seconds.
struct Used {
    server: Option<f64>,
    backends: Option<HashMap<u32, f64>>,
    driver: Option<f64>,
    machine: Option<f64>,
}

impl Used {
    /// What the backends of now have used since then. Some may have begun meanwhile; of those that have ended no one
    /// knows any more.
    fn of_backends_since(&self, before: &Self) -> Option<f64> {
        let (before, now) = (before.backends.as_ref()?, self.backends.as_ref()?);
        let since = |(backend, time): (&u32, &f64)| time - before.get(backend).unwrap_or(&0.0);
        Some(now.iter().map(since).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(backends: Option<&[(u32, f64)]>) -> Used {
        Used {
            server: None,
            backends: backends.map(|backends| backends.iter().copied().collect()),
            driver: None,
            machine: None,
        }
    }

    #[test]
    fn a_backend_counts_from_its_start_and_one_that_ended_not_at_all() {
        let before = used(Some(&[(1, 5.0), (2, 7.0)]));
        let now = used(Some(&[(1, 6.5), (3, 0.25)]));
        assert_eq!(now.of_backends_since(&before), Some(1.75));
        assert_eq!(used(Some(&[])).of_backends_since(&before), Some(0.0));
        assert_eq!(used(None).of_backends_since(&before), None);
    }
}
