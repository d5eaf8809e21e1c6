//! The ratios as a picture (SVG 1.1): a point for each server, operation and number of connections, on a logarithmic
//! axis, with a line for its spread. Written by hand: it is a few lines and circles.

use std::fmt::Write;

use crate::data::Commits;
use crate::programs::Kind;
use crate::results::{Cell, Metric, Results};
use crate::spread::Spread;

const ROW: f64 = 22.0;
const TOP: f64 = 64.0;
const LEFT: f64 = 110.0;
const PANEL: f64 = 300.0;
const GAP: f64 = 40.0;
/// The ends of the axis.
const LEAST: f64 = 0.01;
const MOST: f64 = 1_000.0;

/// What is drawn: the figure, and whether less of it is better.
const PANELS: [(Metric, &str); 2] = [
    (Metric::Server, "CPU per request (less is better)"),
    (Metric::PerSecond, "requests per second (more is better)"),
];

const COLOURS: [(Kind, &str); 3] = [
    (Kind::TaskApi, "#c2410c"),
    (Kind::Raw, "#737373"),
    (Kind::Fastapi, "#0f766e"),
];

/// `task-api` and `FastAPI` by `raw`, with local commits; `None` if there is nothing to draw.
#[must_use]
pub fn svg(results: &Results) -> Option<String> {
    let is_drawn = |cell: &&Cell| {
        cell.commits == Commits::Local && cell.ratio(Kind::TaskApi, Kind::Raw, Metric::PerSecond).is_some()
    };
    let cells: Vec<&Cell> = results.cells.iter().filter(is_drawn).collect();
    let rows = u32::try_from(cells.len()).ok().filter(|rows| *rows > 0)?;
    let bottom = TOP + ROW * f64::from(rows);
    let width = LEFT + PANEL * 2.0 + GAP + 20.0;
    let height = bottom + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    legend(&mut svg);
    for (row, cell) in (0..).zip(&cells) {
        let y = y_of(row);
        let name = format!("{}, {}", cell.operation, cell.connections);
        text(&mut svg, LEFT - 10.0, y + 4.0, "end", &name);
    }
    for (index, (metric, title)) in (0..).zip(PANELS) {
        let left = LEFT + f64::from(index) * (PANEL + GAP);
        axis(&mut svg, left, bottom, title);
        for (row, cell) in (0..).zip(&cells) {
            for (server, colour) in COLOURS {
                if let Some(ratio) = cell.ratio(server, Kind::Raw, metric) {
                    point(&mut svg, left, y_of(row), ratio, colour);
                }
            }
        }
    }
    svg += "</svg>\n";
    Some(svg)
}

fn y_of(row: u32) -> f64 {
    TOP + ROW * (f64::from(row) + 0.5)
}

fn x_of(left: f64, ratio: f64) -> f64 {
    let position = (ratio / LEAST).log10() / (MOST / LEAST).log10();
    left + PANEL * position.clamp(0.0, 1.0)
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for (server, colour) in COLOURS {
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"14\" r=\"4.5\" fill=\"{colour}\"/>");
        text(svg, x + 10.0, 18.0, "start", server.name());
        x += 90.0;
    }
    text(
        svg,
        x,
        18.0,
        "start",
        "as a multiple of raw; the line is the spread of the rounds",
    );
}

fn axis(svg: &mut String, left: f64, bottom: f64, title: &str) {
    text(svg, left + PANEL / 2.0, TOP - 20.0, "middle", title);
    for (tick, name) in [
        (0.01, "1/100"),
        (0.1, "1/10"),
        (1.0, "1"),
        (10.0, "10"),
        (100.0, "100"),
        (1_000.0, "1000"),
    ] {
        let x = x_of(left, tick);
        let colour = if name == "1" { "#737373" } else { "#e5e5e5" };
        let _ = writeln!(svg, "<path d=\"M{x:.1} {TOP}V{bottom:.1}\" stroke=\"{colour}\"/>");
        text(svg, x, bottom + 18.0, "middle", name);
    }
}

fn point(svg: &mut String, left: f64, y: f64, ratio: Spread, colour: &str) {
    let [least, median, most] = [ratio.least, ratio.median, ratio.most].map(|ratio| x_of(left, ratio));
    let _ = writeln!(
        svg,
        "<path d=\"M{least:.1} {y:.1}H{most:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
         <circle cx=\"{median:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>"
    );
}

/// Names of ours: nothing in them needs an escape.
fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::some_results;

    #[test]
    fn each_server_has_a_point_where_its_ratio_lies() {
        let svg = svg(&some_results()).unwrap();
        // Two servers in two panels, and three in the legend.
        assert_eq!(svg.matches("<circle").count(), 2 * 2 + 3);
        let x = x_of(LEFT, 1.5);
        assert!(svg.contains(&format!("<circle cx=\"{x:.1}\"")), "{svg}");
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn without_anything_to_compare_there_is_no_picture() {
        let mut results = some_results();
        results.cells.clear();
        assert_eq!(svg(&results), None);
    }
}
