//! What this workspace keeps to. `crates/fences/src/lib.rs` says what the words of an error mean.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fences::{Dependencies, Orders, Workspace};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn this_workspace() -> Workspace {
    Workspace::read(&root()).unwrap()
}

fn rules(name: &str) -> String {
    fs::read_to_string(root().join("crates/fences/rules").join(name)).unwrap()
}

#[track_caller]
fn holds(broken: &[String]) {
    assert!(broken.is_empty(), "\n\n{}\n", broken.join("\n\n"));
}

#[test]
fn every_crate_uses_what_it_may_and_nothing_else() {
    let rules = Dependencies::parse(&rules("dependencies.txt")).unwrap();
    holds(&rules.check(&this_workspace().packages()));
}

#[test]
fn product_code_brings_what_it_may_and_nothing_else() {
    let rules = Dependencies::parse(&rules("dependencies.txt")).unwrap();
    holds(&rules.check_trees(&root()).unwrap());
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let graphs = this_workspace().graphs().unwrap();
    let circles: Vec<String> = graphs.iter().flat_map(fences::Graph::circles).collect();
    holds(&circles);
}

#[test]
fn modules_use_only_those_below_them() {
    let orders = Orders::parse(&rules("modules.txt")).unwrap();
    holds(&orders.check(&this_workspace().graphs().unwrap()));
}

#[test]
fn the_tests_of_every_crate_are_run() {
    let check = fs::read_to_string(root().join(".ci/check")).unwrap();
    let line = check
        .lines()
        .find_map(|line| line.strip_prefix("tested=(")?.strip_suffix(')'));
    let tested: BTreeSet<&str> = line.unwrap().split_whitespace().collect();
    let workspace = this_workspace();
    let crates: BTreeSet<&str> = workspace
        .packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    // This one is run by the step `fences`.
    let forgotten = crates.difference(&tested).filter(|name| **name != "fences");
    let forgotten: Vec<String> = forgotten
        .map(|name| format!("nobody runs the tests of crates/{name}: add it to `tested` in .ci/check"))
        .collect();
    holds(&forgotten);
}
