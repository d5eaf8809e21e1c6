use thiserror::Error;

use super::{Cursor, PageLimit, Sort, TaskFilter};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::SortKey;
    use crate::testing::{a_task, an_owner};

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
}
