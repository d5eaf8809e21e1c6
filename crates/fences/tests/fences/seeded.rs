//! Each fence fails on a violation that was put there, and only then.

use std::fs;
use std::path::Path;

use fences::{Dependencies, Graph, Orders, Target, Workspace, figures};
use tempfile::TempDir;

/// A workspace with these files.
fn workspace(files: &[(&str, &str)]) -> (TempDir, Workspace) {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        &[(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n",
        )],
    );
    write(folder.path(), files);
    let workspace = Workspace::read(folder.path()).unwrap();
    (folder, workspace)
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The graph of a library `house` with these files.
fn house(files: &[(&str, &str)]) -> Graph {
    let folder = TempDir::new().unwrap();
    write(folder.path(), files);
    let target = Target {
        name: "house".to_owned(),
        library: Some("house".to_owned()),
        start: folder.path().join("lib.rs"),
    };
    Graph::read("house", folder.path(), &[target]).unwrap()
}

#[test]
fn a_circle_of_three_files_is_told_with_the_line_of_each_arrow() {
    let graph = house(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod apart;\n"),
        ("a.rs", "use crate::b::B;\n\npub struct A(B);\n"),
        (
            "b.rs",
            "// A comment first.\nuse super::c::C;\npub struct B(C);\n",
        ),
        ("c.rs", "pub struct C;\n\npub fn f() {\n    crate::a::g();\n}\n"),
        ("apart.rs", "use crate::a::A;\npub struct Apart(A);\n"),
    ]);
    assert_eq!(
        graph.circles(),
        ["house: 3 files use each other in a circle\n  \
         crates/house/src/a.rs:1  uses `crate::b::B` of b.rs\n  \
         crates/house/src/b.rs:2  uses `super::c::C` of c.rs\n  \
         crates/house/src/c.rs:4  uses `crate::a::g` of a.rs"]
    );
    assert_eq!(graph.largest_circle(), 3);
    assert_eq!(graph.floors(), 2);
}

/// Whether `a.rs`, which imports from `b.rs`, and `b.rs`, which has this text, make a circle.
fn makes_a_circle(b: &str) -> bool {
    let graph = house(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        (
            "a.rs",
            "use crate::b::B;\npub struct A(B);\nimpl A { pub const ONE: u8 = 1; }\n",
        ),
        ("b.rs", b),
    ]);
    graph.largest_circle() == 2
}

#[test]
fn every_way_to_name_something_is_an_arrow() {
    for b in [
        "use crate::a::A;",
        "use super::a::A as Other;",
        "use super::a::{self, A};",
        "use crate::{a::{A}};",
        // A re-export leads to the file that defines the item.
        "use crate::A;",
        "use super::{A};",
        "fn f() { use crate::A; }",
        "fn f() -> crate::A { loop {} }",
        "fn f() -> u8 { crate::a::A::ONE }",
        "use crate::a; fn f() -> u8 { a::A::ONE }",
        "use super::*; fn f(_: &A) {}",
        "use crate::a::*; fn f(_: &A) {}",
        "impl From<B> for crate::A { fn from(b: B) -> Self { Self(b) } }",
        "fn f() { println!(\"{}\", crate::a::A::ONE); }",
        "#[serde(with = \"crate::a::A\")] struct S;",
        "mod inside { use super::super::a::A; }",
        "use house::A;",
        "pub use crate::a::A;",
        // Made by a macro of `a.rs`, for all that can be seen.
        "use crate::a::Unseen;",
        "#[cfg(feature = \"large\")] use crate::A;",
    ] {
        assert!(makes_a_circle(&format!("{b}\npub struct B;\n")), "{b}");
    }
}

#[test]
fn nothing_else_is_an_arrow() {
    for b in [
        "/// See [`crate::a::A`].",
        "// use crate::a::A;\nconst TEXT: &str = \"use crate::a::A;\";",
        "#[cfg(test)]\nmod tests { use crate::a::A; }",
        "#[cfg(all(test, unix))]\nuse crate::a::A;",
        "#[test]\nfn f() { crate::a::g(); }",
        "use std::fmt as a; fn f(_: a::Error) {}",
        "use other::a::A;",
        "fn f(a: u8) -> u8 { a }",
        "use crate::a;",
        "pub(in crate::a) struct S;",
    ] {
        assert!(!makes_a_circle(&format!("{b}\npub struct B;\n")), "{b}");
    }
}

#[test]
fn a_parent_may_use_its_child_and_a_child_its_parent_but_not_both() {
    let child_of = |parent: &str, child: &str| {
        let files = [("lib.rs", "mod p;"), ("p/mod.rs", parent), ("p/child.rs", child)];
        house(&files).largest_circle()
    };
    let item = "pub struct Own;";
    let uses_the_parent = "use super::Own;\npub struct Child(Own);";
    assert_eq!(
        child_of(
            &format!("mod child;\npub use child::Child;\n{item}"),
            "pub struct Child;"
        ),
        0
    );
    assert_eq!(child_of(&format!("mod child;\n{item}"), uses_the_parent), 0);
    assert_eq!(
        child_of(
            &format!("mod child;\npub use child::Child;\n{item}"),
            uses_the_parent
        ),
        2
    );
    assert_eq!(
        child_of(&format!("mod child;\nuse child::Child;\n{item}"), uses_the_parent),
        2
    );
}

