//! The results as Markdown tables.

use std::fmt::Write;

use clap::ValueEnum;

use crate::data::Commits;
use crate::programs::Kind;
use crate::results::{Cell, Metric, Results};
use crate::spread::Spread;
use crate::targets::{Reached, TARGETS};

/// Everything, as text that reads well in a terminal and in documents.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut text = conditions(results);
    text += &targets(results);
    for (commits, milliseconds) in &results.commit_ms {
        let _ = write!(
            text,
            "\n### {} (measured: {milliseconds:.2} ms)\n",
            commits.title()
        );
        text += &ratios(results, *commits, Kind::Raw);
        text += &ratios(results, *commits, Kind::Fastapi);
        text += &figures(results, *commits);
    }
    text += &servers(results);
    text
}

fn conditions(results: &Results) -> String {
    let machine = &results.machine;
    let others = Spread::of(results.turns().filter_map(|turn| turn.others));
    let others = others.map_or_else(
        || "unknown".to_owned(),
        |share| {
            format!(
                "{:.0} % (median of the turns; {:.0}–{:.0} %)",
                share.median * 1e2,
                share.least * 1e2,
                share.most * 1e2
            )
        },
    );
    let driver = Spread::of(results.turns().filter_map(|turn| turn.driver_us));
    let driver = driver.map_or_else(
        || "unknown".to_owned(),
        |us| {
            format!(
                "{:.0} µs a request (median; {:.0}–{:.0})",
                us.median, us.least, us.most
            )
        },
    );
    format!(
        "- machine: {}, {} cores, {}, load average at the start {}\n\
         - PostgreSQL {}; turns of {} s; requests answered wrongly: {}\n\
         - the share of the machine that others had meanwhile: {others}\n\
         - the driver itself: {driver}\n",
        machine.processor,
        machine.cores,
        machine.system,
        machine.load_at_start,
        results.postgres,
        results.turn_seconds,
        results.failures(),
    )
}

fn targets(results: &Results) -> String {
    let mut text = String::from(
        "\n### Targets\n\n| ratio | floor | goal | measured | reached |\n|---|---|---|---|---|\n",
    );
    for target in &TARGETS {
        let (measured, reached) = match target.measured(results) {
            None => ("not measured".to_owned(), "–"),
            Some(spread) => {
                let reached = match target.reached(spread.median) {
                    Reached::Goal => "goal",
                    Reached::Floor => "floor",
                    Reached::Nothing => "**no**",
                };
                (with_spread(spread), reached)
            }
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {measured} | {reached} |",
            target.name(),
            target.floor(),
            target.goal(),
        );
    }
    text
}

/// A line for each cell of these commits that `line` has something to say about.
fn lines(results: &Results, commits: Commits, line: impl Fn(&Cell) -> Option<String>) -> String {
    let cells = results.cells.iter().filter(|cell| cell.commits == commits);
    cells
        .filter_map(|cell| {
            Some(format!(
                "| {} | {} | {} |\n",
                cell.operation,
                cell.connections,
                line(cell)?
            ))
        })
        .collect()
}

fn header(columns: &[&str]) -> String {
    let columns = columns.join(" | ");
    let rule = columns.split('|').map(|_| "---|").collect::<String>();
    format!("| operation | connections | {columns} |\n|---|---|{rule}\n")
}

/// The product by another server.
fn ratios(results: &Results, commits: Commits, base: Kind) -> String {
    let lines = lines(results, commits, |cell| {
        cell.ratio(Kind::TaskApi, base, Metric::PerSecond)?;
        let ratio = |metric| {
            cell.ratio(Kind::TaskApi, base, metric)
                .map_or_else(|| "–".to_owned(), with_spread)
        };
        Some(Metric::ALL.map(ratio).join(" | "))
    });
    if lines.is_empty() {
        return lines;
    }
    let names = Metric::ALL.map(Metric::name);
    format!(
        "\ntask-api by {}, median and spread of the rounds:\n\n{}{lines}",
        base.name(),
        header(&names)
    )
}

