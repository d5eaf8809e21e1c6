//! What is stored is what comes back.

use chrono::TimeDelta;

use super::steps::{found, insert, key, stored};
use crate::identity::Owner;
use crate::task::{
    Description, IdempotencyKey, InsertError, Inserted, Status, Task, TaskParts, TaskRepository, Title,
    Version,
};
use crate::testing::{a_task_with, an_id_at, an_owner, an_owner_named, noon};

/// Every field, quotes, line breaks, right-to-left text, emoji and single microseconds come back as they went in.
pub async fn a_stored_task_reads_back_unchanged(repo: &dyn TaskRepository) {
    let description = "first 'line'\n\"second\" \\ %_ ; -- \r\n\tמשימה \u{202e}👩‍👩‍👧‍👦 é e\u{301}";
    for (title, description, status) in [
        (
            "it's \"quoted\" \\ and ; DROP TABLE tasks; --",
            Some(description),
            Status::Pending,
        ),
        (" مهمة مع مسافات ", Some(""), Status::InProgress),
        ("😀 %s $1 ?1 {}", None, Status::Completed),
    ] {
        let task = a_task_with(&an_owner(), title, |parts| {
            parts.description =
                description.map(|text| Description::parse(text).expect("a valid description"));
            parts.status = status;
        });
        insert(repo, &task).await;
        assert_eq!(found(repo, &task).await, Some(task));
    }
}

/// The longest texts, the latest version and times far apart fit.
pub async fn a_task_at_every_limit_reads_back_unchanged(repo: &dyn TaskRepository) {
    let id = an_id_at(noon());
    let parts = TaskParts {
        id,
        owner: an_owner_named(&"😀".repeat(Owner::MAX_CHARS)),
        title: Title::parse("😀".repeat(Title::MAX_CHARS)).expect("a valid title"),
        description: Some(
            Description::parse("😀".repeat(Description::MAX_CHARS)).expect("a valid description"),
        ),
        status: Status::Completed,
        version: Version::new(i32::MAX).expect("a valid version"),
        created_at: id.created_at(),
        updated_at: id.created_at() + TimeDelta::days(200_000) + TimeDelta::microseconds(1),
    };
    let task = Task::restore(parts).expect("consistent facts");
    let longest_key = key(&"k".repeat(IdempotencyKey::MAX_CHARS), 255);
    let inserted = repo.insert(&task, Some(longest_key)).await.expect("an insertion");
    assert_eq!(inserted, Inserted::New);
    assert_eq!(found(repo, &task).await, Some(task));
}

/// A second task with the same id is refused, and the first stays as it was.
pub async fn an_id_is_stored_once(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "first").await;
    let second = a_task_with(&an_owner(), "second", |parts| {
        parts.id = task.id();
        parts.created_at = task.id().created_at();
    });
    let error = repo.insert(&second, None).await.expect_err("a taken id");
    assert!(matches!(error, InsertError::AlreadyExists), "{error:?}");
    assert_eq!(found(repo, &task).await, Some(task));
}
