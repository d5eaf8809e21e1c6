//! What operators carry away and bring back is what is stored.

use super::steps::{all, found, insert, key, set_title, stored};
use crate::identity::Owner;
use crate::task::{
    ArchivedTask, Expected, IdempotencyKey, Inserted, Task, TaskArchive, TaskId, TaskRepository,
};
use crate::testing::{a_bare_task, a_task, a_task_at_every_limit, an_owner, an_owner_named, noon};

// More than any owner of a case has.
const ALL: u16 = 1_000;

async fn exported(archive: &dyn TaskArchive, owner: &Owner) -> Vec<ArchivedTask> {
    archive.export(owner, None, ALL).await.expect("an export")
}

async fn imported(archive: &dyn TaskArchive, tasks: &[ArchivedTask]) -> u64 {
    archive.import(tasks.to_vec()).await.expect("an import")
}

fn without_key(task: Task) -> ArchivedTask {
    ArchivedTask { task, key: None }
}

/// Each once, whatever else sorts differently elsewhere: letter case, accents, spaces, length.
pub async fn owners_come_one_by_one_in_the_order_of_bytes(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    assert_eq!(archive.next_owner(None).await.expect("nobody"), None);
    let mut names = [
        "b", "a", "B", "a ", " a", "ab", "a-b", "a_b", "é", "e\u{301}", "ß", "😀", "~", "10", "9",
    ];
    for name in names {
        stored(repo, &an_owner_named(name), "first").await;
        stored(repo, &an_owner_named(name), "second").await;
    }
    names.sort_unstable();
    let mut last = None;
    for name in names {
        last = archive.next_owner(last.as_ref()).await.expect("an owner");
        assert_eq!(last.as_ref().map(Owner::as_str), Some(name));
    }
    assert_eq!(archive.next_owner(last.as_ref()).await.expect("nobody"), None);
    let between = an_owner_named("a!");
    let next = archive.next_owner(Some(&between)).await.expect("an owner");
    assert_eq!(next, Some(an_owner_named("a-b")), "the one before need not exist");
}

/// And no one else's count.
pub async fn a_counted_owner_has_so_many_tasks(repo: &dyn TaskRepository, archive: &dyn TaskArchive) {
    for _ in 0..3 {
        stored(repo, &an_owner(), "mine").await;
    }
    stored(repo, &an_owner_named("somebody else"), "theirs").await;
    for (owner, wanted) in [(an_owner(), 3), (an_owner_named("nobody"), 0)] {
        assert_eq!(archive.count(&owner).await.expect("a count"), wanted);
    }
}

/// Batch by batch, whatever their size, nothing of anyone else between them.
pub async fn an_export_joins_up_in_the_order_of_ids(repo: &dyn TaskRepository, archive: &dyn TaskArchive) {
    let mut mine: Vec<_> = (0..7).map(|_| a_task(&an_owner(), "mine")).collect();
    for task in mine.iter().rev() {
        insert(repo, task).await;
        stored(repo, &an_owner_named("somebody else"), "theirs").await;
    }
    mine.sort_by_key(Task::id);
    for limit in [1, 3, 7, 8, ALL] {
        let mut walked = Vec::new();
        let mut after = None;
        while walked.len() < 2 * mine.len() {
            let batch = archive.export(&an_owner(), after, limit).await.expect("a batch");
            assert!(batch.len() <= usize::from(limit), "{batch:?}");
            let Some(last) = batch.last() else { break };
            after = Some(last.task.id());
            walked.extend(batch.into_iter().map(|archived| archived.task));
        }
        assert_eq!(walked, mine, "in batches of {limit}");
    }
    assert_eq!(exported(archive, &an_owner_named("nobody")).await, []);
}

/// Version, times and the description that is not there included.
pub async fn an_archived_task_has_its_key_and_is_otherwise_as_it_was_stored(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    let plain = without_key(stored(repo, &an_owner(), "it's \"plain\"; ס 😀").await);
    let bare = ArchivedTask {
        task: a_bare_task(&an_owner(), "bare"),
        key: Some(key("order-17", 1)),
    };
    repo.insert(&bare.task, bare.key.clone())
        .await
        .expect("an insertion");
    let changed = stored(repo, &an_owner(), "before").await;
    let changed = repo
        .update(
            &an_owner(),
            changed.id(),
            &set_title("after"),
            &Expected::Any,
            noon(),
        )
        .await
        .expect("an update");
    assert_eq!(
        exported(archive, &an_owner()).await,
        [plain, bare, without_key(changed)]
    );
}