#[test]
fn siblings_that_meet_through_their_parent_use_each_other() {
    let graph = house(&[
        ("lib.rs", "mod p;"),
        (
            "p/mod.rs",
            "mod one;\nmod two;\npub use one::One;\npub use two::Two;\n",
        ),
        ("p/one.rs", "use super::Two;\npub struct One(Two);"),
        ("p/two.rs", "use crate::p::One;\npub struct Two(Box<One>);"),
    ]);
    assert_eq!(graph.largest_circle(), 2);
}

#[test]
fn a_macro_above_is_used_by_its_name_alone() {
    let graph = house(&[
        ("lib.rs", "mod p;"),
        (
            "p.rs",
            "macro_rules! twice { () => {}; }\nmod child;\npub use child::Child;\n",
        ),
        ("p/child.rs", "twice!();\npub struct Child;"),
    ]);
    assert_eq!(graph.largest_circle(), 2);
}

const ORDER: &str = "[house]\nlow  low_too  # side by side\nhigh\n";

fn broken_order(order: &str, low: &str, high: &str) -> Vec<String> {
    let graph = house(&[
        ("lib.rs", "mod low;\nmod low_too;\nmod high;\npub struct Root;\n"),
        ("low.rs", low),
        ("low_too/mod.rs", "mod deep;\npub use deep::Deep;\n"),
        ("low_too/deep.rs", "pub struct Deep;\n"),
        ("high.rs", high),
    ]);
    Orders::parse(order).unwrap().check(&[graph])
}

#[test]
fn an_arrow_down_is_allowed_and_an_arrow_up_is_told() {
    let none: [String; 0] = [];
    assert_eq!(
        broken_order(ORDER, "pub struct Low;", "use crate::low::Low;"),
        none
    );
    assert_eq!(
        broken_order(ORDER, "\nuse crate::high::High;", "pub struct High;"),
        [
            "house: `low` -> `high` points up in crates/fences/rules/modules.txt\n  \
         crates/house/src/low.rs:2  uses `crate::high::High` of high.rs"
        ]
    );
    let to_the_root = broken_order(ORDER, "use crate::Root;", "");
    assert!(
        to_the_root[0].starts_with("house: `low` -> `crate` points up"),
        "{to_the_root:?}"
    );
    let to_the_side = broken_order(ORDER, "use crate::low_too::Deep;", "");
    assert!(
        to_the_side[0].starts_with("house: `low` -> `low_too` are on one line"),
        "{to_the_side:?}"
    );
}

#[test]
fn an_unlisted_module_and_a_listed_one_that_is_not_there_are_told() {
    let order = "[house]\nlow\nhigh\nhighest\n[shed]\n";
    assert_eq!(
        broken_order(order, "", ""),
        [
            "crates/fences/rules/modules.txt: [shed] is no library or binary of this workspace",
            "crates/fences/rules/modules.txt: the module `low_too` is not listed below [house]",
            "crates/fences/rules/modules.txt: [house] has no module `highest`",
        ]
    );
}

