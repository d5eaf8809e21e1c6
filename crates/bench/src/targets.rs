//! What we want: each figure of the product beside another server's, with local commits. Below the floor something is
//! wrong with the design; the goal is what a prototype without the layers of a product reached.

use std::cmp::Ordering;

use crate::data::Commits;
use crate::operations::Operation::{self, Get, List, Mixed, Post, Put};
use crate::programs::Kind::{self, Fastapi, Raw, TaskApi};
use crate::results::Metric::{self, Both, P99, PerSecond, Postgres, Server};
use crate::results::{Results, ServerFigures};
use crate::spread::Spread;

/// A figure that we want.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    figure: Figure,
    floor: f64,
    goal: f64,
}

#[derive(Debug, Clone, Copy)]
enum Figure {
    Load(Metric, Operation, usize, Kind),
    /// With commits that take 5 ms, by what has no layers and every operation on connections that are shared.
    TwoLanes,
    /// SQLite by PostgreSQL with its backends.
    Sqlite,
    FirstAnswer(Kind),
    Memory(Kind),
    DeepPages,
    Neighbours,
}

/// All of them.
pub const TARGETS: [Target; 20] = [
    target(Figure::Load(Server, Get, 32, Raw), 1.6, 1.15),
    target(Figure::Load(Server, List, 32, Raw), 1.8, 1.25),
    target(Figure::Load(Server, Put, 32, Raw), 1.8, 1.25),
    target(Figure::Load(Server, Post, 32, Raw), 1.8, 1.25),
    target(Figure::Load(Server, Mixed, 32, Raw), 1.7, 1.25),
    target(Figure::Load(Postgres, Get, 32, Raw), 1.3, 1.05),
    target(Figure::Load(Postgres, Mixed, 32, Raw), 1.4, 1.10),
    target(Figure::Load(PerSecond, Mixed, 100, Raw), 0.65, 0.90),
    target(Figure::Load(P99, Mixed, 100, Raw), 2.0, 1.25),
    target(Figure::Load(PerSecond, Mixed, 100, Fastapi), 10.0, 20.0),
    target(Figure::Load(P99, Mixed, 100, Fastapi), 0.15, 0.06),
    target(Figure::Load(Server, Get, 32, Fastapi), 0.03, 0.015),
    target(Figure::TwoLanes, 2.0, 5.0),
    target(Figure::Sqlite, 1.5, 1.0),
    target(Figure::FirstAnswer(Raw), 4.0, 1.5),
    target(Figure::FirstAnswer(Fastapi), 0.2, 0.06),
    target(Figure::Memory(Raw), 3.0, 1.6),
    target(Figure::Memory(Fastapi), 0.2, 0.12),
    target(Figure::DeepPages, 1.5, 1.2),
    target(Figure::Neighbours, 4.0, 2.0),
];

const fn target(figure: Figure, floor: f64, goal: f64) -> Target {
    Target { figure, floor, goal }
}

/// How far we got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The goal.
    Goal,
    /// The floor.
    Floor,
    /// Neither.
    Nothing,
}

impl Target {
    /// What is measured, in words.
    #[must_use]
    pub fn name(&self) -> String {
        match self.figure {
            Figure::Load(metric, operation, connections, base) => {
                let what = match metric {
                    PerSecond => "requests/s",
                    Metric::P50 => "p50",
                    P99 => "p99",
                    Server => "CPU per request",
                    Postgres => "PostgreSQL CPU per request",
                    Both => "CPU per request with PostgreSQL",
                };
                format!(
                    "{what}, {operation}, {connections} connections, by {}",
                    base.name()
                )
            }
            Figure::TwoLanes => {
                format!(
                    "requests/s, mixed, 100 connections, commits of 5 ms, by {}",
                    Kind::Shared.name()
                )
            }
            Figure::Sqlite => {
                "CPU per request, mixed, 32 connections, on SQLite by PostgreSQL's and ours".to_owned()
            }
            Figure::FirstAnswer(base) => format!("time to the first answer, by {}", base.name()),
            Figure::Memory(base) => format!("memory after load, by {}", base.name()),
            Figure::Neighbours => {
                "p99 of GET while another user searches 600,000 tasks without end, by undisturbed".to_owned()
            }
            Figure::DeepPages => "time of page 10,000 of one user's 600,000 tasks, by page 1".to_owned(),
        }
    }

    /// The floor.
    #[must_use]
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// The goal.
    #[must_use]
    pub fn goal(&self) -> f64 {
        self.goal
    }

    /// What was measured; `None` if it was not.
    #[must_use]
    pub fn measured(&self, results: &Results) -> Option<Spread> {
        match self.figure {
            Figure::Load(metric, operation, connections, base) => results
                .cell(Commits::Local, operation, connections)?
                .ratio(TaskApi, base, metric),
            Figure::TwoLanes => {
                results
                    .cell(Commits::FiveMilliseconds, Mixed, 100)?
                    .ratio(TaskApi, Kind::Shared, PerSecond)
            }
            Figure::Sqlite => {
                let cell = results.cell(Commits::Local, Mixed, 32)?;
                cell.ratio(Kind::Sqlite, TaskApi, Both)
            }
            Figure::FirstAnswer(base) => {
                let times = |server| Some(results.server(server)?.first_answer_ms.iter().copied());
                Spread::of_ratios(times(TaskApi)?, times(base)?)
            }
            Figure::Memory(base) => {
                let memory = |server| {
                    results
                        .server(server)
                        .and_then(|figures: &ServerFigures| figures.loaded_mib)
                };
                Spread::of([memory(TaskApi)? / memory(base)?])
            }
            Figure::DeepPages => results.large_user.as_ref()?.deep_by_first(),
            Figure::Neighbours => results.large_user.as_ref()?.disturbed_by_undisturbed(),
        }
    }

    /// How far a figure gets.
    #[must_use]
    pub fn reached(&self, figure: f64) -> Reached {
        // More is better where the goal lies above the floor.
        let better = self.goal.total_cmp(&self.floor);
        let is_as_good = |limit| [better, Ordering::Equal].contains(&figure.total_cmp(limit));
        if is_as_good(&self.goal) {
            Reached::Goal
        } else if is_as_good(&self.floor) {
            Reached::Floor
        } else {
            Reached::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_better_where_the_goal_lies_below_the_floor() {
        let target = target(Figure::DeepPages, 1.5, 1.2);
        assert_eq!(target.reached(1.2), Reached::Goal);
        assert_eq!(target.reached(1.3), Reached::Floor);
        assert_eq!(target.reached(1.6), Reached::Nothing);
    }

    #[test]
    fn more_is_better_where_it_lies_above() {
        let target = target(Figure::Load(PerSecond, Mixed, 100, Raw), 0.65, 0.9);
        assert_eq!(target.reached(1.1), Reached::Goal);
        assert_eq!(target.reached(0.65), Reached::Floor);
        assert_eq!(target.reached(0.6), Reached::Nothing);
    }
}