/// Every field at its limit, tasks of several owners at once; and a client that repeats its creation gets its task.
pub async fn an_archived_task_is_stored_as_it_was_and_its_key_still_counts(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    let task = a_task_at_every_limit();
    let longest = task.owner().clone();
    let longest_key = key(&"k".repeat(IdempotencyKey::MAX_CHARS), 255);
    let bare = a_bare_task(&an_owner(), "' {} $1 \\ , \" NULL");
    let tasks = [
        ArchivedTask {
            task: task.clone(),
            key: Some(longest_key.clone()),
        },
        without_key(bare),
        without_key(a_task(&an_owner(), "described")),
    ];
    assert_eq!(imported(archive, &tasks).await, 3);
    for archived in &tasks {
        assert_eq!(found(repo, &archived.task).await.as_ref(), Some(&archived.task));
    }
    assert_eq!(exported(archive, &longest).await, tasks[..1]);
    assert_eq!(exported(archive, &an_owner()).await, tasks[1..]);
    let repeated = repo
        .insert(&a_task(&longest, "repeated"), Some(longest_key))
        .await
        .expect("a replay");
    assert_eq!(repeated, Inserted::Replayed(task));
}

/// In one import, or in one after the other.
pub async fn an_archived_task_that_arrives_twice_is_stored_once(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    assert_eq!(imported(archive, &[]).await, 0);
    let tasks: Vec<_> = (0..3)
        .map(|_| without_key(a_task(&an_owner(), "title")))
        .collect();
    let twice: Vec<_> = tasks[..2].iter().chain(&tasks[..2]).cloned().collect();
    assert_eq!(imported(archive, &twice).await, 2);
    assert_eq!(imported(archive, &tasks).await, 1);
    assert_eq!(imported(archive, &tasks).await, 0);
    assert_eq!(exported(archive, &an_owner()).await, tasks);
    assert_eq!(all(repo, &an_owner()).await.len(), 3);
}

/// A task that was changed since is newer than the one that arrives.
pub async fn what_is_stored_already_is_left_as_it_is(repo: &dyn TaskRepository, archive: &dyn TaskArchive) {
    let task = stored(repo, &an_owner(), "before").await;
    let before = exported(archive, &an_owner()).await;
    let changed = repo
        .update(
            &an_owner(),
            task.id(),
            &set_title("after"),
            &Expected::Any,
            noon(),
        )
        .await
        .expect("an update");
    let fresh = without_key(a_task(&an_owner(), "fresh"));
    let arriving = [before, vec![fresh.clone()]].concat();
    assert_eq!(imported(archive, &arriving).await, 1);
    assert_eq!(
        exported(archive, &an_owner()).await,
        [without_key(changed), fresh]
    );
}

/// Of that owner; the same key of another owner is another key.
pub async fn a_key_in_use_keeps_its_task_when_another_one_arrives(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    let holder = a_task(&an_owner(), "holder");
    repo.insert(&holder, Some(key("k", 1)))
        .await
        .expect("an insertion");
    let with_the_key = |owner: &Owner| ArchivedTask {
        task: a_task(owner, "late"),
        key: Some(key("k", 2)),
    };
    let stranger = an_owner_named("somebody else");
    let arriving = [with_the_key(&an_owner()), with_the_key(&stranger)];
    assert_eq!(imported(archive, &arriving).await, 1);
    assert_eq!(all(repo, &an_owner()).await, [holder]);
    assert_eq!(exported(archive, &stranger).await, arriving[1..]);
}

/// A caller who wants all gone asks until nothing is left.
pub async fn a_removal_takes_the_oldest_up_to_so_many_and_nothing_of_anybody_else(
    repo: &dyn TaskRepository,
    archive: &dyn TaskArchive,
) {
    let stranger = an_owner_named("somebody else");
    let theirs = stored(repo, &stranger, "theirs").await;
    let mut mine: Vec<TaskId> = Vec::new();
    for _ in 0..5 {
        mine.push(stored(repo, &an_owner(), "mine").await.id());
    }
    for (limit, removed) in [(2, 2), (2, 2), (2, 1), (2, 0)] {
        let erased = archive.erase(&an_owner(), limit).await.expect("a removal");
        assert_eq!(erased, removed);
        let left: Vec<_> = exported(archive, &an_owner())
            .await
            .iter()
            .map(|archived| archived.task.id())
            .collect();
        mine.drain(..usize::try_from(removed).expect("a small number"));
        assert_eq!(left, mine);
    }
    assert_eq!(all(repo, &stranger).await, [theirs]);
}
