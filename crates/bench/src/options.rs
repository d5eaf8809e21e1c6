//! The measurements, as the command line names them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::data::Commits;
use crate::operations::Operation;
use crate::programs::Kind;

/// Measures task-api beside reference servers on this machine: brings its own PostgreSQL, builds what it needs, and
/// prints ratios with their spread.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Options {
    /// A first look within a minute or two: few operations, 32 connections, local commits, two short rounds
    #[arg(long)]
    quick: bool,
    /// Only these operations
    #[arg(long, value_delimiter = ',', value_name = "OPERATION")]
    only: Vec<Operation>,
    /// So many connections at once
    #[arg(long, value_delimiter = ',', value_name = "NUMBER")]
    connections: Vec<usize>,
    /// How long each server's turn takes, in seconds
    #[arg(long, value_name = "NUMBER", value_parser = seconds)]
    seconds: Option<Duration>,
    /// How many turns each server has in each cell
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these servers
    #[arg(long, value_delimiter = ',', value_name = "SERVER")]
    servers: Vec<Kind>,
    /// Only with commits that take so long
    #[arg(long, value_delimiter = ',')]
    commits: Vec<Commits>,
    /// Where `results.json`, `report.md` and `chart.svg` go
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    output: PathBuf,
}

/// The measurements to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The servers.
    pub servers: Vec<Kind>,
    /// How long commits take.
    pub commits: Vec<Commits>,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The numbers of connections.
    pub connections: Vec<usize>,
    /// How long a turn takes.
    pub turn: Duration,
    /// How many turns each server has in each cell.
    pub rounds: usize,
    /// How often each server is started to see how long that takes.
    pub starts: usize,
    /// Whether to measure with 600,000 tasks of one user.
    pub large_user: bool,
    /// Where the results go.
    pub output: PathBuf,
}

impl From<Options> for Plan {
    fn from(options: Options) -> Self {
        use Operation::{Delete, Get, List, Mixed, Patch, Post, Put};
        let is_quick = options.quick;
        let (servers, commits, operations, connections): (&[_], &[_], &[_], &[_]) = if is_quick {
            (
                &[Kind::TaskApi, Kind::Raw],
                &[Commits::Local],
                &[Get, List, Post, Mixed],
                &[32],
            )
        } else {
            (
                &[
                    Kind::TaskApi,
                    Kind::Sqlite,
                    Kind::Raw,
                    Kind::Shared,
                    Kind::Fastapi,
                ],
                &[Commits::Local, Commits::FiveMilliseconds],
                &[Get, List, Put, Patch, Post, Delete, Mixed],
                &[1, 32, 100],
            )
        };
        Self {
            servers: given_or(options.servers, servers),
            commits: given_or(options.commits, commits),
            operations: given_or(options.only, operations),
            connections: given_or(options.connections, connections),
            turn: options
                .seconds
                .unwrap_or(Duration::from_secs(if is_quick { 1 } else { 2 })),
            rounds: options.rounds.unwrap_or(if is_quick { 2 } else { 5 }).max(1),
            starts: if is_quick { 1 } else { 5 },
            large_user: !is_quick,
            output: options.output,
        }
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a number above 0, such as 1.5".to_owned())
}

fn given_or<T: Clone>(given: Vec<T>, default: &[T]) -> Vec<T> {
    if given.is_empty() { default.to_vec() } else { given }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &str) -> Plan {
        Options::parse_from(arguments.split(' ')).into()
    }

    #[test]
    fn everything_is_measured_unless_less_is_asked_for() {
        let plan = plan("bench");
        assert_eq!(plan.operations.len(), 7);
        assert_eq!(plan.connections, [1, 32, 100]);
        assert_eq!(plan.commits.len(), 2);
        assert_eq!(plan.servers.len(), 5);
    }

    #[test]
    fn what_is_asked_for_counts_before_what_is_quick() {
        let plan = plan(
            "bench --quick --only get,post --connections 1,8 --seconds 0.5 --rounds 3 --servers raw --commits 5ms",
        );
        assert_eq!(plan.operations, [Operation::Get, Operation::Post]);
        assert_eq!(plan.connections, [1, 8]);
        assert_eq!(plan.turn, Duration::from_millis(500));
        assert_eq!((plan.rounds, plan.starts), (3, 1));
        assert_eq!(plan.servers, [Kind::Raw]);
        assert_eq!(plan.commits, [Commits::FiveMilliseconds]);
    }

    #[test]
    fn a_turn_that_takes_no_time_is_refused() {
        for seconds in ["0", "-1", "soon"] {
            assert!(Options::try_parse_from(["bench", &format!("--seconds={seconds}")]).is_err());
        }
    }
}
