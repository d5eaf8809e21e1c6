//! The files of a crate, the arrows between them, and the circles that these make.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::error::Error;
use crate::tree::{Route, Tree};

/// A library or a binary, as the start of a tree of modules.
#[derive(Debug, Clone)]
pub struct Target {
    /// The name that the order of its modules is listed under.
    pub name: String,
    /// The name that paths of the package's other targets start with, if it is a library.
    pub library: Option<String>,
    /// Its first file.
    pub start: PathBuf,
}

/// The files of a crate, without those that only tests have, and who uses whom.
#[derive(Debug)]
pub struct Graph {
    name: String,
    files: Vec<File>,
    /// From a file to another one, with the first place where it is mentioned.
    arrows: BTreeMap<(usize, usize), Mentioned>,
    targets: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct File {
    /// Inside the folder `src`.
    pub(crate) path: PathBuf,
    /// The library or the binary that it belongs to.
    pub(crate) target: usize,
    /// The top-level module that it belongs to; none for the file that a target starts with.
    pub(crate) top: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Mentioned {
    pub(crate) line: usize,
    pub(crate) written: String,
}

impl Graph {
    /// Reads the files of the targets of a crate.
    ///
    /// # Errors
    /// A file is missing, cannot be read, or is not Rust.
    pub fn read(name: &str, src: &Path, targets: &[Target]) -> Result<Self, Error> {
        let mut tree = Tree::default();
        for target in targets {
            tree.add(src, &target.start, &target.name, target.library.as_deref())?;
        }
        let mut graph = Self {
            name: name.to_owned(),
            files: Vec::new(),
            arrows: BTreeMap::new(),
            targets: tree.roots.iter().map(|root| root.name.clone()).collect(),
        };
        let mut owners: HashMap<usize, (usize, Option<String>)> = HashMap::new();
        for (id, module) in tree.modules.iter().enumerate() {
            owners.entry(module.file).or_insert_with(|| place(&tree, id));
        }
        for (id, path) in tree.files.iter().enumerate() {
            let (target, top) = owners.remove(&id).unwrap_or_default();
            let path = path.clone();
            graph.files.push(File { path, target, top });
        }
        for (id, module) in tree.modules.iter().enumerate() {
            for mention in &module.mentions {
                for definer in tree.definers(id, mention) {
                    let Some(to) = tree.modules.get(definer).map(|module| module.file) else {
                        continue;
                    };
                    if to != module.file {
                        let mentioned = graph.arrows.entry((module.file, to)).or_insert(Mentioned {
                            line: mention.line,
                            written: written(&mention.route),
                        });
                        if mention.line < mentioned.line {
                            mentioned.line = mention.line;
                            mentioned.written = written(&mention.route);
                        }
                    }
                }
            }
        }
        Ok(graph)
    }

    /// The name of the crate.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    pub(crate) fn targets(&self) -> &[String] {
        &self.targets
    }

    /// From a file to another one.
    pub(crate) fn arrows(&self) -> impl Iterator<Item = (&File, &File, &Mentioned)> {
        self.arrows.iter().filter_map(|((from, to), mentioned)| {
            Some((self.files.get(*from)?, self.files.get(*to)?, mentioned))
        })
    }

    /// How one line of an error names an arrow.
    pub(crate) fn place(&self, from: &File, to: &File, mentioned: &Mentioned) -> String {
        format!(
            "crates/{}/src/{}:{}  uses `{}` of {}",
            self.name,
            from.path.display(),
            mentioned.line,
            mentioned.written,
            to.path.display()
        )
    }

    /// One text for each circle: the shortest way around, with the line of each arrow.
    #[must_use]
    pub fn circles(&self) -> Vec<String> {
        self.knots()
            .into_iter()
            .filter(|knot| knot.len() > 1)
            .map(|knot| self.describe(&knot))
            .collect()
    }

    fn describe(&self, knot: &BTreeSet<usize>) -> String {
        let shortest = knot
            .iter()
            .filter_map(|start| self.way_around(*start, knot))
            .min_by_key(Vec::len)
            .unwrap_or_default();
        let arrows = shortest.iter().zip(shortest.iter().cycle().skip(1));
        let lines = arrows.filter_map(|(from, to)| {
            let mentioned = self.arrows.get(&(*from, *to))?;
            Some(format!(
                "\n  {}",
                self.place(self.files.get(*from)?, self.files.get(*to)?, mentioned)
            ))
        });
        let mut text = format!("{}: {} files use each other in a circle", self.name, knot.len());
        text.extend(lines);
        if knot.len() > shortest.len() {
            let others = knot
                .difference(&shortest.iter().copied().collect())
                .copied()
                .collect::<Vec<_>>();
            text.push_str("\n  and through these:");
            for file in others.iter().filter_map(|id| self.files.get(*id)) {
                text.push(' ');
                text.push_str(&file.path.display().to_string());
            }
        }
        text
    }

    /// The shortest way from `start` back to it that stays inside of `knot`.
    fn way_around(&self, start: usize, knot: &BTreeSet<usize>) -> Option<Vec<usize>> {
        let mut came_from = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for ((_, to), _) in self.arrows.range((at, 0)..(at + 1, 0)) {
                if *to == start {
                    let mut way = vec![at];
                    while let Some(before) = way.last().and_then(|last| came_from.get(last)) {
                        way.push(*before);
                    }
                    way.reverse();
                    return Some(way);
                }
                if knot.contains(to) && !came_from.contains_key(to) {
                    came_from.insert(*to, at);
                    queue.push_back(*to);
                }
            }
        }
        None
    }

