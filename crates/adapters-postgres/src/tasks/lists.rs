//! The criteria of the calls about many tasks: which of an owner's tasks, in which order, from where on.
//!
//! The list that nearly every caller asks for, unfiltered and by creation, is as fixed a statement as any other. The
//! rest are put together when they are asked for, and diesel prepares each text once per connection. So the texts must
//! be few: one per *shape* (sort key, direction, which filters, with a cursor or without), which makes 128. Never may a
//! text depend on a value, or on how many values there are.

use diesel::dsl::count_star;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use diesel_async::RunQueryDsl;
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{
    Cursor, Direction, Page, Position, Sort, SortKey, Status, StatusSet, Summary, TaskFilter, TaskQuery,
    TitleStart,
};
use uuid::Uuid;

use super::row::TaskRow;
use super::statements::{Bounded, TasksInBrief};
use crate::call::Call;
use crate::lanes::{Lane, Share};
use crate::retry::Repeat;
use crate::schema::tasks;
use crate::search::{Letters, pattern_of};

/// [`TitleStart::MAX_CHARS`], as SQL counts.
const TITLE_START: i32 = 64;
const _: () = assert!(TitleStart::MAX_CHARS == 64);

/// Some of the tasks, by conditions that are known only when it runs.
type Tasks<'q> = tasks::BoxedQuery<'q, Pg>;

pub(super) async fn list(
    call: &Call<'_>,
    owner: &Owner,
    query: &TaskQuery,
    letters: Letters,
) -> Result<Page, StorageError> {
    let rows = if let Some(rows) = brief(call, owner, query).await? {
        rows
    } else {
        let rows = call.run(Lane::Scan, Repeat::Read, |attempt| {
            let tasks = Bounded::new(page_of(owner, query, letters).select(TaskRow::as_select()));
            async move { tasks.load::<TaskRow>(&mut attempt.connection()).await }
        });
        rows.await?
    };
    let items: Result<_, _> = rows.into_iter().map(|row| row.into_task(owner)).collect();
    Ok(Page::of_one_more_than_asked(query, items?))
}

/// The list that nearly every caller asks for, over the connection that reads share: all tasks by their creation, which
/// the primary key bounds. `None`: it is another list, a large one, or has a long description, and may not travel
/// there.
async fn brief(
    call: &Call<'_>,
    owner: &Owner,
    query: &TaskQuery,
) -> Result<Option<Vec<TaskRow>>, StorageError> {
    const MOST_ROWS: u16 = 100;
    let limit = query.limit().get();
    let Sort { key, direction } = query.sort();
    if !query.filter().is_empty() || key != SortKey::CreatedAt || limit > MOST_ROWS {
        return Ok(None);
    }
    let rows = match direction {
        // Above every id that there is, and below.
        Direction::Descending => in_brief::<false>(call, owner, query, Uuid::max()).await?,
        Direction::Ascending => in_brief::<true>(call, owner, query, Uuid::nil()).await?,
    };
    let is_whole = !rows.iter().any(TaskRow::is_cut);
    Ok(is_whole.then_some(rows))
}

async fn in_brief<const OLDEST_FIRST: bool>(
    call: &Call<'_>,
    owner: &Owner,
    query: &TaskQuery,
    start: Uuid,
) -> Result<Vec<TaskRow>, StorageError> {
    let limit = query.limit().get();
    let tasks = TasksInBrief::<OLDEST_FIRST> {
        user_id: owner.as_str(),
        beyond: query.after().map_or(start, |cursor| cursor.id.as_uuid()),
        limit: i64::from(limit) + 1,
    };
    let rows = call.run(Share::of_rows(limit), Repeat::Read, |attempt| async move {
        tasks.load(&mut attempt.connection()).await
    });
    rows.await
}

pub(super) async fn count(
    call: &Call<'_>,
    owner: &Owner,
    filter: &TaskFilter,
    letters: Letters,
) -> Result<u64, StorageError> {
    let counts = call.run(Lane::Scan, Repeat::Read, |attempt| {
        let statement = matching(owner, filter, letters).count();
        async move { statement.load::<i64>(&mut attempt.connection()).await }
    });
    Ok(counts.await?.into_iter().map(i64::unsigned_abs).sum())
}

pub(super) async fn summary(call: &Call<'_>, owner: &Owner) -> Result<Summary, StorageError> {
    let counts = call.run(Lane::Scan, Repeat::Read, |attempt| {
        let statement = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .group_by(tasks::status)
            .select((tasks::status, count_star()));
        async move { statement.load::<(String, i64)>(&mut attempt.connection()).await }
    });
    let mut summary = Summary::default();
    for (status, count) in counts.await? {
        let status = Status::parse(&status).map_err(corrupt("status"))?;
        summary.add(status, count.unsigned_abs());
    }
    Ok(summary)
}

