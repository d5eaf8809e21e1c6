//! Which crate may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Package};

use crate::error::Error;
use crate::rules::{self, follows};

const FILE: &str = "crates/fences/rules/dependencies.txt";

/// Which crate may use which, as `rules/dependencies.txt` has it.
#[derive(Debug)]
pub struct Dependencies {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    line: usize,
    subject: String,
    verb: Verb,
    objects: Vec<Object>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// A crate of this workspace uses exactly these others of it.
    Uses,
    /// A library is used by these crates alone.
    Only,
    /// A crate's product code brings exactly these libraries, directly or not.
    Brings,
    /// A crate's product code brings no such library.
    Never,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    name: String,
    /// In tests only: `name(dev)`.
    dev: bool,
}

impl Object {
    fn parse(word: &str) -> Self {
        let bare = word.strip_suffix("(dev)");
        Self {
            name: bare.unwrap_or(word).to_owned(),
            dev: bare.is_some(),
        }
    }

    fn written(&self) -> String {
        format!("{}{}", self.name, if self.dev { "(dev)" } else { "" })
    }
}

impl Dependencies {
    /// Reads the rules: a crate or library, `uses`, `only`, `brings` or `never`, and what of.
    ///
    /// # Errors
    /// A line has another form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut rules = Vec::new();
        for (line, words) in rules::lines(text) {
            let wrong = |reason| Error::Rule {
                file: FILE,
                line,
                reason,
            };
            let [subject, verb, objects @ ..] = words.as_slice() else {
                return Err(wrong("a rule has two words at least"));
            };
            let verb = match *verb {
                "uses" => Verb::Uses,
                "only" => Verb::Only,
                "brings" => Verb::Brings,
                "never" => Verb::Never,
                _ => {
                    return Err(wrong(
                        "the second word must be `uses`, `only`, `brings` or `never`",
                    ));
                }
            };
            rules.push(Rule {
                line,
                subject: (*subject).to_owned(),
                verb,
                objects: objects.iter().map(|word| Object::parse(word)).collect(),
            });
        }
        Ok(Self { rules })
    }

    /// What breaks the rules about direct dependencies, in manifests: of every kind, platform and feature.
    #[must_use]
    pub fn check(&self, packages: &[&Package]) -> Vec<String> {
        let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        let used: BTreeMap<&str, BTreeSet<Object>> = packages
            .iter()
            .map(|package| (package.name.as_str(), direct(package)))
            .collect();
        let mut broken = Vec::new();
        for (name, objects) in &used {
            let rule = self.rules_with(Verb::Uses).find(|rule| rule.subject == *name);
            let Some(rule) = rule else {
                broken.push(format!("{FILE}: no line says what crates/{name} uses"));
                continue;
            };
            let others: BTreeSet<Object> = objects
                .iter()
                .filter(|object| members.contains(object.name.as_str()))
                .cloned()
                .collect();
            broken.extend(rule.differences(&others, &format!("crates/{name} uses")));
        }
        for rule in self.rules_with(Verb::Uses) {
            if !members.contains(rule.subject.as_str()) {
                let Rule { line, subject, .. } = rule;
                broken.push(format!("{FILE}:{line}: {subject} is no crate of this workspace"));
            }
        }
        for rule in self.rules_with(Verb::Only) {
            broken.extend(rule.check_users(&used));
        }
        broken
    }

    /// What breaks the rules about everything that product code brings. This asks `cargo tree`, which knows the
    /// features of one crate built by itself; `cargo metadata` knows those of the workspace, tests included.
    ///
    /// # Errors
    /// `cargo tree` fails.
    pub fn check_trees(&self, root: &Path) -> Result<Vec<String>, Error> {
        let mut broken = Vec::new();
        for rule in &self.rules {
            if matches!(rule.verb, Verb::Brings | Verb::Never) {
                broken.extend(rule.check_tree(&tree(root, &rule.subject)?));
            }
        }
        Ok(broken)
    }

    fn rules_with(&self, verb: Verb) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.verb == verb)
    }
}

impl Rule {
    /// `Only`: who uses it and may not, and who may and does not. A caller who may but is no crate of this workspace is
    /// passed over.
    fn check_users(&self, used: &BTreeMap<&str, BTreeSet<Object>>) -> Vec<String> {
        let mut users: BTreeSet<Object> = BTreeSet::new();
        for (user, objects) in used {
            let found: Vec<&Object> = objects
                .iter()
                .filter(|object| follows(&object.name, &self.subject))
                .collect();
            if !found.is_empty() {
                users.insert(Object {
                    name: (*user).to_owned(),
                    dev: found.iter().all(|object| object.dev),
                });
            }
        }
        users.extend(
            self.objects
                .iter()
                .filter(|object| !used.contains_key(object.name.as_str()))
                .cloned(),
        );
        self.differences(&users, &format!("{} is used by", self.subject))
    }

    fn check_tree(&self, libraries: &BTreeSet<String>) -> Vec<String> {
        if self.verb == Verb::Brings {
            let libraries = libraries.iter().map(|name| Object::parse(name)).collect();
            return self.differences(&libraries, &format!("{} brings", self.subject));
        }
        let unwanted = libraries
            .iter()
            .filter(|name| self.objects.iter().any(|object| follows(name, &object.name)));
        unwanted
            .map(|name| {
                let Self { line, subject, .. } = self;
                format!("{FILE}:{line}: {subject} must not bring {name}")
            })
            .collect()
    }

    fn differences(&self, found: &BTreeSet<Object>, sentence: &str) -> Vec<String> {
        let listed: BTreeSet<Object> = self.objects.iter().cloned().collect();
        let line = self.line;
        let too_many = found.difference(&listed).map(|object| {
            format!(
                "{FILE}:{line}: {sentence} {}, which this line does not allow",
                object.written()
            )
        });
        let too_few = listed.difference(found).map(|object| {
            format!(
                "{FILE}:{line}: the line allows {}, which is not so any more",
                object.written()
            )
        });
        too_many.chain(too_few).collect()
    }
}

/// What a manifest names; `dev` if only tests need it.
fn direct(package: &Package) -> BTreeSet<Object> {
    let named = |dev: bool| -> BTreeSet<&str> {
        package
            .dependencies
            .iter()
            .filter(|dependency| (dependency.kind == DependencyKind::Development) == dev)
            .map(|dependency| dependency.name.as_str())
            // Its own tests with another feature.
            .filter(|name| *name != package.name.as_str())
            .collect()
    };
    let (product, tests) = (named(false), named(true));
    let object = |name: &&str, dev| Object {
        name: (*name).to_owned(),
        dev,
    };
    let tests_only = tests.difference(&product).map(|name| object(name, true));
    product
        .iter()
        .map(|name| object(name, false))
        .chain(tests_only)
        .collect()
}

/// The names of all libraries that product code of a crate brings, the crate apart.
fn tree(root: &Path, package: &str) -> Result<BTreeSet<String>, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--locked", "-p", package, "-e", "normal"])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{lib}"])
        .output()
        .map_err(|error| Error::Tree(error.to_string()))?;
    if !output.status.success() {
        return Err(Error::Tree(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let own = package.replace('-', "_");
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != own)
        .map(ToOwned::to_owned)
        .collect())
}