#[test]
fn an_order_that_cannot_be_read_is_told_with_its_line() {
    for (order, wanted) in [
        ("low\n[house]\n", "modules.txt:1: "),
        ("[house]\nlow\nlow\n", "modules.txt:3: "),
        ("[house]\n\n[house]\n", "modules.txt:3: "),
    ] {
        let error = Orders::parse(order).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

const RULES: &str =
    "domain uses\nadapter uses domain\nserde only domain(dev)\nhttp-* only adapter elsewhere\n";

fn broken_manifests(domain: &str, adapter: &str) -> Vec<String> {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let (_folder, workspace) = workspace(&[
        ("crates/domain/Cargo.toml", &manifest("domain", domain)),
        ("crates/domain/src/lib.rs", ""),
        ("crates/adapter/Cargo.toml", &manifest("adapter", adapter)),
        ("crates/adapter/src/lib.rs", ""),
    ]);
    Dependencies::parse(RULES).unwrap().check(&workspace.packages())
}

const DOMAIN: &str = "[dev-dependencies]\nserde = \"1\"\n";
const ADAPTER: &str = "[dependencies]\ndomain = { path = \"../domain\" }\nhttp-server = \"1\"\n";

#[test]
fn manifests_that_keep_the_rules_pass() {
    let none: [String; 0] = [];
    assert_eq!(broken_manifests(DOMAIN, ADAPTER), none);
}

#[test]
fn a_forbidden_dependency_of_any_kind_is_told() {
    for (domain, adapter, wanted) in [
        (
            "[dependencies]\nserde = \"1\"\n",
            ADAPTER,
            "serde is used by domain, which",
        ),
        (
            "[dev-dependencies]\nserde = \"1\"\nhttp-client = \"1\"\n",
            ADAPTER,
            "http-* is used by domain(dev), which",
        ),
        (
            "[dev-dependencies]\nserde = \"1\"\n[target.'cfg(windows)'.build-dependencies]\nhttp-client = \"1\"\n",
            ADAPTER,
            "http-* is used by domain, which",
        ),
        (
            "[dev-dependencies]\nserde = \"1\"\n[dependencies]\nquick = { package = \"http-client\", version = \"1\" }\n",
            ADAPTER,
            "http-* is used by domain, which",
        ),
        (
            DOMAIN,
            "[dependencies]\nhttp-server = \"1\"\n[dev-dependencies]\ndomain = { path = \"../domain\" }\n",
            "crates/adapter uses domain(dev), which",
        ),
    ] {
        let broken = broken_manifests(domain, adapter);
        let wanted = format!("{wanted} this line does not allow");
        assert!(
            broken.iter().any(|text| text.ends_with(&wanted)),
            "{wanted}: {broken:?}"
        );
    }
}

#[test]
fn a_permission_that_nobody_needs_is_told() {
    let broken = broken_manifests("", ADAPTER);
    assert_eq!(
        broken,
        ["crates/fences/rules/dependencies.txt:3: the line allows domain(dev), which is not so any more"]
    );
}

#[test]
fn a_crate_without_a_line_is_told() {
    let (_folder, workspace) = workspace(&[
        (
            "crates/new/Cargo.toml",
            "[package]\nname = \"new\"\nversion = \"0.1.0\"\n",
        ),
        ("crates/new/src/lib.rs", ""),
    ]);
    assert_eq!(
        Dependencies::parse("").unwrap().check(&workspace.packages()),
        ["crates/fences/rules/dependencies.txt: no line says what crates/new uses"]
    );
}

#[test]
fn what_product_code_brings_is_held_against_its_line() {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    // Paths in place of versions: cargo need not ask a registry.
    let (folder, workspace) = workspace(&[
        (
            "crates/top/Cargo.toml",
            &manifest(
                "top",
                "[dependencies]\nmiddle-part = { path = \"../middle-part\" }\n\
                 [dev-dependencies]\nonly-tests = { path = \"../only-tests\" }\n",
            ),
        ),
        ("crates/top/src/lib.rs", ""),
        (
            "crates/middle-part/Cargo.toml",
            &manifest(
                "middle-part",
                "[dependencies]\ntracing-bottom = { path = \"../tracing-bottom\" }\n",
            ),
        ),
        ("crates/middle-part/src/lib.rs", ""),
        (
            "crates/tracing-bottom/Cargo.toml",
            &manifest("tracing-bottom", ""),
        ),
        ("crates/tracing-bottom/src/lib.rs", ""),
        ("crates/only-tests/Cargo.toml", &manifest("only-tests", "")),
        ("crates/only-tests/src/lib.rs", ""),
        (
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"middle-part\"\nversion = \"0.1.0\"\ndependencies = [\n \"tracing-bottom\",\n]\n\n\
             [[package]]\nname = \"only-tests\"\nversion = \"0.1.0\"\n\n\
             [[package]]\nname = \"top\"\nversion = \"0.1.0\"\ndependencies = [\n \"middle-part\",\n \"only-tests\",\n]\n\n\
             [[package]]\nname = \"tracing-bottom\"\nversion = \"0.1.0\"\n",
        ),
    ]);
    assert_eq!(workspace.packages().len(), 4);
    let broken = |rules: &str| {
        Dependencies::parse(rules)
            .unwrap()
            .check_trees(folder.path())
            .unwrap()
    };
    let none: [String; 0] = [];
    assert_eq!(
        broken("top brings middle_part tracing_bottom\ntop never only*\n"),
        none
    );
    assert_eq!(
        broken("top brings middle_part\ntop never *bottom"),
        [
            "crates/fences/rules/dependencies.txt:1: top brings tracing_bottom, which this line does not allow",
            "crates/fences/rules/dependencies.txt:2: top must not bring tracing_bottom",
        ]
    );
}

#[test]
fn figures_count_lines_files_floors_circles_and_binaries_of_tests() {
    let (_folder, workspace) = workspace(&[
        (
            "crates/new/Cargo.toml",
            "[package]\nname = \"new\"\nversion = \"0.1.0\"\n",
        ),
        ("crates/new/src/lib.rs", "mod a;\nmod b;\n"),
        ("crates/new/src/a/mod.rs", "use crate::b::B;\npub struct A;\n"),
        ("crates/new/src/b.rs", "use crate::a::A;\npub struct B;\n"),
        ("crates/new/src/main.rs", "use new::a::A;\nfn main() {}\n"),
        ("crates/new/tests/one.rs", ""),
        ("crates/new/tests/two/main.rs", ""),
    ]);
    let table = figures(&workspace).unwrap();
    assert_eq!(table.lines().last(), Some("| new | 8 | 4 | 3 | 2 | 2 | 2 |"));
}