    /// The strongly connected components, those without arrows out first.
    fn knots(&self) -> Vec<BTreeSet<usize>> {
        let mut graph = DiGraph::<(), ()>::new();
        let nodes: Vec<NodeIndex> = self.files.iter().map(|_| graph.add_node(())).collect();
        for (from, to) in self.arrows.keys() {
            if let (Some(from), Some(to)) = (nodes.get(*from), nodes.get(*to)) {
                graph.add_edge(*from, *to, ());
            }
        }
        let found = tarjan_scc(&graph);
        found
            .into_iter()
            .map(|knot| knot.into_iter().map(NodeIndex::index).collect())
            .collect()
    }

    /// The number of files in the largest circle; 0 without one.
    #[must_use]
    pub fn largest_circle(&self) -> usize {
        let sizes = self.knots().into_iter().map(|knot| knot.len());
        sizes.filter(|size| *size > 1).max().unwrap_or(0)
    }

    /// The number of files on the longest way down; a circle counts as one.
    #[must_use]
    pub fn floors(&self) -> usize {
        let mut floors: HashMap<usize, usize> = HashMap::new();
        for knot in self.knots() {
            let below = knot
                .iter()
                .flat_map(|from| self.arrows.range((*from, 0)..(*from + 1, 0)))
                .filter(|((_, to), _)| !knot.contains(to))
                .filter_map(|((_, to), _)| floors.get(to))
                .max()
                .copied()
                .unwrap_or(0);
            floors.extend(knot.iter().map(|file| (*file, below + 1)));
        }
        floors.into_values().max().unwrap_or(0)
    }
}

/// The target and the top-level module that a module belongs to.
fn place(tree: &Tree, module: usize) -> (usize, Option<String>) {
    let mut at = module;
    let mut top = None;
    while let Some(current) = tree.modules.get(at) {
        let Some(parent) = current.parent else { break };
        top = Some(current.name.clone());
        at = parent;
    }
    let target = tree.roots.iter().position(|root| root.module == at);
    (target.unwrap_or_default(), top)
}

fn written(route: &Route) -> String {
    let start = if route.absolute { "::" } else { "" };
    format!("{start}{}", route.segments.join("::"))
}
