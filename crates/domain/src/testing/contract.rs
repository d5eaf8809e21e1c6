//! The contract of [`TaskRepository`], one function per promise.
//!
//! An adapter passes it with one line in its `tests/contract.rs`:
//!
//! ```text
//! domain::task_repository_contract!(#[ignore = "needs PostgreSQL"] fresh);
//! ```
//!
//! where `async fn fresh() -> (Guard, impl TaskRepository)` makes an empty repository and the guard keeps whatever
//! must outlive the test. Each case becomes a test of its own name.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::{a_task, an_id_at, an_owner, an_owner_named, noon};
use crate::identity::Owner;
use crate::task::{
    Description, Edit, Expected, Fingerprint, IdempotencyKey, Inserted, NewTask, PageLimit, RepositoryError,
    Status, Task, TaskChange, TaskId, TaskParts, TaskQuery, TaskRepository, Title, Version,
};

/// Expands to one named test per case of the contract, each over its own fresh repository.
#[macro_export]
macro_rules! task_repository_contract {
    ($(#[$attribute:meta])* $fresh:path) => {
        $crate::task_repository_contract! { @each [$(#[$attribute])*] $fresh;
            a_stored_task_reads_back_unchanged
            a_task_at_every_limit_reads_back_unchanged
            an_id_is_stored_once
            two_owners_may_hold_the_same_id
            another_owner_sees_and_changes_nothing
            owners_are_told_apart_byte_for_byte
            each_owner_sees_exactly_what_their_own_history_left
            an_update_stores_what_the_domain_says
            a_change_to_equal_values_keeps_version_and_time
            an_update_under_a_clock_that_runs_backwards_still_moves_the_time
            a_description_can_be_set_cleared_and_kept
            a_kept_field_survives_a_concurrent_change_of_another_field
            a_stale_expectation_is_refused_and_reveals_the_current_version
            any_of_several_expected_versions_will_do
            an_unknown_task_is_not_found_whatever_is_expected
            of_many_writers_expecting_one_version_exactly_one_wins
            unconditional_writers_all_succeed_and_count_up
            a_deleted_task_is_gone_and_its_id_stays_unknown
            of_many_deleters_exactly_one_deletes
            an_owner_without_tasks_has_an_empty_last_page
            a_list_is_newest_first
            pages_join_up_without_gap_or_repeat_while_tasks_come_and_go
            a_cursor_outlives_its_task
            a_repeated_key_answers_the_stored_task_as_it_is_now
            a_key_with_another_fingerprint_is_refused
            a_key_belongs_to_its_owner
            a_key_is_free_again_when_its_task_is_deleted
            of_many_creators_with_one_key_exactly_one_stores
        }
    };
    (@each $attributes:tt $fresh:path; $($case:ident)+) => {
        $($crate::task_repository_contract! { @one $attributes $fresh; $case })+
    };
    (@one [$($attribute:tt)*] $fresh:path; $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attribute)*
        async fn $case() {
            let (_guard, repository) = $fresh().await;
            $crate::testing::contract::$case(&repository).await;
        }
    };
}

// How often a race is run: a broken adapter survives one round easily.
const ROUNDS: usize = 20;
const RACERS: usize = 8;
// A walk that is longer than this goes in circles.
const MOST_PAGES: usize = 1_000;

async fn stored(repo: &dyn TaskRepository, owner: &Owner, title: &str) -> Task {
    let task = a_task(owner, title);
    assert_eq!(
        repo.insert(&task, None).await.expect("an insertion"),
        Inserted::New
    );
    task
}

async fn found(repo: &dyn TaskRepository, task: &Task) -> Option<Task> {
    repo.find(task.owner(), task.id()).await.expect("a look-up")
}

async fn all(repo: &dyn TaskRepository, owner: &Owner) -> Vec<Task> {
    walk(repo, owner, PageLimit::MAX).await
}

async fn walk(repo: &dyn TaskRepository, owner: &Owner, limit: u16) -> Vec<Task> {
    let mut query = TaskQuery {
        limit: limit_of(limit),
        after: None,
    };
    let mut tasks = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = repo.list(owner, &query).await.expect("a page");
        tasks.extend(page.items);
        match page.next {
            Some(cursor) => query.after = Some(cursor),
            None => return tasks,
        }
    }
    panic!("the walk through the pages does not end");
}

fn limit_of(number: u16) -> PageLimit {
    PageLimit::new(number.into()).expect("a valid limit")
}

fn set_title(text: &str) -> TaskChange {
    TaskChange {
        title: Edit::Set(Title::parse(text).expect("a valid title")),
        ..TaskChange::default()
    }
}

fn set_status(status: Status) -> TaskChange {
    TaskChange {
        status: Edit::Set(status),
        ..TaskChange::default()
    }
}

fn set_description(description: Option<&str>) -> TaskChange {
    let description = description.map(|text| Description::parse(text).expect("a valid description"));
    TaskChange {
        description: Edit::Set(description),
        ..TaskChange::default()
    }
}

fn key(text: &str, fingerprint: u8) -> IdempotencyKey {
    IdempotencyKey::new(text, Fingerprint([fingerprint; 32])).expect("a valid key")
}

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
        let mut parts = a_task(&an_owner(), title).into_parts();
        parts.description = description.map(|text| Description::parse(text).expect("a valid description"));
        parts.status = status;
        let task = Task::restore(parts).expect("consistent facts");
        assert_eq!(
            repo.insert(&task, None).await.expect("an insertion"),
            Inserted::New
        );
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
    let mut parts = a_task(&an_owner(), "second").into_parts();
    parts.id = task.id();
    parts.created_at = task.id().created_at();
    let second = Task::restore(parts).expect("consistent facts");
    let error = repo.insert(&second, None).await.expect_err("a taken id");
    assert!(matches!(error, RepositoryError::AlreadyExists), "{error:?}");
    assert_eq!(found(repo, &task).await, Some(task));
}

