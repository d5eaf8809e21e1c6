//! Statements with one fixed text: those of every request, for which diesel's builder would put the text together anew
//! each time, and those that it would have prepared anew each time. Those that write stand beside the columns, in
//! `row.rs`.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text};
use domain::task::Page;
use uuid::Uuid;

use super::row::{COLUMNS, COLUMNS_IN_BRIEF, TEXT_BYTES, TaskColumns};

/// Names every column that the statements of tasks use, and reads none: where tables are distributed no shard is asked,
/// so that one that is unavailable does not make the whole service look as if it were.
pub(super) struct LookAtTable;

impl QueryFragment<Pg> for LookAtTable {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS);
        out.push_sql(", idempotency_key, idempotency_fingerprint FROM tasks WHERE false");
        Ok(())
    }
}

impl QueryId for LookAtTable {
    type QueryId = Self;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Asks whether the server is a standby, and whether it refuses to write for another reason.
pub(super) struct AskWhetherReadOnly;

impl QueryFragment<Pg> for AskWhetherReadOnly {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'");
        Ok(())
    }
}

impl Query for AskWhetherReadOnly {
    type SqlType = (Bool, Bool);
}

impl QueryId for AskWhetherReadOnly {
    type QueryId = Self;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Reads a task.
pub(super) struct FindTask<'a> {
    pub(super) user_id: &'a str,
    pub(super) id: Uuid,
}

impl QueryFragment<Pg> for FindTask<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS);
        out.push_sql(" FROM tasks WHERE user_id = ");
        out.push_bind_param::<Text, _>(self.user_id)?;
        out.push_sql(" AND id = ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(&self.id)
    }
}

impl Query for FindTask<'_> {
    type SqlType = TaskColumns;
}

impl QueryId for FindTask<'_> {
    type QueryId = FindTask<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Reads tasks of a user in the order of their creation, beyond one of them, without long descriptions.
#[derive(Clone, Copy)]
pub(super) struct TasksInBrief<'a, const OLDEST_FIRST: bool> {
    pub(super) user_id: &'a str,
    pub(super) beyond: Uuid,
    pub(super) limit: i64,
}

impl<const OLDEST_FIRST: bool> QueryFragment<Pg> for TasksInBrief<'_, OLDEST_FIRST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS_IN_BRIEF);
        out.push_sql(" FROM tasks WHERE user_id = ");
        out.push_bind_param::<Text, _>(self.user_id)?;
        out.push_sql(if OLDEST_FIRST { " AND id > " } else { " AND id < " });
        out.push_bind_param::<diesel::sql_types::Uuid, _>(&self.beyond)?;
        out.push_sql(if OLDEST_FIRST {
            " ORDER BY id LIMIT "
        } else {
            " ORDER BY id DESC LIMIT "
        });
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<const OLDEST_FIRST: bool> Query for TasksInBrief<'_, OLDEST_FIRST> {
    type SqlType = TaskColumns;
}

impl<const OLDEST_FIRST: bool> QueryId for TasksInBrief<'_, OLDEST_FIRST> {
    type QueryId = TasksInBrief<'static, OLDEST_FIRST>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Of a page of tasks those up to the one with which their texts reach [`Page::MAX_TEXT_BYTES`], and one more, which
/// proves that there is a next page. PostgreSQL numbers and returns rows in the order of the page: there is nothing
/// between the two that could change it (and the contract's cases would fail).
pub(super) struct Bounded<Q> {
    page: Q,
    bytes: i64,
}

impl<Q> Bounded<Q> {
    pub(super) fn new(page: Q) -> Self {
        let bytes = i64::try_from(Page::MAX_TEXT_BYTES).unwrap_or(i64::MAX);
        Self { page, bytes }
    }
}

/// Ends two rows before the current one: the row that reaches the bound belongs to the page, and the next is the proof.
const BEFORE: &str = "OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING)";

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Bounded<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS);
        out.push_sql(" FROM (SELECT page.*, sum(");
        out.push_sql(TEXT_BYTES);
        out.push_sql(") ");
        out.push_sql(BEFORE);
        out.push_sql(" AS bytes_before FROM (");
        self.page.walk_ast(out.reborrow())?;
        out.push_sql(") AS page) AS page WHERE coalesce(bytes_before, 0) < ");
        out.push_bind_param::<BigInt, _>(&self.bytes)
    }
}

impl<Q> Query for Bounded<Q> {
    type SqlType = TaskColumns;
}

impl<Q: QueryId> QueryId for Bounded<Q> {
    type QueryId = Bounded<Q::QueryId>;

    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}
