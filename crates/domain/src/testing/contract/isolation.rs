//! No one reaches what belongs to another user.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::steps::{all, found, insert, set_title, stored};
use crate::task::{Expected, Task, TaskId, TaskRepository, UpdateError, Version};
use crate::testing::{an_owner, an_owner_named, noon};

/// Ids are unique per owner: no one can learn about, or block, the ids of others.
pub async fn two_owners_may_hold_the_same_id(repo: &dyn TaskRepository) {
    let mine = stored(repo, &an_owner(), "mine").await;
    let mut parts = mine.clone().into_parts();
    parts.owner = an_owner_named("somebody else");
    let theirs = Task::restore(parts).expect("consistent facts");
    insert(repo, &theirs).await;
    repo.update(
        theirs.owner(),
        theirs.id(),
        &set_title("changed"),
        &Expected::Any,
        noon(),
    )
    .await
    .expect("an update");
    assert_eq!(found(repo, &mine).await.as_ref(), Some(&mine));
    repo.delete(theirs.owner(), theirs.id(), &Expected::Any)
        .await
        .expect("a deletion");
    assert_eq!(found(repo, &mine).await, Some(mine));
}

/// Not by looking, not by listing, not by changing, not by deleting, not even with the right version.
pub async fn another_owner_sees_and_changes_nothing(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "mine").await;
    let stranger = an_owner_named("somebody else");
    assert_eq!(repo.find(&stranger, task.id()).await.expect("a look-up"), None);
    assert_eq!(all(repo, &stranger).await, []);
    for expected in [
        Expected::Any,
        Expected::OneOf(vec![task.version()]),
        Expected::OneOf(vec![Version::FIRST]),
    ] {
        let error = repo
            .update(&stranger, task.id(), &set_title("theirs"), &expected, noon())
            .await
            .expect_err("a foreign task");
        assert!(matches!(error, UpdateError::NotFound), "{error:?}");
        let error = repo
            .delete(&stranger, task.id(), &expected)
            .await
            .expect_err("a foreign task");
        assert!(matches!(error, UpdateError::NotFound), "{error:?}");
    }
    assert_eq!(found(repo, &task).await, Some(task));
}

/// No trimming, no case folding, no normalisation, no collation.
pub async fn owners_are_told_apart_byte_for_byte(repo: &dyn TaskRepository) {
    let owners = [
        "alice",
        "Alice",
        "alice ",
        " alice",
        "alic\u{e9}",
        "alice\u{301}",
        "a%",
        "a_",
        "al",
        "ß",
        "ss",
    ];
    for name in owners {
        stored(repo, &an_owner_named(name), name).await;
    }
    for name in owners {
        let owner = an_owner_named(name);
        let titles: Vec<_> = all(repo, &owner)
            .await
            .iter()
            .map(|task| task.parts().title.as_str().to_owned())
            .collect();
        assert_eq!(titles, [name]);
    }
}

/// Random histories of several owners, interleaved, leave each owner with what a model of theirs alone says.
pub async fn each_owner_sees_exactly_what_their_own_history_left(repo: &dyn TaskRepository) {
    let owners = ["ann", "bob", "cy", "dee"].map(an_owner_named);
    let mut models: Vec<BTreeMap<TaskId, Task>> = vec![BTreeMap::new(); owners.len()];
    let mut dice = Dice(0x5eed_2026);
    for step in 0..120_i64 {
        let actor = dice.below(owners.len());
        let victim = dice.below(owners.len());
        let now = noon() + TimeDelta::seconds(step);
        let id = models[victim]
            .keys()
            .nth(dice.below(models[victim].len().max(1)))
            .copied();
        match (dice.below(4), id) {
            (2, Some(id)) => {
                let change = set_title(&format!("changed in step {step}"));
                let answer = repo
                    .update(&owners[actor], id, &change, &Expected::Any, now)
                    .await;
                if let Some(task) = models[actor].get_mut(&id) {
                    *task = task.changed(&change, now);
                    assert_eq!(answer.expect("an update"), *task);
                } else {
                    assert!(matches!(answer, Err(UpdateError::NotFound)));
                }
            }
            (3, Some(id)) => {
                let answer = repo.delete(&owners[actor], id, &Expected::Any).await;
                if models[actor].remove(&id).is_some() {
                    answer.expect("a deletion");
                } else {
                    assert!(matches!(answer, Err(UpdateError::NotFound)));
                }
            }
            _ => {
                let task = stored(repo, &owners[actor], &format!("made in step {step}")).await;
                models[actor].insert(task.id(), task);
            }
        }
    }
    for (owner, model) in owners.iter().zip(&models) {
        let newest_first: Vec<_> = model.values().rev().cloned().collect();
        assert_eq!(all(repo, owner).await, newest_first);
    }
}

/// A tiny generator of repeatable random choices (an LCG with Knuth's constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}
