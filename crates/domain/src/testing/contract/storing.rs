//! What is stored is what comes back.

use super::steps::{found, insert, key, stored};
use crate::task::{
    Description, Edit, Expected, IdempotencyKey, InsertError, Inserted, Status, Task, TaskChange,
    TaskRepository, Title,
};
use crate::testing::{a_bare_task, a_task_at_every_limit, a_task_with, an_owner, noon};

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

/// A title that an older version took is read as it is, and kept by changes of other fields.
pub async fn a_title_of_an_older_version_reads_back_unchanged(repo: &dyn TaskRepository) {
    for title in ["\u{200b}", "a\u{2028}b", "\u{feff}\u{3164}"] {
        let mut parts = a_bare_task(&an_owner(), "t").into_parts();
        parts.title = Title::stored(title).expect("a title of an older version");
        let task = Task::restore(parts).expect("consistent facts");
        insert(repo, &task).await;
        assert_eq!(found(repo, &task).await.as_ref(), Some(&task));
        let change = TaskChange {
            status: Edit::Set(Status::Completed),
            ..TaskChange::default()
        };
        let changed = repo
            .update(&an_owner(), task.id(), &change, &Expected::Any, noon())
            .await
            .expect("a change");
        assert_eq!(changed.parts().title, task.parts().title);
    }
}

/// The longest texts, the latest version and times far apart fit, and so does a task without anything that it may lack.
pub async fn a_task_at_every_limit_reads_back_unchanged(repo: &dyn TaskRepository) {
    let largest = a_task_at_every_limit();
    let longest_key = key(&"k".repeat(IdempotencyKey::MAX_CHARS), 255);
    let inserted = repo.insert(&largest, Some(longest_key)).await;
    assert_eq!(inserted.expect("an insertion"), Inserted::New);
    let bare = a_bare_task(&an_owner(), "t");
    insert(repo, &bare).await;
    for task in [largest, bare] {
        assert_eq!(found(repo, &task).await, Some(task));
    }
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