/// Ids are unique per owner: nobody can learn about, or block, the ids of others.
pub async fn two_owners_may_hold_the_same_id(repo: &dyn TaskRepository) {
    let mine = stored(repo, &an_owner(), "mine").await;
    let mut parts = mine.clone().into_parts();
    parts.owner = an_owner_named("somebody else");
    let theirs = Task::restore(parts).expect("consistent facts");
    assert_eq!(
        repo.insert(&theirs, None).await.expect("an insertion"),
        Inserted::New
    );
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
        assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
        let error = repo
            .delete(&stranger, task.id(), &expected)
            .await
            .expect_err("a foreign task");
        assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
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
                    assert!(matches!(answer, Err(RepositoryError::NotFound)));
                }
            }
            (3, Some(id)) => {
                let answer = repo.delete(&owners[actor], id, &Expected::Any).await;
                if models[actor].remove(&id).is_some() {
                    answer.expect("a deletion");
                } else {
                    assert!(matches!(answer, Err(RepositoryError::NotFound)));
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

/// The answer of an update and what is stored are both what [`Task::changed`] says.
pub async fn an_update_stores_what_the_domain_says(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "before").await;
    let now = noon() + TimeDelta::hours(1) + TimeDelta::microseconds(7);
    let change = TaskChange {
        title: Edit::Set(Title::parse("after").expect("a valid title")),
        description: Edit::Set(Some(Description::parse("new").expect("a valid description"))),
        status: Edit::Set(Status::Completed),
    };
    let expected = task.changed(&change, now);
    let answer = repo
        .update(task.owner(), task.id(), &change, &Expected::Any, now)
        .await
        .expect("an update");
    assert_eq!(answer, expected);
    assert_eq!(found(repo, &task).await, Some(expected));
}

/// Equal values, or no values at all, are no change, conditional or not.
pub async fn a_change_to_equal_values_keeps_version_and_time(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "same").await;
    let now = noon() + TimeDelta::hours(1);
    let TaskParts {
        title,
        description,
        status,
        ..
    } = task.parts().clone();
    let equal = TaskChange {
        title: Edit::Set(title),
        description: Edit::Set(description),
        status: Edit::Set(status),
    };
    for change in [equal, TaskChange::default(), set_title("same")] {
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
        let RepositoryError::VersionMismatch { current } = error else {
            panic!("{error:?}")
        };
        assert_eq!(current, task.version());
        let error = repo
            .delete(task.owner(), task.id(), &expected)
            .await
            .expect_err("a stale version");
        let RepositoryError::VersionMismatch { current } = error else {
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
        assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
        let error = repo
            .delete(&an_owner(), id, &expected)
            .await
            .expect_err("an unknown task");
        assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
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
            let RepositoryError::VersionMismatch { current } = error else {
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

/// Deleting is final.
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
    assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
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
    assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
}

/// Exactly one caller is told that it deleted.
pub async fn of_many_deleters_exactly_one_deletes(repo: &dyn TaskRepository) {
    for round in 0..ROUNDS {
        let task = stored(repo, &an_owner(), "deleted").await;
        let answers =
            join_all((0..RACERS).map(|_| repo.delete(task.owner(), task.id(), &Expected::Any))).await;
        let deleted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(deleted, 1, "deleters of round {round}");
        assert!(answers.iter().flat_map(Result::as_ref).count() == deleted);
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(matches!(error, RepositoryError::NotFound), "{error:?}");
        }
    }
}

/// No tasks is an answer, not an error.
pub async fn an_owner_without_tasks_has_an_empty_last_page(repo: &dyn TaskRepository) {
    stored(repo, &an_owner_named("somebody else"), "theirs").await;
    let page = repo
        .list(&an_owner(), &TaskQuery::default())
        .await
        .expect("a page");
    assert_eq!(page.items, []);
    assert_eq!(page.next, None);
}

/// By time, and within one millisecond still in one order.
pub async fn a_list_is_newest_first(repo: &dyn TaskRepository) {
    let mut ids: Vec<_> = [0, 0, 0, 5, 5, -3, 86_400_000]
        .map(|milliseconds| an_id_at(noon() + TimeDelta::milliseconds(milliseconds)))
        .to_vec();
    for id in &ids {
        let new = NewTask {
            title: Title::parse("task").expect("a valid title"),
            description: None,
            status: Status::Pending,
        };
        let task = Task::create(*id, an_owner(), new);
        assert_eq!(
            repo.insert(&task, None).await.expect("an insertion"),
            Inserted::New
        );
    }
    ids.sort_unstable();
    ids.reverse();
    for limit in [1, 2, 3, 7, PageLimit::MAX] {
        let listed: Vec<_> = walk(repo, &an_owner(), limit)
            .await
            .iter()
            .map(Task::id)
            .collect();
        assert_eq!(listed, ids, "in pages of {limit}");
    }
}

/// Whoever walks the pages sees each task that was there all the while exactly once.
pub async fn pages_join_up_without_gap_or_repeat_while_tasks_come_and_go(repo: &dyn TaskRepository) {
    let mut old = Vec::new();
    for number in 0..23 {
        old.push(stored(repo, &an_owner(), &format!("task {number}")).await);
    }
    let mut query = TaskQuery {
        limit: limit_of(4),
        after: None,
    };
    let mut seen = Vec::new();
    loop {
        assert!(seen.len() < MOST_PAGES, "the walk through the pages does not end");
        let page = repo.list(&an_owner(), &query).await.expect("a page");
        assert!(page.items.len() <= 4);
        seen.extend(page.items.iter().map(Task::id));
        stored(repo, &an_owner(), "newer").await;
        if let Some(first) = page.items.first() {
            repo.delete(first.owner(), first.id(), &Expected::Any)
                .await
                .expect("a deletion");
        }
        match page.next {
            Some(cursor) => query.after = Some(cursor),
            None => break,
        }
    }
    let wanted: Vec<_> = old.iter().rev().map(Task::id).collect();
    assert_eq!(seen, wanted);
}

/// Paging goes on from where a task was, even when that task is deleted meanwhile.
pub async fn a_cursor_outlives_its_task(repo: &dyn TaskRepository) {
    let first = stored(repo, &an_owner(), "first").await;
    let second = stored(repo, &an_owner(), "second").await;
    let query = TaskQuery {
        limit: limit_of(1),
        after: None,
    };
    let page = repo.list(&an_owner(), &query).await.expect("a page");
    assert_eq!(page.items, std::slice::from_ref(&second));
    repo.delete(second.owner(), second.id(), &Expected::Any)
        .await
        .expect("a deletion");
    let next = repo
        .list(
            &an_owner(),
            &TaskQuery {
                after: page.next,
                ..query
            },
        )
        .await
        .expect("a page");
    assert_eq!(next.items, [first]);
    assert_eq!(next.next, None);
}

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
    assert!(
        matches!(error, RepositoryError::IdempotencyKeyReused),
        "{error:?}"
    );
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

/// Concurrent repeats of one creation make one task, and everybody gets that one.
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

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_of_the_contract_is_in_the_list_of_the_macro() {
        let source = include_str!("contract.rs");
        let (list, rest) = source.split_once("(@each").expect("the macro");
        let cases: Vec<_> = rest
            .lines()
            .filter_map(|line| line.strip_prefix("pub async fn "))
            .filter_map(|line| line.split('(').next())
            .collect();
        assert!(cases.len() > 20, "the cases were not found");
        for case in cases {
            assert!(
                list.lines().any(|line| line.trim() == case),
                "{case} is not in the macro's list"
            );
        }
    }
}
