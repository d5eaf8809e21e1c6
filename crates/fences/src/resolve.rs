//! Where a path leads: the module that defines what it names.

use std::collections::HashSet;

use crate::tree::{Binding, Kind, Mention, Route, Tree};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// Something that this module defines.
    ItemOf(usize),
}

type Seen = HashSet<(usize, String)>;

impl Tree {
    /// The modules that define what `mention`, in `module`, names. None for a module by itself: the paths that go
    /// through it count. None for what comes from other crates.
    pub(crate) fn definers(&self, module: usize, mention: &Mention) -> Vec<usize> {
        let bare = match mention.route.segments.as_slice() {
            [name] if mention.kind != Kind::Import => Some(name),
            _ => None,
        };
        let targets = match bare {
            // A variable can have the name of a module, and an imported name counted where it was imported. What is
            // left: names that a glob brings, and macros that modules below their own see.
            Some(name) => self.implicit(module, name, mention.kind),
            None => self.resolve(module, &mention.route, &mut Seen::new()),
        };
        targets
            .into_iter()
            .filter_map(|target| match target {
                Target::ItemOf(module) => Some(module),
                Target::Module(_) => None,
            })
            .collect()
    }

    fn implicit(&self, module: usize, name: &str, kind: Kind) -> Vec<Target> {
        let Some(own) = self.modules.get(module) else {
            return Vec::new();
        };
        if own.names.contains_key(name) {
            return Vec::new();
        }
        if let Some(targets) = self.lookup(module, name, &mut Seen::new()) {
            return targets;
        }
        let mut above = own.parent.filter(|_| kind == Kind::Call);
        while let Some((id, outer)) = above.and_then(|id| Some((id, self.modules.get(id)?))) {
            let bindings = outer.names.get(name).map_or(&[][..], Vec::as_slice);
            if bindings.iter().any(|binding| matches!(binding, Binding::Macro)) {
                return vec![Target::ItemOf(id)];
            }
            above = outer.parent;
        }
        Vec::new()
    }

    fn resolve(&self, module: usize, route: &Route, seen: &mut Seen) -> Vec<Target> {
        let Some((first, rest)) = route.segments.split_first() else {
            return Vec::new();
        };
        let mut targets = match first.as_str() {
            "crate" => vec![Target::Module(self.root(module))],
            "self" => vec![Target::Module(module)],
            "super" => self.parent(module).map(Target::Module).into_iter().collect(),
            name => {
                let bound = if route.absolute {
                    None
                } else {
                    self.lookup(module, name, seen)
                };
                bound.unwrap_or_else(|| self.library(name).into_iter().map(Target::Module).collect())
            }
        };
        for name in rest {
            let modules: Vec<usize> = targets
                .iter()
                .filter_map(|target| match target {
                    Target::Module(id) => Some(*id),
                    Target::ItemOf(_) => None,
                })
                .collect();
            if modules.is_empty() {
                // The rest is about an item: a variant, an associated function.
                return targets;
            }
            targets = modules
                .into_iter()
                .flat_map(|id| self.step(id, name, seen))
                .collect();
        }
        targets
    }

    fn step(&self, module: usize, name: &str, seen: &mut Seen) -> Vec<Target> {
        match name {
            "self" => vec![Target::Module(module)],
            "super" => self.parent(module).map(Target::Module).into_iter().collect(),
            // A name that is not written there: a macro of that module made it.
            _ => self
                .lookup(module, name, seen)
                .unwrap_or_else(|| vec![Target::ItemOf(module)]),
        }
    }

    /// What `name` is in `module`: `None` if it is not bound there, nothing if it comes from another crate.
    fn lookup(&self, module: usize, name: &str, seen: &mut Seen) -> Option<Vec<Target>> {
        let scope = self.modules.get(module)?;
        let first = seen.insert((module, name.to_owned()));
        if let Some(bindings) = scope.names.get(name) {
            let mut targets = Vec::new();
            for binding in bindings {
                match binding {
                    Binding::Module(id) => targets.push(Target::Module(*id)),
                    Binding::Item | Binding::Macro => targets.push(Target::ItemOf(module)),
                    Binding::Exported(definer) => targets.push(Target::ItemOf(*definer)),
                    // `use chart::chart` beside `mod chart` asks for its own name.
                    Binding::Import(route) if first => targets.extend(self.resolve(module, route, seen)),
                    Binding::Import(_) => {}
                }
            }
            return Some(targets);
        }
        if !first {
            return None;
        }
        scope.globs.iter().find_map(|route| {
            let opened = self.resolve(module, route, &mut seen.clone());
            opened.into_iter().find_map(|target| match target {
                Target::Module(id) => self.lookup(id, name, seen),
                Target::ItemOf(_) => None,
            })
        })
    }

    fn parent(&self, module: usize) -> Option<usize> {
        self.modules.get(module)?.parent
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.parent(module) {
            module = parent;
        }
        module
    }

    fn library(&self, name: &str) -> Option<usize> {
        let root = self
            .roots
            .iter()
            .find(|root| root.library.as_deref() == Some(name))?;
        Some(root.module)
    }
}
