//! The graph of the modules of a crate as a drawing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::graph::{File, Graph};

/// How much a drawing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Top-level modules, with the number of arrows between their files.
    Modules,
    /// Every file.
    Files,
}

/// A flowchart in the language of Mermaid, which web pages of repositories draw.
#[must_use]
pub fn drawing(graph: &Graph, detail: Detail) -> String {
    let nodes: BTreeSet<String> = graph
        .files()
        .iter()
        .map(|file| label(graph, file, detail))
        .collect();
    let mut arrows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (from, to, _) in graph.arrows() {
        let ends = (label(graph, from, detail), label(graph, to, detail));
        if ends.0 != ends.1 {
            *arrows.entry(ends).or_default() += 1;
        }
    }
    let ids: BTreeMap<String, usize> = nodes.into_iter().zip(0..).collect();
    let mut text = format!("%% {}\nflowchart TD\n", graph.name());
    // Text in memory takes everything that is written to it.
    for (node, id) in &ids {
        let _ = writeln!(text, "    n{id}[\"{node}\"]");
    }
    for ((from, to), count) in &arrows {
        let (Some(from), Some(to)) = (ids.get(from), ids.get(to)) else {
            continue;
        };
        let number = if detail == Detail::Modules {
            format!("|{count}|")
        } else {
            String::new()
        };
        let _ = writeln!(text, "    n{from} -->{number} n{to}");
    }
    text
}

fn label(graph: &Graph, file: &File, detail: Detail) -> String {
    match detail {
        Detail::Files => file.path.display().to_string(),
        Detail::Modules => {
            let target = graph.targets().get(file.target).map_or("", String::as_str);
            match (&file.top, target == graph.name()) {
                (Some(top), true) => top.clone(),
                (Some(top), false) => format!("{target}: {top}"),
                (None, _) => file.path.display().to_string(),
            }
        }
    }
}
