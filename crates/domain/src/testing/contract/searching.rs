//! Searches: what a term is found in.

use super::steps::{insert, stored, walk_through};
use crate::task::{SearchTerm, Sort, Task, TaskFilter, TaskRepository};
use crate::testing::{a_task_with, an_owner};

/// Texts that differ in letter case, in accents, in spelling or in what `LIKE` would take for a wildcard.
const TITLES: [&str; 25] = [
    "École",
    "école",
    "ecole",
    "İstanbul",
    "istanbul",
    "i\u{307}stanbul",
    "STRAẞE",
    "straße",
    "strasse",
    "ΟΔΟΣ",
    "οδος",
    "οδοσ",
    "ΟΔΌΣ ΜΟΥ",
    "50% off",
    "50 off",
    "a_b",
    "aXb",
    r"back\slash",
    "ДОМ",
    "дом",
    "ﬁn",
    "FIN",
    "Ǆ",
    "ǆ",
    "Å",
];

/// Each is looked for in all of [`TITLES`].
const TERMS: [&str; 26] = [
    "ÉCOLE",
    "école",
    "ecole",
    "İSTANBUL",
    "istanbul",
    "I\u{307}STANBUL",
    "STRAẞE",
    "straße",
    "STRASSE",
    "οδος",
    "ΟΔΟΣ",
    "οδοσ",
    "οδός",
    "ς",
    "%",
    "_",
    r"\",
    "50%",
    "a_b",
    "дОм",
    "fin",
    "ﬁ",
    "ǅ",
    "å",
    "ss",
    "i",
];

async fn stored_with_title_alone(repo: &dyn TaskRepository, title: &str) -> Task {
    let task = a_task_with(&an_owner(), title, |parts| parts.description = None);
    insert(repo, &task).await;
    task
}

/// Letter case does not matter in any script, wildcards stand for themselves, and accents count.
pub async fn a_search_folds_letter_case_as_the_domain_does(repo: &dyn TaskRepository) {
    let mut tasks = Vec::new();
    for title in TITLES {
        tasks.push(stored_with_title_alone(repo, title).await);
    }
    for term in TERMS {
        let search = SearchTerm::parse(term).expect("a search term");
        let wanted: Vec<_> = tasks
            .iter()
            .rev()
            .filter(|task| search.is_in(task.parts()))
            .cloned()
            .collect();
        let filter = TaskFilter {
            search: Some(search),
            ..TaskFilter::default()
        };
        let listed = walk_through(repo, &filter, Sort::default(), 100).await;
        assert_eq!(listed, wanted, "{term}");
    }
}

/// The description is searched as well as the title; without one, the title alone.
pub async fn a_search_looks_into_descriptions(repo: &dyn TaskRepository) {
    let with = stored(repo, &an_owner(), "title").await;
    stored_with_title_alone(repo, "other").await;
    let search = SearchTerm::parse("BLUE one").expect("a search term");
    let filter = TaskFilter {
        search: Some(search),
        ..TaskFilter::default()
    };
    assert_eq!(walk_through(repo, &filter, Sort::default(), 10).await, [with]);
}
