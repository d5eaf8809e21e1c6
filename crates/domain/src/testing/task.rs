//! Tasks for tests, and every way to change one: of all that tests share, the one file that knows the fields of a task.

use chrono::TimeDelta;

use super::{an_id_at, an_owner, an_owner_named, noon};
use crate::identity::Owner;
use crate::task::{Description, Edit, NewTask, Status, Task, TaskChange, TaskParts, Title, Version};

/// A task of that owner with that title. Each call makes a newer one.
#[must_use]
pub fn a_task(owner: &Owner, title: &str) -> Task {
    a_task_with(owner, title, |_| {})
}

/// The same, but for what `change` makes of it.
///
/// # Panics
/// The changed facts contradict each other.
#[must_use]
pub fn a_task_with(owner: &Owner, title: &str, change: impl FnOnce(&mut TaskParts)) -> Task {
    let id = an_id_at(noon());
    let created_at = id.created_at();
    let mut parts = TaskParts {
        id,
        owner: owner.clone(),
        title: Title::parse(title).expect("a valid title"),
        description: Some(Description::parse("2 litres, the blue one").expect("a valid description")),
        status: Status::InProgress,
        version: Version::new(3).expect("a valid version"),
        created_at,
        updated_at: created_at + TimeDelta::microseconds(61_234_567),
    };
    change(&mut parts);
    Task::restore(parts).expect("consistent facts")
}

/// A creation with that title.
#[must_use]
pub fn a_new_task(title: &str) -> NewTask {
    let TaskParts {
        title,
        description,
        status,
        ..
    } = a_task(&an_owner(), title).into_parts();
    NewTask {
        title,
        description,
        status,
    }
}

/// A task on its first day, without anything that a task may lack.
#[must_use]
pub fn a_bare_task(owner: &Owner, title: &str) -> Task {
    let new = NewTask {
        title: Title::parse(title).expect("a valid title"),
        description: None,
        status: Status::InProgress,
    };
    Task::create(an_id_at(noon()), owner.clone(), new)
}

/// A task with the longest texts, the latest version and times far apart.
///
/// # Panics
/// Its facts contradict each other.
#[must_use]
pub fn a_task_at_every_limit() -> Task {
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
    Task::restore(parts).expect("consistent facts")
}

/// A change of every field, to other values than those of [`a_task`].
#[must_use]
pub fn a_change_of_everything() -> TaskChange {
    TaskChange {
        title: Edit::Set(Title::parse("after").expect("a valid title")),
        description: Edit::Set(Some(Description::parse("new").expect("a valid description"))),
        status: Edit::Set(Status::Completed),
    }
}

/// The changes of one field alone: each to the value in [`a_change_of_everything`], and whatever may be absent also to
/// nothing.
#[must_use]
pub fn edits() -> Vec<TaskChange> {
    // Without `..`: a new field does not compile until it is tried.
    let TaskChange {
        title,
        description,
        status,
    } = a_change_of_everything();
    let kept = TaskChange::default;
    vec![
        TaskChange { title, ..kept() },
        TaskChange {
            description,
            ..kept()
        },
        TaskChange {
            description: Edit::Set(None),
            ..kept()
        },
        TaskChange { status, ..kept() },
    ]
}

/// A change that sets every field to the value that the task has.
#[must_use]
pub fn a_change_to_what_it_is(task: &Task) -> TaskChange {
    let TaskParts {
        title,
        description,
        status,
        ..
    } = task.parts().clone();
    TaskChange {
        title: Edit::Set(title),
        description: Edit::Set(description),
        status: Edit::Set(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bare_task_lacks_is_cleared_by_changes_of_one_field() {
        let bare = a_bare_task(&an_owner(), "title");
        let clears = |change: &&TaskChange| bare.changed(change, noon()) == bare;
        let edits = edits();
        let cleared = edits.iter().filter(clears);
        let task = cleared.fold(a_task(&an_owner(), "title"), |task, change| {
            task.changed(change, noon())
        });
        assert_eq!(a_change_to_what_it_is(&task), a_change_to_what_it_is(&bare));
    }
}
