//! The JSON of a page: a bare array, which ends before it gets too large for those who keep it until it was read.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use domain::task::{Page, SortKey, Task};

use super::task::TaskBody;
use crate::policy::unsent::PIECE;

/// The task with which the JSON of a page passes this size is the last one of the page, in bytes.
pub(crate) const FULL: usize = 1 << 20;
/// The size of a task of ordinary length as JSON, in bytes.
pub(crate) const TASK_CAPACITY: usize = 384;
/// The size of a task as JSON besides its texts, in bytes, and a little more.
const BESIDES_TEXTS: usize = 512;
/// The size of a byte of a text as JSON at most: `\u0001`.
const ESCAPED: usize = 6;

/// Cuts the page behind the task that fills it.
pub(crate) fn cut(page: &mut Page, key: SortKey) {
    let count = count_that_fits(&page.items);
    page.cut_behind(count, key);
}

/// Up to the task that passes the size. To know it each is written, but none is kept; mostly a look at their lengths is
/// enough.
fn count_that_fits(tasks: &[Task]) -> usize {
    if tasks.iter().map(most_bytes).sum::<usize>() <= FULL {
        return tasks.len();
    }
    let mut json = Vec::with_capacity(TASK_CAPACITY);
    let mut length = 0;
    let passes = |task: &Task| {
        json.clear();
        TaskBody::from(task).write_to(&mut json);
        // The bracket, or a comma.
        length += 1 + json.len();
        length > FULL
    };
    tasks.iter().position(passes).map_or(tasks.len(), |last| last + 1)
}

fn most_bytes(task: &Task) -> usize {
    BESIDES_TEXTS + ESCAPED * (task.owner().as_str().len() + task.text_bytes())
}

/// All of these tasks, in pieces if they are many: each is freed when it was sent.
pub(crate) fn json_array(tasks: &[Task]) -> BoxBody {
    let mut json = Vec::with_capacity((2 + tasks.len() * TASK_CAPACITY).min(2 * PIECE));
    let mut pieces = VecDeque::new();
    let mut separator = b'[';
    for task in tasks {
        json.push(separator);
        separator = b',';
        TaskBody::from(task).write_to(&mut json);
        if json.len() >= PIECE {
            pieces.push_back(Bytes::copy_from_slice(&json));
            json.clear();
        }
    }
    if tasks.is_empty() {
        json.push(separator);
    }
    json.push(b']');
    if pieces.is_empty() {
        return json.boxed();
    }
    pieces.push_back(json.into());
    Pieces::new(pieces).boxed()
}

/// A body that was made in pieces, each of which is freed when it was handed out.
struct Pieces {
    pieces: VecDeque<Bytes>,
    size: u64,
}

impl Pieces {
    fn new(pieces: VecDeque<Bytes>) -> Self {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, size }
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::{BodySize, to_bytes};
    use domain::identity::Owner;
    use domain::task::{Cursor, Description, Title};
    use domain::testing::{a_task, an_owner_named};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn task_of(owner: &Owner, title: &str, description: &str) -> Task {
        let mut parts = a_task(owner, "title").parts().clone();
        parts.title = Title::parse(title.to_owned()).unwrap();
        parts.description = Some(Description::parse(description.to_owned()).unwrap());
        Task::restore(parts).unwrap()
    }

    fn tasks_of(description: &str, count: usize) -> Vec<Task> {
        let owner = an_owner_named("alice");
        (0..count)
            .map(|_| task_of(&owner, "title", description))
            .collect()
    }

    async fn written(tasks: &[Task]) -> Bytes {
        let body = json_array(tasks);
        let size = body.size();
        let bytes = to_bytes(body).await.unwrap();
        assert_eq!(size, BodySize::Sized(bytes.len() as u64));
        bytes
    }

    #[actix_web::test]
    async fn a_page_ends_with_the_task_that_passes_the_size() {
        let largest = task_of(
            &an_owner_named(&"\u{1F95B}".repeat(255)),
            &"\u{1F95B}".repeat(255),
            &"\u{1}".repeat(10_000),
        );
        for tasks in [
            tasks_of(&"\u{1F95B}".repeat(10_000), 60),
            tasks_of(&"\u{1}".repeat(10_000), 60),
            tasks_of(&"a".repeat(1_500), 900),
            tasks_of("", 5_000),
            vec![largest; 40],
        ] {
            let count = count_that_fits(&tasks);
            let (page, shorter) = (written(&tasks[..count]).await, written(&tasks[..count - 1]).await);
            // The closing bracket comes when the page has ended.
            assert!(page.len() - 1 > FULL && shorter.len() - 1 <= FULL, "{count}");
            assert!(page.len() < FULL + (64 << 10), "{}", page.len());
            let read: Vec<Value> = serde_json::from_slice(&page).unwrap();
            assert_eq!(read.len(), count);
        }
    }

    #[actix_web::test]
    async fn what_ends_exactly_at_the_size_does_not_pass_it() {
        // As many as fit, one that fills the page to the byte, and two more.
        let mut tasks = tasks_of(&"a".repeat(10_000), 110);
        tasks.truncate(count_that_fits(&tasks) - 1);
        let length = written(&tasks).await.len() - 1;
        let empty = tasks_of("", 1);
        let needed = FULL - length - 1;
        let filler = needed - (written(&empty).await.len() - 2);
        tasks.extend(tasks_of(&"a".repeat(filler), 1));
        assert_eq!(written(&tasks).await.len() - 1, FULL);
        tasks.extend(tasks_of("", 2));
        assert_eq!(count_that_fits(&tasks), tasks.len() - 1);
    }

    #[actix_web::test]
    async fn no_task_and_some_tasks_are_arrays() {
        assert_eq!(written(&[]).await, "[]");
        for count in [1, 2, 100, 300] {
            let tasks = tasks_of("a description", count);
            let read: Vec<Value> = serde_json::from_slice(&written(&tasks).await).unwrap();
            assert_eq!(read.len(), count);
        }
    }

    #[test]
    fn a_cut_page_leads_on_from_its_last_task() {
        let tasks = tasks_of(&"\u{1F95B}".repeat(10_000), 60);
        let mut page = Page {
            items: tasks.clone(),
            next: None,
        };
        cut(&mut page, SortKey::Title);
        assert_eq!(page.items, tasks[..page.items.len()]);
        assert_eq!(
            page.next,
            page.items.last().map(|task| Cursor::behind(task, SortKey::Title))
        );
        let short = Page {
            items: tasks_of("", 100),
            next: None,
        };
        let mut page = short.clone();
        cut(&mut page, SortKey::Title);
        assert_eq!(page, short);
    }

    proptest! {
        #[test]
        fn no_task_takes_more_than_is_thought_possible(title in any::<String>(), description in any::<String>()) {
            if let (Ok(title), Ok(description)) = (Title::parse(title), Description::parse(description)) {
                let task = task_of(&an_owner_named("alice"), title.as_str(), description.as_str());
                let mut json = Vec::new();
                TaskBody::from(&task).write_to(&mut json);
                // And a comma.
                prop_assert!(json.len() < most_bytes(&task));
            }
        }
    }
}
