//! The server as seen from outside while it is attacked.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::attackers::Stop;
use crate::data::Storage;
use crate::machine::{peak_resident_mebibytes, resident_mebibytes, runnable};

/// How often memory and load are looked at, and running statements.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// An attack ends early when the server has taken so much: the machine belongs to others too.
pub const MOST_MEBIBYTES: f64 = 2_048.0;

/// The observation.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The most memory that the server has had since its start, in MiB.
    pub peak_mebibytes: Option<f64>,
    /// Whether the attack was ended because of that.
    pub is_cut_short: bool,
    /// How many threads of the machine were running or waiting for a processor, on average.
    pub busy: Option<f64>,
    /// How many statements about tasks were running for a while at once, at most.
    pub statements: Option<i64>,
    /// How long it took from the end of the attack until none was running.
    pub cleared: Option<Cleared>,
}

/// When no statement was running any more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cleared {
    /// After so long.
    After(Duration),
    /// Not while it was waited for.
    Never,
}

/// Looks at one server.
pub struct Observer<'a> {
    /// Its process.
    pub process: u32,
    /// Its database, if that is one of a cluster.
    pub database: Option<&'a str>,
    /// The cluster.
    pub storage: &'a Storage,
}

impl Observer<'_> {
    /// Looks until told to stop. Sends word through `alarm` when the server has taken too much.
    pub async fn look(&self, mut stop: Stop, alarm: impl Fn()) -> Observation {
        let is_cut_short = Cell::new(false);
        let most = Cell::new(None);
        let looks = Cell::new((0.0, 0_u32));
        let memory_and_load = async {
            loop {
                if resident_mebibytes(&[self.process]).is_some_and(|now| now > MOST_MEBIBYTES) {
                    is_cut_short.set(true);
                    alarm();
                }
                if let Some(runnable) = runnable() {
                    let (sum, count) = looks.get();
                    looks.set((sum + runnable, count + 1));
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let statements = async {
            while let Some(running) = self.statements().await {
                most.set(most.get().max(Some(running)));
                sleep(COUNT_EVERY).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = memory_and_load => {}
            () = statements => {}
            _ = stop.wait_for(|is_over| *is_over) => {}
        }
        let (sum, count) = looks.get();
        Observation {
            peak_mebibytes: peak_resident_mebibytes(self.process),
            is_cut_short: is_cut_short.get(),
            busy: (count > 0).then(|| sum / f64::from(count)),
            statements: most.get(),
            cleared: None,
        }
    }

    /// Waits until no statement runs any more.
    pub async fn wait_until_cleared(&self, time_limit: Duration) -> Option<Cleared> {
        let started = Instant::now();
        while self.statements().await? > 0 {
            if started.elapsed() > time_limit {
                return Some(Cleared::Never);
            }
            sleep(COUNT_EVERY / 4).await;
        }
        Some(Cleared::After(started.elapsed()))
    }

    async fn statements(&self) -> Option<i64> {
        self.storage.long_statements(self.database?).await.ok()
    }
}
