use super::{Cursor, SortKey, Task, TaskQuery};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The tasks, in the order of the list.
    pub items: Vec<Task>,
    /// Where the next page starts; `None` if this one is the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page ends with the task with which its texts reach this many bytes, whatever its limit: no page may fill the
    /// memory of anyone who makes or carries it.
    pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

    /// Makes a page out of rows that were asked for with one more than the limit: the extra row, if it came, proves
    /// that there is a next page and is left to it. A storage may stop one row after the texts have reached
    /// [`Page::MAX_TEXT_BYTES`].
    #[must_use]
    pub fn of_one_more_than_asked(query: &TaskQuery, mut items: Vec<Task>) -> Self {
        let limit = usize::from(query.limit().get()).min(Self::most_of(&items));
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = if is_last {
            None
        } else {
            items.last().map(|task| Cursor::behind(task, query.sort().key))
        };
        Self { items, next }
    }

    /// How many of these tasks a page may hold for the length of their texts; at least one.
    fn most_of(items: &[Task]) -> usize {
        let mut bytes = 0;
        let reaches = |task: &Task| {
            bytes += task.text_bytes();
            bytes >= Self::MAX_TEXT_BYTES
        };
        items
            .iter()
            .position(reaches)
            .map_or(items.len(), |last| last + 1)
    }

    /// Leaves what stands behind the first tasks to the next page, if there is something: for anyone who has no room
    /// for all of them. The first task stays in any case, so that someone who follows the pages gets on.
    pub fn cut_behind(&mut self, count: usize, key: SortKey) {
        let count = count.max(1);
        if count < self.items.len() {
            self.items.truncate(count);
            self.next = self.items.last().map(|task| Cursor::behind(task, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Description, Edit, PageLimit, Sort, SortKey, TaskChange, TaskFilter};
    use crate::testing::{a_task, an_owner, noon};

    fn page_of(limit: i64, items: Vec<Task>) -> Page {
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
    fn a_page_with_a_row_too_many_announces_the_next_one() {
        let tasks = tasks(3);
        let page = page_of(2, tasks.clone());
        assert_eq!(page.items, tasks[..2]);
        assert_eq!(page.next, Some(Cursor::behind(&tasks[1], SortKey::CreatedAt)));
    }

    #[test]
    fn a_page_ends_with_the_task_that_reaches_its_most_bytes() {
        let description = Description::parse("x".repeat(Description::MAX_CHARS)).unwrap();
        let tasks: Vec<_> = tasks(200)
            .into_iter()
            .map(|task| {
                let change = TaskChange {
                    description: Edit::Set(Some(description.clone())),
                    ..TaskChange::default()
                };
                task.changed(&change, noon())
            })
            .collect();
        let page = page_of(500, tasks.clone());
        let bytes = |tasks: &[Task]| tasks.iter().map(Task::text_bytes).sum::<usize>();
        assert!(bytes(&page.items) >= Page::MAX_TEXT_BYTES);
        let (last, before) = page.items.split_last().unwrap();
        assert!(bytes(before) < Page::MAX_TEXT_BYTES);
        assert_eq!(page.next, Some(Cursor::behind(last, SortKey::CreatedAt)));
        let all = page_of(500, tasks[..page.items.len()].to_vec());
        assert_eq!((all.items.len(), all.next), (page.items.len(), None));
    }

    #[test]
    fn a_page_that_is_cut_leads_on_from_its_new_last_task() {
        for (limit, count) in [(5, 4), (4, 4), (3, 4)] {
            let tasks = tasks(count);
            for key in SortKey::ALL {
                let mut page = page_of(limit, tasks.clone());
                page.cut_behind(2, key);
                assert_eq!(page.items, tasks[..2]);
                assert_eq!(page.next, Some(Cursor::behind(&tasks[1], key)));
            }
        }
    }

    #[test]
    fn a_page_with_room_for_all_of_its_tasks_stays_as_it_is() {
        for (limit, count) in [(3, 3), (3, 4), (3, 0)] {
            let whole = page_of(limit, tasks(count));
            for room in [3, 4, usize::MAX] {
                let mut page = whole.clone();
                page.cut_behind(room, SortKey::CreatedAt);
                assert_eq!(page, whole);
            }
        }
    }

    #[test]
    fn a_cut_never_empties_a_page() {
        let tasks = tasks(2);
        let mut page = page_of(2, tasks.clone());
        page.cut_behind(0, SortKey::CreatedAt);
        assert_eq!(page.items, tasks[..1]);
        assert_eq!(page.next, Some(Cursor::behind(&tasks[0], SortKey::CreatedAt)));
    }

    #[test]
    fn a_page_that_is_exactly_full_is_the_last() {
        assert_eq!(page_of(2, tasks(2)).next, None);
    }
}
