use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{Description, Status, TaskChange, TaskId, Title, Version};
use crate::identity::Owner;

/// What a user asks for when they create a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done, in a line.
    pub title: Title,
    /// The same at more length.
    pub description: Option<Description>,
    /// How far it is.
    pub status: Status,
}

/// The stored facts of a task, in the open: what adapters take apart and put together.
///
/// Take it apart without `..`, so that a new fact does not compile until it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskParts {
    /// Unique among the tasks of its owner, made by the server.
    pub id: TaskId,
    /// Whose task it is. Never changes.
    pub owner: Owner,
    /// What is to be done, in a line.
    pub title: Title,
    /// The same at more length.
    pub description: Option<Description>,
    /// How far it is.
    pub status: Status,
    /// Counts the changes, from 1.
    pub version: Version,
    /// The millisecond inside the id.
    pub created_at: DateTime<Utc>,
    /// When the last change happened; at creation, when that was.
    pub updated_at: DateTime<Utc>,
}

/// A task that obeys every rule. It cannot be made in any other way than by creating, changing or restoring one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task(TaskParts);

impl Task {
    /// A task as it is on its first day. `created_at` and `updated_at` are the millisecond inside `id`.
    #[must_use]
    pub fn create(id: TaskId, owner: Owner, new: NewTask) -> Self {
        let NewTask {
            title,
            description,
            status,
        } = new;
        let created_at = id.created_at();
        Self(TaskParts {
            id,
            owner,
            title,
            description,
            status,
            version: Version::FIRST,
            created_at,
            updated_at: created_at,
        })
    }

    /// Puts stored facts together again.
    ///
    /// # Errors
    /// The facts contradict each other: another program wrote to the storage.
    pub fn restore(parts: TaskParts) -> Result<Self, InconsistentTask> {
        if parts.created_at != parts.id.created_at() {
            return Err(InconsistentTask::CreatedAtIsNotInTheId(parts.id));
        }
        if parts.updated_at < parts.created_at {
            return Err(InconsistentTask::UpdatedBeforeItsCreation(parts.id));
        }
        Ok(Self(parts))
    }

    /// How many bytes its texts take: what makes one task larger than another.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let description = self.0.description.as_ref();
        self.0.title.as_str().len() + description.map_or(0, |description| description.as_str().len())
    }

    /// The task after `change`, asked for at `now`.
    ///
    /// A change to equal values is no change: the task stays as it is, version and times included. A real change
    /// raises the version by one and moves `updated_at` to `now`, or to one microsecond after its old value if
    /// the clock has not passed that yet, so that it always grows. `now` is in whole microseconds.
    ///
    /// At the last version ([`Version::next`]) the number stays, while a storage that counts for itself, as PostgreSQL
    /// does, refuses the change.
    ///
    /// ```
    /// use domain::task::{Edit, Status, TaskChange};
    /// use domain::testing::{a_task, an_owner, noon};
    ///
    /// let task = a_task(&an_owner(), "Buy milk");
    /// assert_eq!(task.changed(&TaskChange::default(), noon()), task);
    ///
    /// let done = TaskChange {
    ///     status: Edit::Set(Status::Completed),
    ///     ..TaskChange::default()
    /// };
    /// assert_eq!(task.changed(&done, noon()).version(), task.version().next());
    /// ```
    #[must_use]
    pub fn changed(&self, change: &TaskChange, now: DateTime<Utc>) -> Self {
        let mut next = self.0.clone();
        let TaskChange {
            title,
            description,
            status,
        } = change.clone();
        title.apply_to(&mut next.title);
        description.apply_to(&mut next.description);
        status.apply_to(&mut next.status);
        if next != self.0 {
            next.version = self.0.version.next();
            next.updated_at = now.max(self.0.updated_at + TimeDelta::microseconds(1));
        }
        Self(next)
    }

    /// The facts, to look at.
    #[must_use]
    pub fn parts(&self) -> &TaskParts {
        &self.0
    }

    /// The facts, to take away.
    #[must_use]
    pub fn into_parts(self) -> TaskParts {
        self.0
    }

    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// Whose task it is.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// How often it was changed, plus one.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version
    }
}

