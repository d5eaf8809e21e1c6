//! The archive of operators, over a connection of its own: no lane, no slot in the queue of requests, none of their
//! time limits. Nothing here needs a transaction or a setting of the session, so it works through a transaction pooler.

use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{ArchivedTask, TaskArchive, TaskId};
use tokio::time::timeout;
use uuid::Uuid;

use super::row::{ArchivedRow, Import};
use crate::call::cause_of;
use crate::error::AttemptFailure;
use crate::handle::Handle;
use crate::schema::tasks;

/// How long a statement may take before we give up on it: a batch of the longest tasks over a slow line.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);

/// Carries tasks into PostgreSQL and out of it. Once its connection is lost every call returns `Unavailable`.
pub struct PostgresTaskArchive {
    handle: Handle,
}

impl PostgresTaskArchive {
    pub(crate) fn over(handle: Handle) -> Self {
        Self { handle }
    }

    fn connection(&self) -> &AsyncPgConnection {
        self.handle.connection()
    }

    async fn outcome_of<T>(
        &self,
        statement: impl Future<Output = QueryResult<T>> + Send,
    ) -> Result<T, StorageError> {
        let failure = match timeout(STATEMENT_TIMEOUT, statement).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => cause_of(&error, &self.handle).await.into(),
            Err(_) => AttemptFailure::GaveUp {
                after: STATEMENT_TIMEOUT,
                is_silence: true,
            },
        };
        Err(failure.into())
    }
}

#[async_trait]
impl TaskArchive for PostgresTaskArchive {
    /// The one statement without an owner: one step of a walk over the primary key, in each shard if there are some.
    async fn next_owner(&self, after: Option<&Owner>) -> Result<Option<Owner>, StorageError> {
        let statement = tasks::table
            .select(tasks::user_id)
            // No user id is empty.
            .filter(tasks::user_id.gt(after.map_or("", Owner::as_str)))
            .order(tasks::user_id)
            .limit(1);
        let user_ids = statement.load::<String>(&mut self.connection());
        let user_id = self.outcome_of(user_ids).await?.into_iter().next();
        let owner = user_id.as_deref().map(Owner::parse).transpose();
        owner.map_err(corrupt("user_id"))
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StorageError> {
        let statement = tasks::table
            .select(diesel::dsl::count_star())
            .filter(tasks::user_id.eq(owner.as_str()));
        let counts = self.outcome_of(statement.load::<i64>(&mut self.connection()));
        Ok(counts.await?.into_iter().map(i64::unsigned_abs).sum())
    }

    async fn export(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: u16,
    ) -> Result<Vec<ArchivedTask>, StorageError> {
        let statement = tasks::table
            .select(ArchivedRow::as_select())
            .filter(tasks::user_id.eq(owner.as_str()))
            // The nil UUID comes before every id.
            .filter(tasks::id.gt(after.map_or(Uuid::nil(), TaskId::as_uuid)))
            .order(tasks::id)
            .limit(limit.into());
        let rows = self.outcome_of(statement.load::<ArchivedRow>(&mut self.connection()));
        let rows = rows.await?.into_iter();
        rows.map(|row| row.into_archived(owner)).collect()
    }

    async fn import(&self, tasks: Vec<ArchivedTask>) -> Result<u64, StorageError> {
        let statement = Import::of(&tasks);
        let stored = self.outcome_of(statement.load::<Uuid>(&mut self.connection()));
        Ok(stored.await?.len() as u64)
    }

    async fn erase(&self, owner: &Owner, limit: u16) -> Result<u64, StorageError> {
        let statement = Erase {
            user_id: owner.as_str(),
            limit: limit.into(),
        };
        let erased = self.outcome_of(statement.execute(&mut self.connection()));
        Ok(erased.await? as u64)
    }
}

/// Removes the oldest rows of an owner. By hand, because one parameter in both places tells Citus that one shard will
/// do.
struct Erase<'a> {
    user_id: &'a str,
    limit: i64,
}

impl QueryFragment<Pg> for Erase<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("DELETE FROM tasks WHERE user_id = ");
        out.push_bind_param::<Text, _>(self.user_id)?;
        out.push_sql(" AND id IN (SELECT id FROM tasks WHERE user_id = $1 ORDER BY id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for Erase<'_> {
    type QueryId = Erase<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