/// The figures themselves.
fn figures(results: &Results, commits: Commits) -> String {
    let each_of = |server: &Kind| {
        self::lines(results, commits, |cell| {
            cell.spread(*server, Metric::PerSecond)?;
            let median = |metric| {
                cell.spread(*server, metric)
                    .map_or_else(|| "–".to_owned(), |spread| figure(spread.median))
            };
            Some(format!(
                "{} | {}",
                server.name(),
                Metric::ALL.map(median).join(" | ")
            ))
        })
    };
    let lines: String = Kind::value_variants().iter().map(each_of).collect();
    let columns: Vec<_> = ["server"]
        .into_iter()
        .chain(Metric::ALL.map(Metric::name))
        .collect();
    format!("\nThe medians themselves:\n\n{}{lines}", header(&columns))
}

fn servers(results: &Results) -> String {
    let mut text = String::from(
        "\n### Start and memory\n\n| server | first answer ms | memory idle MiB | memory after load MiB |\n|---|---|---|---|\n",
    );
    let memory = |mib: Option<f64>| mib.map_or_else(|| "–".to_owned(), figure);
    for server in &results.servers {
        let start = Spread::of(server.first_answer_ms.iter().copied());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            server.server.name(),
            start.map_or_else(|| "–".to_owned(), with_spread),
            memory(server.idle_mib),
            memory(server.loaded_mib)
        );
    }
    if let Some(large) = &results.large_user {
        let median =
            |times: &[f64]| Spread::of(times.iter().copied()).map_or_else(|| "–".to_owned(), with_spread);
        let _ = writeln!(
            text,
            "\nOf one user's 600,000 tasks, page 1 of 50 takes {} ms and page 10,000 takes {} ms. Others who read one task at \
             a time have a p99 of {} ms, and of {} ms while that user searches without end.",
            median(&large.first_page_ms),
            median(&large.deep_page_ms),
            median(&large.undisturbed_p99_ms),
            median(&large.disturbed_p99_ms)
        );
    }
    text
}

fn with_spread(spread: Spread) -> String {
    let Spread { median, least, most } = spread;
    format!("{} [{}–{}]", figure(median), figure(least), figure(most))
}

/// With about three digits.
fn figure(number: f64) -> String {
    match number.abs() {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        0.1.. => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::results::ServerFigures;
    use crate::results::tests::a_cell;

    pub(crate) fn some_results() -> Results {
        Results {
            machine: Machine::this(),
            postgres: "15.0".to_owned(),
            turn_seconds: 2.0,
            commit_ms: vec![(Commits::Local, 0.14)],
            servers: vec![ServerFigures {
                server: Kind::TaskApi,
                first_answer_ms: vec![20.0, 30.0],
                idle_mib: Some(11.0),
                loaded_mib: None,
            }],
            cells: vec![a_cell()],
            large_user: None,
        }
    }

    #[test]
    fn a_ratio_stands_with_its_spread_and_what_is_missing_is_a_dash() {
        let text = markdown(&some_results());
        let line =
            "| get | 32 | 1.00 [1.00–1.00] | 1.00 [1.00–1.00] | 1.00 [1.00–1.00] | 1.50 [1.10–2.00] | – |";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("task-api by FastAPI"), "{text}");
    }

    #[test]
    fn a_target_says_whether_it_is_reached() {
        let line = "| CPU per request, get, 32 connections, by raw | 1.6 | 1.15 | 1.50 [1.10–2.00] | floor |";
        let text = markdown(&some_results());
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn every_line_of_a_table_has_as_many_columns_as_its_header() {
        let text = markdown(&some_results());
        let mut columns = None;
        for line in text.lines() {
            let count = line.starts_with('|').then(|| line.matches('|').count());
            if columns.is_some() && count.is_some() {
                assert_eq!(count, columns, "{line}");
            }
            columns = count;
        }
    }
}
