//! Changes: what they store, and what happens when several meet.

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::steps::{RACERS, ROUNDS, found, insert, set_description, set_status, set_title, stored};
use crate::task::{Description, Expected, Status, TaskChange, TaskRepository, UpdateError, Version};
use crate::testing::{
    a_bare_task, a_change_of_everything, a_change_to_what_it_is, a_task, an_id_at, an_owner, edits, noon,
};

/// The answer of an update and what is stored are both what [`Task::changed`](crate::task::Task::changed) says.
pub async fn an_update_stores_what_the_domain_says(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "before").await;
    let now = noon() + TimeDelta::hours(1) + TimeDelta::microseconds(7);
    let change = a_change_of_everything();
    let expected = task.changed(&change, now);
    let answer = repo
        .update(task.owner(), task.id(), &change, &Expected::Any, now)
        .await
        .expect("an update");
    assert_eq!(answer, expected);
    assert_eq!(found(repo, &task).await, Some(expected));
}

/// Each field counts as a change when no other one changes, whatever may be cleared can be cleared, and whatever was
/// absent can be set.
pub async fn each_field_can_be_changed_alone(repo: &dyn TaskRepository) {
    let now = noon() + TimeDelta::hours(1);
    for change in edits() {
        let full = a_task(&an_owner(), "before");
        assert_ne!(full.changed(&change, now), full, "{change:?}");
        for task in [full, a_bare_task(&an_owner(), "before")] {
            insert(repo, &task).await;
            let wanted = task.changed(&change, now);
            let answer = repo
                .update(task.owner(), task.id(), &change, &Expected::Any, now)
                .await
                .expect("an update");
            assert_eq!(answer, wanted);
            assert_eq!(found(repo, &task).await, Some(wanted));
        }
    }
}

/// Equal values, or no values at all, are no change, conditional or not.
pub async fn a_change_to_equal_values_keeps_version_and_time(repo: &dyn TaskRepository) {
    let now = noon() + TimeDelta::hours(1);
    for task in [a_task(&an_owner(), "same"), a_bare_task(&an_owner(), "same")] {
        insert(repo, &task).await;
        for change in [
            a_change_to_what_it_is(&task),
            TaskChange::default(),
            set_title("same"),
        ] {
            for expected in [Expected::Any, Expected::OneOf(vec![task.version()])] {
                let answer = repo
                    .update(task.owner(), task.id(), &change, &expected, now)
                    .await
                    .expect("an update");
                assert_eq!(answer, task);
            }
        }
        assert_eq!(found(repo, &task).await, Some(task));
    }
}

/// `updated_at` grows with every real change, whatever the clock says.
pub async fn an_update_under_a_clock_that_runs_backwards_still_moves_the_time(repo: &dyn TaskRepository) {
    let mut task = stored(repo, &an_owner(), "before").await;
    for (step, now) in [noon() - TimeDelta::days(1), noon(), task.parts().updated_at]
        .into_iter()
        .enumerate()
    {
        let change = set_title(&format!("step {step}"));
        let expected = task.changed(&change, now);
        assert!(expected.parts().updated_at > task.parts().updated_at);
        let answer = repo
            .update(task.owner(), task.id(), &change, &Expected::Any, now)
            .await
            .expect("an update");
        assert_eq!(answer, expected);
        task = expected;
    }
}

/// "Cleared" and "kept" are different things.
pub async fn a_description_can_be_set_cleared_and_kept(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "title").await;
    let now = noon() + TimeDelta::hours(1);
    for (change, wanted) in [
        (set_description(None), None),
        (set_title("kept none"), None),
        (set_description(Some("")), Some("")),
        (set_description(Some("text")), Some("text")),
        (set_title("kept text"), Some("text")),
    ] {
        let answer = repo
            .update(task.owner(), task.id(), &change, &Expected::Any, now)
            .await
            .expect("an update");
        assert_eq!(
            answer.parts().description.as_ref().map(Description::as_str),
            wanted
        );
        assert_eq!(found(repo, &task).await, Some(answer));
    }
}

