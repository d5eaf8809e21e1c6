//! What the documents say about the code is true.

use std::collections::BTreeSet;

use api_actix::problem::Code;

#[test]
fn the_table_of_errors_lists_every_code_with_its_status_and_no_other() {
    let document = include_str!("../../../docs/errors.md");
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