pub(super) async fn delete_with_status(
    call: &Call<'_>,
    owner: &Owner,
    statuses: &StatusSet,
) -> Result<u64, StorageError> {
    let deleted = call.run(Lane::Scan, Repeat::Never, |attempt| async move {
        let doomed = tasks::table
            .filter(tasks::user_id.eq(owner.as_str()))
            .filter(tasks::status.eq_any(names_of(statuses)));
        diesel::delete(doomed).execute(&mut attempt.connection()).await
    });
    Ok(deleted.await? as u64)
}

/// The tasks of a page, and one more.
fn page_of<'q>(owner: &'q Owner, query: &'q TaskQuery, letters: Letters) -> Tasks<'q> {
    let mut tasks = in_order(matching(owner, query.filter(), letters), query.sort());
    if let Some(cursor) = query.after() {
        tasks = after(tasks, cursor, query.sort().direction);
    }
    tasks.limit(i64::from(query.limit().get()) + 1)
}

/// The owner's tasks that belong to the list.
fn matching<'q>(owner: &'q Owner, filter: &'q TaskFilter, letters: Letters) -> Tasks<'q> {
    // Without `..`: a new filter does not compile until it has its condition.
    let TaskFilter {
        statuses,
        search,
        updated_since,
    } = filter;
    let mut tasks = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .into_boxed();
    if let Some(statuses) = statuses {
        tasks = tasks.filter(tasks::status.eq_any(names_of(statuses)));
    }
    if let Some(term) = search {
        let pattern = pattern_of(term);
        // Without a description the second half is NULL, and the first decides alone.
        let in_title = letters.folded(tasks::title).like(pattern.clone());
        let in_description = letters.folded(tasks::description).like(pattern);
        tasks = tasks.filter(in_title.nullable().or(in_description));
    }
    if let Some(since) = updated_since {
        tasks = tasks.filter(tasks::updated_at.ge(*since));
    }
    tasks
}

fn names_of(statuses: &StatusSet) -> Vec<&'static str> {
    statuses.iter().map(Status::as_str).collect()
}

fn in_order(tasks: Tasks<'_>, sort: Sort) -> Tasks<'_> {
    use Direction::{Ascending, Descending};
    match (sort.key, sort.direction) {
        (SortKey::CreatedAt, Ascending) => tasks.order(tasks::id.asc()),
        (SortKey::CreatedAt, Descending) => tasks.order(tasks::id.desc()),
        (SortKey::UpdatedAt, Ascending) => tasks.order((tasks::updated_at.asc(), tasks::id.asc())),
        (SortKey::UpdatedAt, Descending) => tasks.order((tasks::updated_at.desc(), tasks::id.desc())),
        (SortKey::Title, Ascending) => tasks.order((start_of_title().asc(), tasks::id.asc())),
        (SortKey::Title, Descending) => tasks.order((start_of_title().desc(), tasks::id.desc())),
        (SortKey::Status, Ascending) => tasks.order((tasks::status.asc(), tasks::id.asc())),
        (SortKey::Status, Descending) => tasks.order((tasks::status.desc(), tasks::id.desc())),
    }
}

diesel::define_sql_function! {
    /// The first n characters of a text, which keep its collation.
    #[sql_name = "left"]
    fn first_characters(text: Text, count: Integer) -> Text;
}

/// The key that titles are sorted by.
#[diesel::dsl::auto_type]
fn start_of_title() -> _ {
    let count: i32 = TITLE_START;
    first_characters(tasks::title, count)
}

/// The rows after a position: `(column, id)` beyond `(value, id)`.
macro_rules! beyond {
    ($tasks:ident, $column:expr, $value:expr, $id:expr, $direction:expr) => {
        match $direction {
            Direction::Ascending => {
                $tasks.filter($column.gt($value).or($column.eq($value).and(tasks::id.gt($id))))
            }
            Direction::Descending => {
                $tasks.filter($column.lt($value).or($column.eq($value).and(tasks::id.lt($id))))
            }
        }
    };
}

fn after<'q>(tasks: Tasks<'q>, cursor: &'q Cursor, direction: Direction) -> Tasks<'q> {
    let id = cursor.id.as_uuid();
    match &cursor.position {
        Position::CreatedAt => match direction {
            Direction::Ascending => tasks.filter(tasks::id.gt(id)),
            Direction::Descending => tasks.filter(tasks::id.lt(id)),
        },
        Position::UpdatedAt(time) => beyond!(tasks, tasks::updated_at, *time, id, direction),
        Position::Title(title) => beyond!(tasks, start_of_title(), title.as_str(), id, direction),
        Position::Status(status) => beyond!(tasks, tasks::status, status.as_str(), id, direction),
    }
}
