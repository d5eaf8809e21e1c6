use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{SearchTerm, Status, Task};

/// Which tasks belong to a list: those that meet every condition that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only tasks with one of these statuses.
    pub statuses: Option<StatusSet>,
    /// Only tasks with this in their title or description.
    pub search: Option<SearchTerm>,
    /// Only tasks that were changed (or created) then or later. In whole microseconds, as times are stored.
    pub updated_since: Option<DateTime<Utc>>,
}

impl TaskFilter {
    /// Whether every task belongs to the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a task belongs to the list.
    #[must_use]
    pub fn matches(&self, task: &Task) -> bool {
        let Self {
            statuses,
            search,
            updated_since,
        } = self;
        let parts = task.parts();
        statuses
            .as_ref()
            .is_none_or(|statuses| statuses.contains(parts.status))
            && search.as_ref().is_none_or(|term| term.is_in(parts))
            && updated_since.is_none_or(|since| parts.updated_at >= since)
    }
}

/// One or more statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(BTreeSet<Status>);

impl StatusSet {
    /// These statuses; `None` if there are none.
    #[must_use]
    pub fn new(statuses: impl IntoIterator<Item = Status>) -> Option<Self> {
        let statuses: BTreeSet<_> = statuses.into_iter().collect();
        (!statuses.is_empty()).then_some(Self(statuses))
    }

    /// Whether a status is among them.
    #[must_use]
    pub fn contains(&self, status: Status) -> bool {
        self.0.contains(&status)
    }

    /// Each of them once, in the order of a task's life.
    pub fn iter(&self) -> impl Iterator<Item = Status> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_status_is_no_set_of_statuses() {
        assert_eq!(StatusSet::new([]), None);
    }

    #[test]
    fn each_status_of_a_set_is_named_once() {
        let statuses = [Status::Completed, Status::Pending, Status::Completed];
        let set = StatusSet::new(statuses).unwrap();
        assert!(set.iter().eq([Status::Pending, Status::Completed]));
    }

    #[test]
    fn a_filter_with_one_condition_is_not_empty() {
        assert!(TaskFilter::default().is_empty());
        let completed = TaskFilter {
            statuses: StatusSet::new([Status::Completed]),
            ..TaskFilter::default()
        };
        assert!(!completed.is_empty());
    }
}
