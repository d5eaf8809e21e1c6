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
    /// ```
    /// # use domain::task::{PageLimit, Sort, TaskFilter, TaskQuery, TaskRepository};
    /// # use domain::testing::{InMemoryTaskRepository, a_task, an_owner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (repository, owner) = (InMemoryTaskRepository::default(), an_owner());
    /// # for title in ["one", "two", "three"] {
    /// #     repository.insert(&a_task(&owner, title), None).await?;
    /// # }
    /// let two = PageLimit::new(2)?;
    /// let mut page = TaskQuery::new(TaskFilter::default(), Sort::default(), two, None)?;
    /// let mut titles = Vec::new();
    /// loop {
    ///     let listed = repository.list(&owner, &page).await?;
    ///     titles.extend(listed.items.into_iter().map(|task| task.into_parts().title.into_string()));
    ///     let Some(cursor) = listed.next else { break };
    ///     page = page.continued(cursor)?;
    /// }
    /// assert_eq!(titles, ["three", "two", "one"]);
    /// # Ok(())
    /// # }
    /// ```
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
