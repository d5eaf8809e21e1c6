//! The order of the top-level modules of each crate: arrows only point down.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::graph::{File, Graph};
use crate::rules;

const FILE: &str = "crates/fences/rules/modules.txt";

/// The order of the top-level modules of each crate, as `rules/modules.txt` has it.
#[derive(Debug)]
pub struct Orders {
    /// The floors of each library or binary, from bottom to top.
    floors: BTreeMap<String, Vec<Vec<String>>>,
}

impl Orders {
    /// Reads the rules: `[crate]`, or `[crate/binary]`, and below it a line for each floor, the lowest first.
    ///
    /// # Errors
    /// A line is before the first crate, or a crate or module is listed twice.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut floors: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        let mut current: Option<String> = None;
        for (line, words) in rules::lines(text) {
            let wrong = |reason| Error::Rule {
                file: FILE,
                line,
                reason,
            };
            let heading = words
                .first()
                .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
            if let Some(name) = heading {
                if floors.insert(name.to_owned(), Vec::new()).is_some() {
                    return Err(wrong("this crate is listed twice"));
                }
                current = Some(name.to_owned());
                continue;
            }
            let listed = current.as_ref().and_then(|name| floors.get_mut(name));
            let Some(listed) = listed else {
                return Err(wrong("a line for modules before the first [crate]"));
            };
            for word in &words {
                if listed.iter().flatten().any(|known| known == word) {
                    return Err(wrong("a module is listed twice"));
                }
            }
            listed.push(words.into_iter().map(ToOwned::to_owned).collect());
        }
        Ok(Self { floors })
    }

    /// What breaks the rules, one text each.
    #[must_use]
    pub fn check(&self, graphs: &[Graph]) -> Vec<String> {
        let targets: BTreeSet<&String> = graphs.iter().flat_map(Graph::targets).collect();
        let unknown = self.floors.keys().filter(|name| !targets.contains(name));
        let mut broken: Vec<String> = unknown
            .map(|name| format!("{FILE}: [{name}] is no library or binary of this workspace"))
            .collect();
        for graph in graphs {
            broken.extend(self.check_lists(graph));
            broken.extend(self.check_arrows(graph));
        }
        broken
    }

    /// Every top-level module is listed, and nothing else.
    fn check_lists(&self, graph: &Graph) -> Vec<String> {
        let mut broken = Vec::new();
        for (target, name) in graph.targets().iter().enumerate() {
            let files = graph.files().iter().filter(|file| file.target == target);
            let present: BTreeSet<&str> = files.filter_map(|file| file.top.as_deref()).collect();
            let floors = self.floors.get(name).map_or(&[][..], Vec::as_slice);
            let listed: BTreeSet<&str> = floors.iter().flatten().map(String::as_str).collect();
            for module in present.difference(&listed) {
                broken.push(format!(
                    "{FILE}: the module `{module}` is not listed below [{name}]"
                ));
            }
            for module in listed.difference(&present) {
                broken.push(format!("{FILE}: [{name}] has no module `{module}`"));
            }
        }
        broken
    }

    fn check_arrows(&self, graph: &Graph) -> Vec<String> {
        let mut broken = Vec::new();
        for (from, to, mentioned) in graph.arrows() {
            // A binary may use all of its library.
            if from.target != to.target || from.top == to.top {
                continue;
            }
            let (Some(lower), Some(upper)) = (self.floor(graph, from), self.floor(graph, to)) else {
                continue;
            };
            if lower <= upper {
                let why = if lower == upper {
                    "are on one line, so neither may use the other,"
                } else {
                    "points up"
                };
                broken.push(format!(
                    "{}: `{}` -> `{}` {why} in {FILE}\n  {}",
                    graph.name(),
                    module_of(from),
                    module_of(to),
                    graph.place(from, to, mentioned)
                ));
            }
        }
        broken
    }

    /// The floor of a file; the one that the library or binary starts with is on top. `None` if it is not listed.
    fn floor(&self, graph: &Graph, file: &File) -> Option<usize> {
        let Some(top) = &file.top else {
            return Some(usize::MAX);
        };
        let floors = self.floors.get(graph.targets().get(file.target)?)?;
        floors.iter().position(|floor| floor.contains(top))
    }
}

fn module_of(file: &File) -> &str {
    file.top.as_deref().unwrap_or("crate")
}
