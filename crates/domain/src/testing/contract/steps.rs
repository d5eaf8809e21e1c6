//! What the cases are made of.

use crate::identity::Owner;
use crate::task::{
    Description, Edit, Fingerprint, IdempotencyKey, Inserted, PageLimit, Sort, Status, Task, TaskChange,
    TaskFilter, TaskQuery, TaskRepository, Title,
};
use crate::testing::{a_task, an_owner};

// How often a race is run: a broken adapter survives one round easily.
pub(super) const ROUNDS: usize = 20;
pub(super) const RACERS: usize = 8;
// A walk that is longer than this goes in circles.
pub(super) const MOST_PAGES: usize = 1_000;

pub(super) async fn stored(repo: &dyn TaskRepository, owner: &Owner, title: &str) -> Task {
    let task = a_task(owner, title);
    insert(repo, &task).await;
    task
}

pub(super) async fn insert(repo: &dyn TaskRepository, task: &Task) {
    assert_eq!(
        repo.insert(task, None).await.expect("an insertion"),
        Inserted::New
    );
}

pub(super) async fn found(repo: &dyn TaskRepository, task: &Task) -> Option<Task> {
    repo.find(task.owner(), task.id()).await.expect("a look-up")
}

pub(super) async fn all(repo: &dyn TaskRepository, owner: &Owner) -> Vec<Task> {
    walk(repo, owner, PageLimit::MAX).await
}

pub(super) async fn walk(repo: &dyn TaskRepository, owner: &Owner, limit: u16) -> Vec<Task> {
    walk_from(repo, owner, newest_first(limit)).await
}

/// All tasks of [`an_owner`] that match, page by page.
pub(super) async fn walk_through(
    repo: &dyn TaskRepository,
    filter: &TaskFilter,
    sort: Sort,
    limit: u16,
) -> Vec<Task> {
    let query = TaskQuery::new(filter.clone(), sort, limit_of(limit), None).expect("no cursor");
    walk_from(repo, &an_owner(), query).await
}

async fn walk_from(repo: &dyn TaskRepository, owner: &Owner, mut query: TaskQuery) -> Vec<Task> {
    let mut tasks = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = repo.list(owner, &query).await.expect("a page");
        tasks.extend(page.items);
        match page.next {
            Some(cursor) => query = query.continued(cursor).expect("a cursor of this list"),
            None => return tasks,
        }
    }
    panic!("the walk through the pages does not end");
}

pub(super) fn newest_first(limit: u16) -> TaskQuery {
    TaskQuery::new(TaskFilter::default(), Sort::default(), limit_of(limit), None).expect("no cursor")
}

pub(super) fn limit_of(number: u16) -> PageLimit {
    PageLimit::new(number.into()).expect("a valid limit")
}

pub(super) fn set_title(text: &str) -> TaskChange {
    TaskChange {
        title: Edit::Set(Title::parse(text).expect("a valid title")),
        ..TaskChange::default()
    }
}

pub(super) fn set_status(status: Status) -> TaskChange {
    TaskChange {
        status: Edit::Set(status),
        ..TaskChange::default()
    }
}

pub(super) fn set_description(description: Option<&str>) -> TaskChange {
    let description = description.map(|text| Description::parse(text).expect("a valid description"));
    TaskChange {
        description: Edit::Set(description),
        ..TaskChange::default()
    }
}

pub(super) fn key(text: &str, fingerprint: u8) -> IdempotencyKey {
    IdempotencyKey::new(text, Fingerprint([fingerprint; 32])).expect("a valid key")
}
