//! Everything that was measured, and what follows from it.

use serde::Serialize;

use crate::data::Commits;
use crate::large_user::LargeUser;
use crate::load::Measurement;
use crate::machine::Machine;
use crate::operations::Operation;
use crate::programs::Kind;
use crate::spread::Spread;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// On what.
    pub machine: Machine,
    /// The version of PostgreSQL.
    pub postgres: String,
    /// How long a turn took, in seconds.
    pub turn_seconds: f64,
    /// How long a commit took, in milliseconds.
    pub commit_ms: Vec<(Commits, f64)>,
    /// The properties of each server apart from requests.
    pub servers: Vec<ServerFigures>,
    /// The turns under load.
    pub cells: Vec<Cell>,
    /// A user with 600,000 tasks.
    pub large_user: Option<LargeUser>,
}

/// What a server is like apart from requests.
#[derive(Debug, Clone, Serialize)]
pub struct ServerFigures {
    /// Which server.
    pub server: Kind,
    /// From the start of the program to its first good answer, in milliseconds: one figure for each start.
    pub first_answer_ms: Vec<f64>,
    /// Memory before the first request under load, in MiB.
    pub idle_mib: Option<f64>,
    /// Memory after the last one.
    pub loaded_mib: Option<f64>,
}

/// One operation with so many connections and such commits.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// How long commits took.
    pub commits: Commits,
    /// What was asked.
    pub operation: Operation,
    /// How many connections there were.
    pub connections: usize,
    /// The turns of each server, in the order of the rounds.
    pub turns: Vec<(Kind, Vec<Measurement>)>,
}

/// One of the figures of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Requests in a second.
    PerSecond,
    /// The median latency.
    P50,
    /// The latency that 1 of 100 requests exceeds.
    P99,
    /// Processor time of the server for each request.
    Server,
    /// Processor time of PostgreSQL for each request.
    Postgres,
    /// Processor time of both.
    Both,
}

impl Metric {
    /// Those of the tables, in their order.
    pub const ALL: [Self; 5] = [
        Self::PerSecond,
        Self::P50,
        Self::P99,
        Self::Server,
        Self::Postgres,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "requests/s",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::Server => "CPU µs",
            Self::Postgres => "PostgreSQL CPU µs",
            Self::Both => "CPU µs with PostgreSQL",
        }
    }

    fn of(self, turn: &Measurement) -> Option<f64> {
        match self {
            Self::PerSecond => Some(turn.per_second),
            Self::P50 => Some(turn.p50_ms),
            Self::P99 => Some(turn.p99_ms),
            Self::Server => turn.server_us,
            Self::Postgres => turn.postgres_us,
            Self::Both => Some(turn.server_us? + turn.postgres_us?),
        }
    }
}

impl Cell {
    fn figures(&self, server: Kind, metric: Metric) -> Option<Vec<f64>> {
        let (_, turns) = self.turns.iter().find(|(kind, _)| *kind == server)?;
        turns.iter().map(|turn| metric.of(turn)).collect()
    }

    /// A figure of a server over all rounds.
    #[must_use]
    pub fn spread(&self, server: Kind, metric: Metric) -> Option<Spread> {
        Spread::of(self.figures(server, metric)?)
    }

    /// The ratio of two servers, taken round by round.
    #[must_use]
    pub fn ratio(&self, server: Kind, base: Kind, metric: Metric) -> Option<Spread> {
        Spread::of_ratios(self.figures(server, metric)?, self.figures(base, metric)?)
    }
}

impl Results {
    /// The figures of a server apart from requests.
    #[must_use]
    pub fn server(&self, server: Kind) -> Option<&ServerFigures> {
        self.servers.iter().find(|figures| figures.server == server)
    }

    /// A cell.
    #[must_use]
    pub fn cell(&self, commits: Commits, operation: Operation, connections: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| {
            (cell.commits, cell.operation, cell.connections) == (commits, operation, connections)
        })
    }

    /// All turns of all servers.
    pub fn turns(&self) -> impl Iterator<Item = &Measurement> {
        self.cells
            .iter()
            .flat_map(|cell| &cell.turns)
            .flat_map(|(_, turns)| turns)
    }

    /// How many requests were answered with a wrong status.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.turns().map(|turn| turn.failures).sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn turn(server_us: f64) -> Measurement {
        Measurement {
            requests: 1_000,
            failures: 0,
            per_second: 500.0,
            p50_ms: 1.0,
            p99_ms: 2.0,
            server_us: Some(server_us),
            postgres_us: None,
            driver_us: Some(9.0),
            others: Some(0.25),
        }
    }

    pub(crate) fn a_cell() -> Cell {
        Cell {
            commits: Commits::Local,
            operation: Operation::Get,
            connections: 32,
            turns: vec![
                (Kind::TaskApi, vec![turn(30.0), turn(33.0), turn(80.0)]),
                (Kind::Raw, vec![turn(20.0), turn(30.0), turn(40.0)]),
            ],
        }
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let ratio = a_cell().ratio(Kind::TaskApi, Kind::Raw, Metric::Server).unwrap();
        assert_eq!((ratio.median, ratio.least, ratio.most), (1.5, 1.1, 2.0));
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        assert_eq!(a_cell().ratio(Kind::TaskApi, Kind::Raw, Metric::Postgres), None);
        assert_eq!(a_cell().ratio(Kind::TaskApi, Kind::Fastapi, Metric::Server), None);
    }
}
