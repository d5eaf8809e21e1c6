use thiserror::Error;

use super::{Task, TaskId};

/// Which of an owner's tasks to list: newest first, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskQuery {
    /// The most tasks that the page may hold.
    pub limit: PageLimit,
    /// Where the page before this one ended; `None` for the first page.
    pub after: Option<Cursor>,
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

/// A position in a list: right behind the task it names, whether that still exists or not. Its text form belongs
/// to whoever hands it to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last task before the position.
    pub id: TaskId,
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
    pub fn of_one_more_than(limit: PageLimit, mut items: Vec<Task>) -> Self {
        let is_last = items.len() <= usize::from(limit.get());
        items.truncate(usize::from(limit.get()));
        let next = if is_last {
            None
        } else {
            items.last().map(|task| Cursor { id: task.id() })
        };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_task, an_owner};

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
        let tasks: Vec<_> = (0..3)
            .map(|n| a_task(&an_owner(), &format!("task {n}")))
            .collect();
        let limit = PageLimit::new(2).unwrap();
        let page = Page::of_one_more_than(limit, tasks.clone());
        assert_eq!(page.items, tasks[..2]);
        assert_eq!(page.next, Some(Cursor { id: tasks[1].id() }));
    }

    #[test]
    fn a_page_that_is_exactly_full_is_the_last() {
        let tasks: Vec<_> = (0..2)
            .map(|n| a_task(&an_owner(), &format!("task {n}")))
            .collect();
        let page = Page::of_one_more_than(PageLimit::new(2).unwrap(), tasks);
        assert_eq!(page.next, None);
    }
}
