//! The documents tell the truth about the code.

use std::collections::BTreeSet;
use std::path::Path;

use adapters_http::problem::Code;

#[test]
fn the_table_of_errors_lists_every_code_with_its_status_and_no_other() {
    let document = include_str!("../../../../docs/errors.md");
    let documented: BTreeSet<(u16, String)> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let status = cells.next()?.parse().ok()?;
            Some((status, cells.next()?.trim_matches('`').to_owned()))
        })
        .collect();
    let real: BTreeSet<(u16, String)> = Code::ALL
        .iter()
        .map(|code| (code.status().as_u16(), code.as_str().to_owned()))
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn every_risk_of_the_document_on_security_names_tests_and_all_of_them_exist() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = include_str!("../../../../docs/SECURITY.md");
    let tests_of = |text: &'static str| text.split('`').filter(|part| part.starts_with("crates/"));
    for number in 1..=10 {
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| API{number} ")));
        assert!(
            row.is_some_and(|row| tests_of(row).next().is_some()),
            "API{number}"
        );
    }
    for named in tests_of(document) {
        let (file, test) = named.split_once("::").unwrap_or((named, ""));
        let source = std::fs::read_to_string(repository.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(source.contains(&format!("fn {test}")), "{named}");
    }
}

#[test]
fn whatever_is_released_together_has_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, text, wanted) in [
        (
            "CHANGELOG.md",
            include_str!("../../../../docs/CHANGELOG.md"),
            format!("\n## {version}"),
        ),
        (
            "clients/typescript/package.json",
            include_str!("../../../../docs/clients/typescript/package.json"),
            format!("\"version\": \"{version}\""),
        ),
        (
            "examples/web/package.json",
            include_str!("../../../../docs/examples/web/package.json"),
            format!("\"version\": \"{version}\""),
        ),
        (
            "deploy/kubernetes.yaml",
            include_str!("../../../../docs/deploy/kubernetes.yaml"),
            format!("/task-api:{version}\n"),
        ),
    ] {
        assert!(
            text.contains(&wanted),
            "docs/{file} is of another version than {version}"
        );
    }
}
