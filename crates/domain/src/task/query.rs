use std::cmp::Ordering;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::{SearchTerm, Status, Task, TaskId, Title};

/// Which of an owner's tasks to list, in which order, and which part of that list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    filter: TaskFilter,
    sort: Sort,
    limit: PageLimit,
    after: Option<Cursor>,
}

impl TaskQuery {
    /// A page of a list. Without a cursor it is the first one.
    ///
    /// # Errors
    /// The cursor belongs to a list of another order.
    pub fn new(
        filter: TaskFilter,
        sort: Sort,
        limit: PageLimit,
        after: Option<Cursor>,
    ) -> Result<Self, CursorOfAnotherList> {
        match &after {
            Some(cursor) if cursor.position.key() != sort.key => Err(CursorOfAnotherList),
            _ => Ok(Self {
                filter,
                sort,
                limit,
                after,
            }),
        }
    }

    /// The same list from another position.
    ///
    /// # Errors
    /// As [`TaskQuery::new`].
    pub fn continued(&self, after: Cursor) -> Result<Self, CursorOfAnotherList> {
        Self::new(self.filter.clone(), self.sort, self.limit, Some(after))
    }

    /// Which tasks belong to the list.
    #[must_use]
    pub fn filter(&self) -> &TaskFilter {
        &self.filter
    }

    /// The order of the list.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The most tasks that the page may hold.
    #[must_use]
    pub fn limit(&self) -> PageLimit {
        self.limit
    }

    /// Where the page before this one ended.
    #[must_use]
    pub fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }
}

/// A cursor that was made for a list of another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the cursor belongs to a list of another order")]
pub struct CursorOfAnotherList;

/// Which tasks belong to a list: those that meet every condition that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only tasks with one of these statuses.
    pub statuses: Option<StatusSet>,
    /// Only tasks with this in their title or description.
    pub search: Option<SearchTerm>,
    /// Only tasks that were changed (or created) then or later.
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

/// The order of a list. Ties are broken by the id, in the same direction, so that every order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Which way.
    pub direction: Direction,
}

/// Newest first.
impl Default for Sort {
    fn default() -> Self {
        Self {
            key: SortKey::CreatedAt,
            direction: Direction::Descending,
        }
    }
}

/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When tasks were created: the order of their ids.
    CreatedAt,
    /// When they were changed last.
    UpdatedAt,
    /// The title, by code point.
    Title,
    /// The name of the status, by code point.
    Status,
}

impl SortKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::CreatedAt, Self::UpdatedAt, Self::Title, Self::Status];
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

/// The most items a page may hold: 1 to 500, and 100 unless somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u16);

impl PageLimit {
    /// The smallest page.
    pub const MIN: u16 = 1;
    /// The largest page.
    pub const MAX: u16 = 500;

    /// Takes a number as a limit.
    ///
    /// # Errors
    /// The number is out of range; it is never quietly replaced by another.
    pub fn new(number: i64) -> Result<Self, InvalidPageLimit> {
        match u16::try_from(number) {
            Ok(number @ Self::MIN..=Self::MAX) => Ok(Self(number)),
            _ if number < i64::from(Self::MIN) => Err(InvalidPageLimit::TooSmall),
            _ => Err(InvalidPageLimit::TooLarge),
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(100)
    }
}

/// Why a number is no page limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPageLimit {
    /// Less than [`PageLimit::MIN`].
    #[error("a page holds at least {} item", PageLimit::MIN)]
    TooSmall,
    /// More than [`PageLimit::MAX`].
    #[error("a page holds at most {} items", PageLimit::MAX)]
    TooLarge,
}

/// A position in a list: right behind a task with this id and this value of the sort key, whether such a task still
/// exists or not. Its text form belongs to whoever hands it to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The value of the sort key.
    pub position: Position,
    /// The id, which breaks ties.
    pub id: TaskId,
}

/// The value of a sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// The time of creation stands in the id.
    CreatedAt,
    /// When the task was changed last.
    UpdatedAt(DateTime<Utc>),
    /// Its title.
    Title(Title),
    /// Its status.
    Status(Status),
}

impl Position {
    /// The sort key that it is a value of.
    #[must_use]
    pub fn key(&self) -> SortKey {
        match self {
            Self::CreatedAt => SortKey::CreatedAt,
            Self::UpdatedAt(_) => SortKey::UpdatedAt,
            Self::Title(_) => SortKey::Title,
            Self::Status(_) => SortKey::Status,
        }
    }

    fn of(task: &Task, key: SortKey) -> Self {
        let parts = task.parts();
        match key {
            SortKey::CreatedAt => Self::CreatedAt,
            SortKey::UpdatedAt => Self::UpdatedAt(parts.updated_at),
            SortKey::Title => Self::Title(parts.title.clone()),
            SortKey::Status => Self::Status(parts.status),
        }
    }
}

impl Cursor {
    /// The position right behind a task in a list with this sort key.
    #[must_use]
    pub fn behind(task: &Task, key: SortKey) -> Self {
        Self {
            position: Position::of(task, key),
            id: task.id(),
        }
    }
}