/// No update writes back a field that it read earlier.
pub async fn a_kept_field_survives_a_concurrent_change_of_another_field(repo: &dyn TaskRepository) {
    for round in 0..ROUNDS {
        let task = stored(repo, &an_owner(), "before").await;
        let now = noon() + TimeDelta::hours(1);
        let title = set_title(&format!("title {round}"));
        let status = set_status(Status::Completed);
        let description = set_description(Some("described"));
        let changes = [&title, &status, &description];
        let updates = changes.map(|change| repo.update(task.owner(), task.id(), change, &Expected::Any, now));
        for answer in join_all(updates).await {
            answer.expect("an update");
        }
        let after = found(repo, &task).await.expect("the task").into_parts();
        assert_eq!(after.title.as_str(), format!("title {round}"));
        assert_eq!(after.status, Status::Completed);
        assert_eq!(
            after.description.as_ref().map(Description::as_str),
            Some("described")
        );
        assert_eq!(after.version.get(), task.version().get() + 3);
    }
}

/// Refused changes change nothing; the refusal names the version that a client must catch up with.
pub async fn a_stale_expectation_is_refused_and_reveals_the_current_version(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "before").await;
    let stale = [Version::FIRST, task.version().next()];
    for expected in [Expected::OneOf(stale.to_vec()), Expected::OneOf(Vec::new())] {
        let error = repo
            .update(task.owner(), task.id(), &set_title("after"), &expected, noon())
            .await
            .expect_err("a stale version");
        let UpdateError::VersionMismatch { current } = error else {
            panic!("{error:?}")
        };
        assert_eq!(current, task.version());
        let error = repo
            .delete(task.owner(), task.id(), &expected)
            .await
            .expect_err("a stale version");
        let UpdateError::VersionMismatch { current } = error else {
            panic!("{error:?}")
        };
        assert_eq!(current, task.version());
    }
    assert_eq!(found(repo, &task).await, Some(task));
}

/// One match among the expected versions is enough, for an update and for a deletion.
pub async fn any_of_several_expected_versions_will_do(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "before").await;
    let expected = Expected::OneOf(vec![Version::FIRST, task.version()]);
    let changed = repo
        .update(task.owner(), task.id(), &set_title("after"), &expected, noon())
        .await
        .expect("an update");
    let expected = Expected::OneOf(vec![changed.version(), Version::FIRST]);
    repo.delete(task.owner(), task.id(), &expected)
        .await
        .expect("a deletion");
    assert_eq!(found(repo, &task).await, None);
}

/// A missing task is missing, not at another version.
pub async fn an_unknown_task_is_not_found_whatever_is_expected(repo: &dyn TaskRepository) {
    let id = an_id_at(noon());
    for expected in [
        Expected::Any,
        Expected::OneOf(vec![Version::FIRST]),
        Expected::OneOf(Vec::new()),
    ] {
        let error = repo
            .update(&an_owner(), id, &set_title("after"), &expected, noon())
            .await
            .expect_err("an unknown task");
        assert!(matches!(error, UpdateError::NotFound), "{error:?}");
        let error = repo
            .delete(&an_owner(), id, &expected)
            .await
            .expect_err("an unknown task");
        assert!(matches!(error, UpdateError::NotFound), "{error:?}");
    }
}

/// Optimistic locking holds under a race.
pub async fn of_many_writers_expecting_one_version_exactly_one_wins(repo: &dyn TaskRepository) {
    for round in 0..ROUNDS {
        let task = stored(repo, &an_owner(), "before").await;
        let expected = Expected::OneOf(vec![task.version()]);
        let changes: Vec<_> = (0..RACERS)
            .map(|racer| set_title(&format!("round {round}, racer {racer}")))
            .collect();
        let answers = join_all(
            changes
                .iter()
                .map(|change| repo.update(task.owner(), task.id(), change, &expected, noon())),
        )
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "winners of round {round}");
        for error in lost.into_iter().map(|answer| answer.expect_err("a loser")) {
            let UpdateError::VersionMismatch { current } = error else {
                panic!("{error:?}")
            };
            assert_eq!(current, task.version().next());
        }
        let winner = won.into_iter().next().and_then(Result::ok);
        assert_eq!(found(repo, &task).await, winner);
    }
}

/// Without an expectation the last writer wins, and no change is lost from the count.
pub async fn unconditional_writers_all_succeed_and_count_up(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "before").await;
    let changes: Vec<_> = (0..RACERS)
        .map(|racer| set_title(&format!("racer {racer}")))
        .collect();
    let answers = join_all(
        changes
            .iter()
            .map(|change| repo.update(task.owner(), task.id(), change, &Expected::Any, noon())),
    )
    .await;
    let mut versions: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("an update").version().get())
        .collect();
    versions.sort_unstable();
    let first = task.version().get() + 1;
    let wanted: Vec<_> = (first..).take(RACERS).collect();
    assert_eq!(versions, wanted);
}
