//! A key stands for one creation.

use futures_util::future::join_all;

use super::steps::{RACERS, ROUNDS, all, key, set_title, stored};
use crate::task::{Expected, InsertError, Inserted, TaskRepository};
use crate::testing::{a_task, an_owner, an_owner_named, noon};

/// A retried creation stores nothing and gets the task that the first try made, changes since then included.
pub async fn a_repeated_key_answers_the_stored_task_as_it_is_now(repo: &dyn TaskRepository) {
    let original = a_task(&an_owner(), "original");
    let inserted = repo
        .insert(&original, Some(key("k-1", 1)))
        .await
        .expect("an insertion");
    assert_eq!(inserted, Inserted::New);
    let changed = repo
        .update(
            original.owner(),
            original.id(),
            &set_title("changed"),
            &Expected::Any,
            noon(),
        )
        .await
        .expect("an update");
    let repeat = a_task(&an_owner(), "original");
    let inserted = repo.insert(&repeat, Some(key("k-1", 1))).await.expect("a replay");
    assert_eq!(inserted, Inserted::Replayed(changed.clone()));
    let same_id = repo
        .insert(&original, Some(key("k-1", 1)))
        .await
        .expect("a replay");
    assert_eq!(same_id, Inserted::Replayed(changed.clone()));
    assert_eq!(all(repo, &an_owner()).await, [changed]);
}

/// One key cannot stand for two creations.
pub async fn a_key_with_another_fingerprint_is_refused(repo: &dyn TaskRepository) {
    let original = a_task(&an_owner(), "original");
    repo.insert(&original, Some(key("k-1", 1)))
        .await
        .expect("an insertion");
    let other = a_task(&an_owner(), "other");
    let error = repo
        .insert(&other, Some(key("k-1", 2)))
        .await
        .expect_err("a reused key");
    assert!(matches!(error, InsertError::IdempotencyKeyReused), "{error:?}");
    assert_eq!(all(repo, &an_owner()).await, [original]);
}

/// Two owners may use the same key; tasks without a key never meet each other.
pub async fn a_key_belongs_to_its_owner(repo: &dyn TaskRepository) {
    for owner in [an_owner(), an_owner_named("somebody else")] {
        let task = a_task(&owner, "task");
        let inserted = repo
            .insert(&task, Some(key("k-1", 1)))
            .await
            .expect("an insertion");
        assert_eq!(inserted, Inserted::New);
        stored(repo, &owner, "without a key").await;
        stored(repo, &owner, "without a key").await;
        assert_eq!(all(repo, &owner).await.len(), 3);
    }
}

/// A key lives as long as its task.
pub async fn a_key_is_free_again_when_its_task_is_deleted(repo: &dyn TaskRepository) {
    let first = a_task(&an_owner(), "first");
    repo.insert(&first, Some(key("k-1", 1)))
        .await
        .expect("an insertion");
    repo.delete(first.owner(), first.id(), &Expected::Any)
        .await
        .expect("a deletion");
    let second = a_task(&an_owner(), "second");
    let inserted = repo
        .insert(&second, Some(key("k-1", 2)))
        .await
        .expect("an insertion");
    assert_eq!(inserted, Inserted::New);
}

/// Concurrent repeats of one creation make one task, and everyone gets that one.
pub async fn of_many_creators_with_one_key_exactly_one_stores(repo: &dyn TaskRepository) {
    for round in 0..ROUNDS {
        let owner = an_owner_named(&format!("owner of round {round}"));
        let tasks: Vec<_> = (0..RACERS).map(|_| a_task(&owner, "one")).collect();
        let answers = join_all(tasks.iter().map(|task| repo.insert(task, Some(key("k-1", 1))))).await;
        let kept = all(repo, &owner).await;
        assert_eq!(kept.len(), 1, "tasks of round {round}");
        let mut stored = 0;
        for (task, answer) in tasks.iter().zip(answers) {
            match answer.expect("an insertion or a replay") {
                Inserted::New => {
                    stored += 1;
                    assert_eq!(*task, kept[0]);
                }
                Inserted::Replayed(task) => assert_eq!(task, kept[0]),
            }
        }
        assert_eq!(stored, 1, "stored in round {round}");
    }
}