impl Sort {
    /// Which of two tasks comes first.
    #[must_use]
    pub fn compare(self, one: &Task, other: &Task) -> Ordering {
        self.compare_positions(&Cursor::behind(one, self.key), &Cursor::behind(other, self.key))
    }

    /// Whether a task comes after a position.
    #[must_use]
    pub fn is_after(self, task: &Task, cursor: &Cursor) -> bool {
        self.compare_positions(&Cursor::behind(task, self.key), cursor) == Ordering::Greater
    }

    fn compare_positions(self, one: &Cursor, other: &Cursor) -> Ordering {
        let by_value = match (&one.position, &other.position) {
            (Position::UpdatedAt(one), Position::UpdatedAt(other)) => one.cmp(other),
            (Position::Title(one), Position::Title(other)) => one.as_str().cmp(other.as_str()),
            (Position::Status(one), Position::Status(other)) => one.as_str().cmp(other.as_str()),
            // Ids sort by the time of creation; positions of different keys are never compared.
            _ => Ordering::Equal,
        };
        let ascending = by_value.then(one.id.cmp(&other.id));
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page starts; `None` if this one is the last.
    pub next: Option<Cursor>,
}

impl Page<Task> {
    /// Makes a page out of rows that were asked for with one more than the limit: the extra row, if it came, proves
    /// that there is a next page and is left to it.
    #[must_use]
    pub fn of_one_more_than_asked(query: &TaskQuery, mut items: Vec<Task>) -> Self {
        let limit = usize::from(query.limit.get());
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = if is_last {
            None
        } else {
            items.last().map(|task| Cursor::behind(task, query.sort.key))
        };
        Self { items, next }
    }
}

/// How many tasks an owner has, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pending: u64,
    in_progress: u64,
    completed: u64,
}

impl Summary {
    /// Counts so many tasks of a status.
    pub fn add(&mut self, status: Status, count: u64) {
        match status {
            Status::Pending => self.pending += count,
            Status::InProgress => self.in_progress += count,
            Status::Completed => self.completed += count,
        }
    }

    /// How many tasks have this status.
    #[must_use]
    pub fn with_status(&self, status: Status) -> u64 {
        match status {
            Status::Pending => self.pending,
            Status::InProgress => self.in_progress,
            Status::Completed => self.completed,
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.in_progress + self.completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_task, an_owner};

    fn page_of(limit: i64, items: Vec<Task>) -> Page<Task> {
        let limit = PageLimit::new(limit).unwrap();
        let query = TaskQuery::new(TaskFilter::default(), Sort::default(), limit, None).unwrap();
        Page::of_one_more_than_asked(&query, items)
    }

    fn tasks(count: usize) -> Vec<Task> {
        (0..count)
            .map(|number| a_task(&an_owner(), &format!("task {number}")))
            .collect()
    }

    #[test]
    fn a_limit_out_of_range_is_refused_and_never_clamped() {
        assert_eq!(PageLimit::new(1).map(PageLimit::get), Ok(1));
        assert_eq!(PageLimit::new(500).map(PageLimit::get), Ok(500));
        assert_eq!(PageLimit::new(0), Err(InvalidPageLimit::TooSmall));
        assert_eq!(PageLimit::new(i64::MIN), Err(InvalidPageLimit::TooSmall));
        assert_eq!(PageLimit::new(501), Err(InvalidPageLimit::TooLarge));
        assert_eq!(PageLimit::new(i64::MAX), Err(InvalidPageLimit::TooLarge));
    }

    #[test]
    fn a_page_with_a_row_too_many_announces_the_next_one() {
        let tasks = tasks(3);
        let page = page_of(2, tasks.clone());
        assert_eq!(page.items, tasks[..2]);
        assert_eq!(page.next, Some(Cursor::behind(&tasks[1], SortKey::CreatedAt)));
    }

    #[test]
    fn a_page_that_is_exactly_full_is_the_last() {
        assert_eq!(page_of(2, tasks(2)).next, None);
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let cursor = Cursor::behind(&a_task(&an_owner(), "title"), SortKey::Title);
        let query = TaskQuery::new(
            TaskFilter::default(),
            Sort::default(),
            PageLimit::default(),
            Some(cursor),
        );
        assert_eq!(query, Err(CursorOfAnotherList));
    }

    #[test]
    fn equal_sort_keys_are_told_apart_by_the_id_in_the_same_direction() {
        let older = a_task(&an_owner(), "same");
        let newer = a_task(&an_owner(), "same");
        for key in SortKey::ALL {
            let up = Sort {
                key,
                direction: Direction::Ascending,
            };
            let down = Sort {
                key,
                direction: Direction::Descending,
            };
            assert!(up.is_after(&newer, &Cursor::behind(&older, key)), "{key:?}");
            assert!(down.is_after(&older, &Cursor::behind(&newer, key)), "{key:?}");
            assert!(!up.is_after(&older, &Cursor::behind(&older, key)), "{key:?}");
        }
    }

    #[test]
    fn no_status_is_no_set_of_statuses() {
        assert_eq!(StatusSet::new([]), None);
    }
}
