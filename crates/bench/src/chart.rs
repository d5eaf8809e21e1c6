//! The ratios as a picture: a point for each server, operation and number of connections, on a logarithmic axis, with
//! a line for its spread.

use plotters::prelude::*;

use crate::Fallible;
use crate::data::Commits;
use crate::programs::Kind;
use crate::results::{Cell, Metric, Results};
use crate::spread::Spread;

const WIDTH: u32 = 800;
const ROW: u32 = 22;
/// The names of the rows stand to the left of the first panel.
const NAMES: u32 = 100;

/// The bars, from left to right: the figure, and whether less of it is better.
const PANELS: [(Metric, &str); 2] = [
    (Metric::Server, "CPU per request (less is better)"),
    (Metric::PerSecond, "requests per second (more is better)"),
];

/// Later ones lie above earlier ones.
const COLOURS: [(Kind, RGBColor); 3] = [
    (Kind::Raw, RGBColor(0x73, 0x73, 0x73)),
    (Kind::TaskApi, RGBColor(0xc2, 0x41, 0x0c)),
    (Kind::Fastapi, RGBColor(0x0f, 0x76, 0x6e)),
];

/// `task-api` and `FastAPI` by `raw`, with local commits; `None` if there is nothing to draw.
///
/// # Errors
/// The picture cannot be drawn.
pub fn svg(results: &Results) -> Fallible<Option<String>> {
    let is_drawn = |cell: &&Cell| {
        cell.commits == Commits::Local && cell.ratio(Kind::TaskApi, Kind::Raw, Metric::PerSecond).is_some()
    };
    let cells: Vec<&Cell> = results.cells.iter().filter(is_drawn).collect();
    let rows = u32::try_from(cells.len())?;
    if rows == 0 {
        return Ok(None);
    }
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, ROW * (rows + 5))).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(NAMES + (WIDTH - NAMES) / 2);
    for ((metric, title), (area, names)) in PANELS.into_iter().zip([(&left, NAMES), (&right, 0)]) {
        // The first row is the uppermost one.
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(2 * ROW)
            .y_label_area_size(names)
            .build_cartesian_2d((0.01..1_000.0).log_scale(), i64::from(rows)..-1)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("as a multiple of raw; a line is the spread of the rounds")
            .x_label_formatter(&|ratio| match ratio {
                ..1.0 => format!("1/{:.0}", 1.0 / ratio),
                _ => format!("{ratio:.0}"),
            })
            .y_labels(cells.len() + 2)
            .y_label_formatter(&|row| {
                let cell = usize::try_from(*row).ok().and_then(|row| cells.get(row));
                cell.map_or_else(String::new, |cell| {
                    format!("{}, {}", cell.operation, cell.connections)
                })
            })
            .draw()?;
        for (server, colour) in COLOURS {
            let ratios = (0..).zip(&cells).filter_map(|(row, cell)| {
                let Spread { least, median, most } = cell.ratio(server, Kind::Raw, metric)?;
                Some(ErrorBar::new_horizontal(
                    row,
                    least,
                    median,
                    most,
                    colour.filled(),
                    8,
                ))
            });
            let point = move |at| Circle::new(at, 4, colour.filled());
            chart.draw_series(ratios)?.label(server.name()).legend(point);
        }
        if names == 0 {
            // Nothing does a thousand times as many requests as `raw`: here is room.
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .border_style(BLACK)
                .background_style(WHITE)
                .draw()?;
        }
    }
    drop((left, right));
    root.present()?;
    drop(root);
    Ok(Some(svg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::some_results;

    #[test]
    fn each_server_has_a_point_in_each_panel_and_in_the_legend() {
        let svg = svg(&some_results()).unwrap().unwrap();
        // Two servers in two panels, and three in the legend.
        assert_eq!(svg.matches("<circle").count(), 2 * 2 + 3);
        for text in ["get, 32", "1/10", "1000", "task-api", "FastAPI"] {
            assert!(svg.contains(&format!("\n{text}\n")), "{text}: {svg}");
        }
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn without_anything_to_compare_there_is_no_picture() {
        let mut results = some_results();
        results.cells.clear();
        assert_eq!(svg(&results).unwrap(), None);
    }
}
