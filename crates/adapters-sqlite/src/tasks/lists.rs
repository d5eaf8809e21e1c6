//! The statements of the calls about many tasks: which of an owner's tasks, in which order, from where on.
//!
//! The list that nearly everyone asks for, newest first and unfiltered, is as fixed a statement as any other. The
//! rest are put together when they are asked for, and diesel prepares each text once per connection. So the texts
//! must be few: one per *shape* (sort key, direction, which filters, with a cursor or without), which makes 128. Never
//! may a text depend on a value, or on how many values there are.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text};
use diesel::sqlite::Sqlite;
use domain::identity::Owner;
use domain::storage::corrupt;
use domain::task::{
    Cursor, Direction, Page, Position, Sort, SortKey, Status, StatusSet, Summary, Task, TaskFilter, TaskId,
    TaskQuery, TitleStart,
};

use super::row::TaskRow;
use crate::error::JobError;
use crate::schema::tasks;
use crate::search::{fold, instr};
use crate::wanted::is_wanted;

/// [`TitleStart::MAX_CHARS`], as SQL counts.
const TITLE_START: i32 = 64;
const _: () = assert!(TitleStart::MAX_CHARS == 64);

/// Some of the tasks, by conditions that are known only when it runs.
type Tasks<'q> = tasks::BoxedQuery<'q, Sqlite>;

pub(super) fn list(
    connection: &mut SqliteConnection,
    owner: &Owner,
    query: &TaskQuery,
) -> Result<Page, JobError> {
    let one_more = i64::from(query.limit().get()) + 1;
    let items = if query.filter().is_empty() && query.sort() == Sort::default() {
        newest_first(connection, owner, query.after().map(|cursor| cursor.id), one_more)?
    } else {
        let mut tasks = in_order(matching(owner, query.filter()), query.sort());
        if let Some(cursor) = query.after() {
            tasks = after(tasks, cursor, query.sort().direction);
        }
        let tasks = tasks.limit(one_more).select(TaskRow::as_select());
        page_of(tasks.load_iter(connection)?, owner)?
    };
    Ok(Page::of_one_more_than_asked(query, items))
}

fn newest_first(
    connection: &mut SqliteConnection,
    owner: &Owner,
    after: Option<TaskId>,
    limit: i64,
) -> Result<Vec<Task>, JobError> {
    let newest_first = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .order(tasks::id.desc())
        .limit(limit)
        .select(TaskRow::as_select());
    match after {
        None => page_of(newest_first.load_iter(connection)?, owner),
        Some(id) => page_of(
            newest_first
                .filter(tasks::id.lt(bytes(id)))
                .load_iter(connection)?,
            owner,
        ),
    }
}

/// Reads rows until their texts reach the bound of a page, and one more, which proves that there is a next page.
fn page_of(rows: impl Iterator<Item = QueryResult<TaskRow>>, owner: &Owner) -> Result<Vec<Task>, JobError> {
    let mut items = Vec::new();
    let mut bytes = 0;
    for row in rows {
        let is_proof = bytes >= Page::MAX_TEXT_BYTES;
        let task = row?.into_task(owner)?;
        bytes += task.text_bytes();
        items.push(task);
        if is_proof {
            break;
        }
    }
    Ok(items)
}

pub(super) fn count(
    connection: &mut SqliteConnection,
    owner: &Owner,
    filter: &TaskFilter,
) -> Result<u64, JobError> {
    let count: i64 = matching(owner, filter).count().get_result(connection)?;
    Ok(count.unsigned_abs())
}

pub(super) fn summary(connection: &mut SqliteConnection, owner: &Owner) -> Result<Summary, JobError> {
    let counts: Vec<(String, i64)> = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(is_wanted())
        .group_by(tasks::status)
        .select((tasks::status, count_star()))
        .load(connection)?;
    let mut summary = Summary::default();
    for (status, count) in counts {
        let status = Status::parse(&status).map_err(corrupt("status"))?;
        summary.add(status, count.unsigned_abs());
    }
    Ok(summary)
}

pub(super) fn delete_with_status(
    connection: &mut SqliteConnection,
    owner: &Owner,
    statuses: &StatusSet,
) -> Result<u64, JobError> {
    let doomed = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(is_wanted())
        .filter(has_one_of(statuses));
    Ok(diesel::delete(doomed).execute(connection)? as u64)
}

/// The owner's tasks that belong to the list.
fn matching<'q>(owner: &'q Owner, filter: &'q TaskFilter) -> Tasks<'q> {
    // Without `..`: a new filter does not compile until it has its condition.
    let TaskFilter {
        statuses,
        search,
        updated_since,
    } = filter;
    let mut tasks = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(is_wanted())
        .into_boxed();
    if let Some(statuses) = statuses {
        tasks = tasks.filter(has_one_of(statuses));
    }
    if let Some(term) = search {
        // Without a description the second half is NULL, and the first decides alone.
        let in_title = instr(fold(tasks::title.nullable()), term.folded()).gt(0);
        let in_description = instr(fold(tasks::description), term.folded()).gt(0);
        tasks = tasks.filter(in_title.or(in_description));
    }
    if let Some(since) = updated_since {
        tasks = tasks.filter(tasks::updated_at.ge(since.timestamp_micros()));
    }
    tasks
}

/// Whether a task has one of the statuses. There is room for all of them, and the last one fills what is left over:
/// the text stays the same however many there are, which that of diesel's `eq_any` does not.
fn has_one_of(statuses: &StatusSet) -> Box<dyn BoxableExpression<tasks::table, Sqlite, SqlType = Bool>> {
    let mut statuses = statuses.iter();
    let mut last = "";
    // A fourth status does not compile until it has its place.
    let [first, second, third]: [&str; Status::ALL.len()] = std::array::from_fn(|_| {
        last = statuses.next().map_or(last, Status::as_str);
        last
    });
    let status = tasks::status;
    Box::new(status.eq(first).or(status.eq(second)).or(status.eq(third)))
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
    /// So many characters of a text from that one on, counted from 1.
    fn substr(text: Text, from: Integer, count: Integer) -> Text;
}

/// The sort key of titles.
#[diesel::dsl::auto_type]
fn start_of_title() -> _ {
    let first: i32 = 1;
    let count: i32 = TITLE_START;
    substr(tasks::title, first, count)
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
    let id = bytes(cursor.id);
    match &cursor.position {
        Position::CreatedAt => match direction {
            Direction::Ascending => tasks.filter(tasks::id.gt(id)),
            Direction::Descending => tasks.filter(tasks::id.lt(id)),
        },
        Position::UpdatedAt(time) => {
            beyond!(tasks, tasks::updated_at, time.timestamp_micros(), id, direction)
        }
        Position::Title(title) => beyond!(tasks, start_of_title(), title.as_str(), id, direction),
        Position::Status(status) => beyond!(tasks, tasks::status, status.as_str(), id, direction),
    }
}

fn bytes(id: TaskId) -> [u8; 16] {
    id.as_uuid().into_bytes()
}