/// Stored facts that cannot belong to one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InconsistentTask {
    /// `created_at` is not the time inside the id.
    #[error("created_at of task {0} is not the time inside its id")]
    CreatedAtIsNotInTheId(TaskId),
    /// `updated_at` lies before `created_at`.
    #[error("updated_at of task {0} lies before its creation")]
    UpdatedBeforeItsCreation(TaskId),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::Edit;
    use crate::testing::{a_new_task, a_task, an_owner, noon};

    fn set_title(text: &str) -> TaskChange {
        TaskChange {
            title: Edit::Set(Title::parse(text).unwrap()),
            ..TaskChange::default()
        }
    }

    #[test]
    fn a_new_task_has_version_1_and_the_time_inside_its_id() {
        let id = crate::testing::an_id_at(noon());
        let TaskParts {
            version,
            created_at,
            updated_at,
            ..
        } = Task::create(id, an_owner(), a_new_task("Buy milk")).into_parts();
        assert_eq!(version, Version::FIRST);
        assert_eq!(created_at, noon());
        assert_eq!(updated_at, created_at);
    }

    #[test]
    fn a_real_change_raises_the_version_and_moves_the_time() {
        let task = a_task(&an_owner(), "before");
        let later = task.parts().updated_at + TimeDelta::seconds(5);
        let changed = task.changed(&set_title("after"), later);
        assert_eq!(changed.version(), task.version().next());
        assert_eq!(changed.parts().updated_at, later);
        assert_eq!(changed.parts().created_at, task.parts().created_at);
    }

    #[test]
    fn a_change_to_equal_values_changes_nothing() {
        let task = a_task(&an_owner(), "same");
        let later = task.parts().updated_at + TimeDelta::seconds(5);
        assert_eq!(task.changed(&set_title("same"), later), task);
        assert_eq!(task.changed(&TaskChange::default(), later), task);
    }

    #[test]
    fn updated_at_grows_even_when_the_clock_runs_backwards() {
        let task = a_task(&an_owner(), "before");
        let earlier = task.parts().updated_at - TimeDelta::hours(1);
        let changed = task.changed(&set_title("after"), earlier);
        assert_eq!(
            changed.parts().updated_at,
            task.parts().updated_at + TimeDelta::microseconds(1)
        );
    }

    #[test]
    fn a_description_can_be_cleared_and_an_absent_one_is_kept() {
        let task = a_task(&an_owner(), "title");
        let cleared = task.changed(
            &TaskChange {
                description: Edit::Set(None),
                ..TaskChange::default()
            },
            task.parts().updated_at,
        );
        assert_eq!(cleared.parts().description, None);
        assert_eq!(
            task.changed(&set_title("other"), task.parts().updated_at)
                .parts()
                .description,
            task.parts().description
        );
    }

    #[test]
    fn stored_facts_that_contradict_each_other_are_refused() {
        let parts = a_task(&an_owner(), "title").into_parts();
        let moved = TaskParts {
            created_at: parts.created_at + TimeDelta::seconds(1),
            ..parts.clone()
        };
        assert_eq!(
            Task::restore(moved),
            Err(InconsistentTask::CreatedAtIsNotInTheId(parts.id))
        );
        let early = TaskParts {
            updated_at: parts.created_at - TimeDelta::seconds(1),
            ..parts.clone()
        };
        assert_eq!(
            Task::restore(early),
            Err(InconsistentTask::UpdatedBeforeItsCreation(parts.id))
        );
        assert!(Task::restore(parts).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_the_clock_says_a_changed_task_can_be_restored(offset in -10_000_000_i64..10_000_000) {
            let task = a_task(&an_owner(), "before");
            let now = task.parts().updated_at + TimeDelta::microseconds(offset);
            let changed = task.changed(&set_title("after"), now);
            prop_assert!(changed.parts().updated_at > task.parts().updated_at);
            prop_assert!(Task::restore(changed.into_parts()).is_ok());
        }
    }
}
