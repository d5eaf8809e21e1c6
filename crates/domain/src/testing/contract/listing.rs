//! Lists: their order, their filters, their pages.

use chrono::TimeDelta;

use super::steps::{MOST_PAGES, insert, newest_first, stored, walk, walk_through};
use crate::task::{
    Description, Direction, Expected, NewTask, Page, PageLimit, SearchTerm, Sort, SortKey, Status, StatusSet,
    Summary, Task, TaskFilter, TaskQuery, TaskRepository,
};
use crate::testing::{a_new_task, a_task_with, an_id_at, an_owner, an_owner_named, noon};

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
        let task = Task::create(*id, an_owner(), a_new_task("task"));
        insert(repo, &task).await;
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

/// A caller who walks the pages sees each task that was there all the while exactly once.
pub async fn pages_join_up_without_gap_or_repeat_while_tasks_come_and_go(repo: &dyn TaskRepository) {
    let mut old = Vec::new();
    for number in 0..23 {
        old.push(stored(repo, &an_owner(), &format!("task {number}")).await);
    }
    let mut query = newest_first(4);
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
            Some(cursor) => query = query.continued(cursor).expect("a cursor of this list"),
            None => break,
        }
    }
    let wanted: Vec<_> = old.iter().rev().map(Task::id).collect();
    assert_eq!(seen, wanted);
}

/// No page holds much more text than [`Page::MAX_TEXT_BYTES`], whatever its limit; only a missing cursor means the end.
pub async fn a_page_of_long_tasks_ends_early_and_the_next_goes_on(repo: &dyn TaskRepository) {
    const COUNT: usize = 70;
    let long = "\u{1f4dd}".repeat(Description::MAX_CHARS);
    for number in 0..COUNT {
        let new = NewTask {
            // Every third one is short: what is short must not be lost among what is long.
            description: (number % 3 > 0).then(|| Description::parse(long.as_str()).expect("a description")),
            ..a_new_task(&format!("task {:02}", number * 37 % COUNT))
        };
        let id = an_id_at(noon() + TimeDelta::milliseconds(i64::try_from(number).unwrap_or_default()));
        insert(repo, &Task::create(id, an_owner(), new)).await;
    }
    let search = TaskFilter {
        search: Some(SearchTerm::parse("task").expect("a term")),
        ..TaskFilter::default()
    };
    for (filter, key) in [
        (TaskFilter::default(), SortKey::CreatedAt),
        (TaskFilter::default(), SortKey::Title),
        (search, SortKey::CreatedAt),
    ] {
        for direction in [Direction::Ascending, Direction::Descending] {
            for limit in [40, i64::from(PageLimit::MAX)] {
                let limit = PageLimit::new(limit).expect("a limit");
                let sort = Sort { key, direction };
                let mut query = TaskQuery::new(filter.clone(), sort, limit, None).expect("a query");
                let mut seen: Vec<Task> = Vec::new();
                let mut pages = 0;
                loop {
                    let page = repo.list(&an_owner(), &query).await.expect("a page");
                    let bytes: usize = page.items.iter().map(Task::text_bytes).sum();
                    let last = page.items.last().expect("no page is empty").text_bytes();
                    assert!(bytes - last < Page::MAX_TEXT_BYTES, "{bytes}");
                    let is_full = page.items.len() == usize::from(limit.get());
                    assert!(page.next.is_none() || is_full || bytes >= Page::MAX_TEXT_BYTES);
                    pages += 1;
                    seen.extend(page.items);
                    assert!(seen.len() <= COUNT, "a task came twice");
                    match page.next {
                        Some(cursor) => query = query.continued(cursor).expect("a cursor of this list"),
                        None => break,
                    }
                }
                assert_eq!(seen.len(), COUNT, "{sort:?}");
                assert!(pages > 1);
                assert!(seen.is_sorted_by(|one, other| sort.compare(one, other).is_lt()));
            }
        }
    }
}

/// Paging goes on from where a task was, even when that task is deleted meanwhile.
pub async fn a_cursor_outlives_its_task(repo: &dyn TaskRepository) {
    let first = stored(repo, &an_owner(), "first").await;
    let second = stored(repo, &an_owner(), "second").await;
    let query = newest_first(1);
    let page = repo.list(&an_owner(), &query).await.expect("a page");
    assert_eq!(page.items, std::slice::from_ref(&second));
    repo.delete(second.owner(), second.id(), &Expected::Any)
        .await
        .expect("a deletion");
    let query = query
        .continued(page.next.expect("a next page"))
        .expect("a cursor of this list");
    let next = repo.list(&an_owner(), &query).await.expect("a page");
    assert_eq!(next.items, [first]);
    assert_eq!(next.next, None);
}

/// A task with this title, status and time of the last change.
async fn stored_as(repo: &dyn TaskRepository, title: &str, status: Status, changed_at: i64) -> Task {
    let task = a_task_with(&an_owner(), title, |parts| {
        parts.status = status;
        parts.description = None;
        parts.updated_at = parts.created_at + TimeDelta::seconds(changed_at);
    });
    insert(repo, &task).await;
    task
}

