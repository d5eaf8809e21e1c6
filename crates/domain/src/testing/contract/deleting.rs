//! Deleting is final.

use futures_util::future::join_all;

use super::steps::{RACERS, ROUNDS, all, found, insert, set_title, stored};
use crate::task::{Expected, Status, StatusSet, TaskRepository, UpdateError};
use crate::testing::{a_task_with, an_owner, an_owner_named, noon};

/// A deleted task is never met again, anyone who asks for its id; its neighbours stay.
pub async fn a_deleted_task_is_gone_and_its_id_stays_unknown(repo: &dyn TaskRepository) {
    let kept = stored(repo, &an_owner(), "kept").await;
    let task = stored(repo, &an_owner(), "deleted").await;
    repo.delete(task.owner(), task.id(), &Expected::Any)
        .await
        .expect("a deletion");
    assert_eq!(found(repo, &task).await, None);
    assert_eq!(all(repo, &an_owner()).await, [kept]);
    let error = repo
        .delete(task.owner(), task.id(), &Expected::Any)
        .await
        .expect_err("a second deletion");
    assert!(matches!(error, UpdateError::NotFound), "{error:?}");
    let error = repo
        .update(
            task.owner(),
            task.id(),
            &set_title("back"),
            &Expected::Any,
            noon(),
        )
        .await
        .expect_err("an update of a deleted task");
    assert!(matches!(error, UpdateError::NotFound), "{error:?}");
}

/// Exactly one caller is told that it deleted.
pub async fn of_many_deleters_exactly_one_deletes(repo: &dyn TaskRepository) {
    for round in 0..ROUNDS {
        let task = stored(repo, &an_owner(), "deleted").await;
        let answers =
            join_all((0..RACERS).map(|_| repo.delete(task.owner(), task.id(), &Expected::Any))).await;
        let deleted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(deleted, 1, "deleters of round {round}");
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(matches!(error, UpdateError::NotFound), "{error:?}");
        }
    }
}

/// Everything with one of the statuses goes, and nothing else, and nothing of anyone else.
pub async fn deleting_by_status_takes_exactly_those_tasks(repo: &dyn TaskRepository) {
    let stranger = an_owner_named("somebody else");
    let theirs = stored(repo, &stranger, "in progress, too").await;
    let mut kept = Vec::new();
    for status in Status::ALL {
        let task = a_task_with(&an_owner(), status.as_str(), |parts| parts.status = status);
        insert(repo, &task).await;
        if status == Status::Pending {
            kept.push(task);
        }
    }
    let statuses = StatusSet::new([Status::InProgress, Status::Completed]).expect("two statuses");
    let deleted = repo
        .delete_with_status(&an_owner(), &statuses)
        .await
        .expect("a deletion");
    assert_eq!(deleted, 2);
    assert_eq!(all(repo, &an_owner()).await, kept);
    assert_eq!(all(repo, &stranger).await, [theirs]);
    let deleted = repo
        .delete_with_status(&an_owner(), &statuses)
        .await
        .expect("a deletion");
    assert_eq!(deleted, 0);
}