/// Tasks of every status, with titles and times in no order, some of them equal.
async fn a_mixed_lot(repo: &dyn TaskRepository) -> Vec<Task> {
    let titles = ["b", "a", "B", "é", "b", "a b", "Z", "10", "9", "z", "a", "ß"];
    let mut tasks = Vec::new();
    for (number, title) in titles.into_iter().enumerate() {
        let status = Status::ALL[number % Status::ALL.len()];
        let changed_at = i64::try_from((number * 7) % 5).expect("a small number");
        tasks.push(stored_as(repo, title, status, changed_at).await);
    }
    stored(repo, &an_owner_named("somebody else"), "a b").await;
    tasks
}

/// Every sort key in both directions, in pages of every size, is the order of the domain.
pub async fn every_order_is_total_and_the_same_as_in_the_domain(repo: &dyn TaskRepository) {
    let tasks = a_mixed_lot(repo).await;
    for key in SortKey::ALL {
        for direction in [Direction::Ascending, Direction::Descending] {
            let sort = Sort { key, direction };
            let mut wanted = tasks.clone();
            wanted.sort_by(|one, other| sort.compare(one, other));
            for limit in [1, 3, 5, 12] {
                let listed = walk_through(repo, &TaskFilter::default(), sort, limit).await;
                assert_eq!(listed, wanted, "{sort:?} in pages of {limit}");
            }
        }
    }
}

/// Titles that begin alike are in the order of their ids, however they end.
pub async fn titles_are_sorted_by_their_first_sixty_four_characters(repo: &dyn TaskRepository) {
    let mut tasks = Vec::new();
    for end in ["z", "a", "m", "", "b"] {
        tasks.push(stored(repo, &an_owner(), &format!("{}{end}", "\u{1F95B}".repeat(64))).await);
        tasks.push(stored(repo, &an_owner(), &format!("{}{end}b", "\u{1F95B}".repeat(63))).await);
        // A title may begin with a long blank.
        tasks.push(stored(repo, &an_owner(), &format!("{}{end}b", " ".repeat(64))).await);
    }
    for direction in [Direction::Ascending, Direction::Descending] {
        let key = SortKey::Title;
        let sort = Sort { key, direction };
        let mut wanted = tasks.clone();
        wanted.sort_by(|one, other| sort.compare(one, other));
        for limit in [1, 2, 15] {
            let listed = walk_through(repo, &TaskFilter::default(), sort, limit).await;
            assert_eq!(listed, wanted, "{direction:?} in pages of {limit}");
        }
    }
}

/// The filter comes first and the page is cut from what is left of the list.
pub async fn a_filter_and_a_page_together_lose_nothing(repo: &dyn TaskRepository) {
    let tasks = a_mixed_lot(repo).await;
    let since = tasks[0].parts().created_at + TimeDelta::seconds(2);
    let statuses = [
        None,
        StatusSet::new([Status::Completed]),
        StatusSet::new([Status::Pending, Status::InProgress]),
    ];
    let searches = [None, Some("b"), Some("A"), Some("nowhere")];
    for statuses in statuses {
        for search in searches {
            for updated_since in [None, Some(since)] {
                let filter = TaskFilter {
                    statuses: statuses.clone(),
                    search: search.map(|text| SearchTerm::parse(text).expect("a search term")),
                    updated_since,
                };
                for key in [SortKey::CreatedAt, SortKey::Title] {
                    let sort = Sort {
                        key,
                        direction: Direction::Descending,
                    };
                    let mut wanted: Vec<_> = tasks
                        .iter()
                        .filter(|task| filter.matches(task))
                        .cloned()
                        .collect();
                    wanted.sort_by(|one, other| sort.compare(one, other));
                    for limit in [1, 2, PageLimit::MAX] {
                        let listed = walk_through(repo, &filter, sort, limit).await;
                        assert_eq!(listed, wanted, "{filter:?} by {key:?} in pages of {limit}");
                    }
                }
                let count = repo.count(&an_owner(), &filter).await.expect("a count");
                let wanted = tasks.iter().filter(|task| filter.matches(task)).count();
                assert_eq!(
                    usize::try_from(count).expect("a small count"),
                    wanted,
                    "{filter:?}"
                );
            }
        }
    }
}

/// A task that was changed at that very moment counts.
pub async fn updated_since_is_inclusive_to_the_microsecond(repo: &dyn TaskRepository) {
    let task = stored(repo, &an_owner(), "task").await;
    let at = task.parts().updated_at;
    for (since, is_listed) in [(at, true), (at + TimeDelta::microseconds(1), false)] {
        let filter = TaskFilter {
            updated_since: Some(since),
            ..TaskFilter::default()
        };
        let listed = walk_through(repo, &filter, Sort::default(), 10).await;
        assert_eq!(!listed.is_empty(), is_listed, "{since}");
    }
}

/// The summary counts each of the owner's tasks once, under its status.
pub async fn a_summary_counts_by_status(repo: &dyn TaskRepository) {
    assert_eq!(
        repo.summary(&an_owner()).await.expect("a summary"),
        Summary::default()
    );
    let tasks = a_mixed_lot(repo).await;
    stored_as(repo, "one more", Status::Completed, 0).await;
    let summary = repo.summary(&an_owner()).await.expect("a summary");
    assert_eq!(summary.total(), tasks.len() as u64 + 1);
    assert_eq!(summary.with_status(Status::Pending), 4);
    assert_eq!(summary.with_status(Status::InProgress), 4);
    assert_eq!(summary.with_status(Status::Completed), 5);
}
