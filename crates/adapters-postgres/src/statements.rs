//! Statements that belong to no table, or that diesel's own builder would have prepared anew each time.

use chrono::{DateTime, Utc};
use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz};
use diesel::{IntoSql, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::tasks::TaskRow;

/// Asks the server for an answer, any answer.
pub(crate) async fn ping(connection: &AsyncPgConnection) -> QueryResult<()> {
    let statement = diesel::select(1.into_sql::<Integer>());
    statement.load::<i32>(&mut &*connection).await.map(drop)
}

/// Changes a task in one statement and answers the row as it is afterwards.
///
/// `diesel::update(..).set(..)` is never cached, because its text may differ from call to call. This text does not.
///
/// A column that is kept takes the value that the row holds at that moment. Version and time move only if a value
/// really differs: the rule of `Task::changed`.
pub(crate) struct UpdateTask<'a> {
    pub(crate) user_id: &'a str,
    pub(crate) id: Uuid,
    /// `None` keeps it.
    pub(crate) title: Option<&'a str>,
    /// Whether `description` counts: `None` clears it then.
    pub(crate) sets_description: bool,
    pub(crate) description: Option<&'a str>,
    /// `None` keeps it.
    pub(crate) status: Option<&'a str>,
    pub(crate) now: DateTime<Utc>,
    /// `None` for any version.
    pub(crate) expected_versions: Option<&'a [i32]>,
    /// The columns of the answer.
    pub(crate) returning: AsSelect<TaskRow, Pg>,
}

/// The parameters are numbered as they are bound below; the later mentions repeat the number.
const IS_CHANGED: &str = "(COALESCE($1, title), CASE WHEN $2 THEN $3 ELSE description END, COALESCE($4, status)) \
                          IS DISTINCT FROM (title, description, status)";

impl QueryFragment<Pg> for UpdateTask<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE tasks SET title = COALESCE(");
        out.push_bind_param::<Nullable<Text>, _>(&self.title)?;
        out.push_sql(", title), description = CASE WHEN ");
        out.push_bind_param::<Bool, _>(&self.sets_description)?;
        out.push_sql(" THEN ");
        out.push_bind_param::<Nullable<Text>, _>(&self.description)?;
        out.push_sql(" ELSE description END, status = COALESCE(");
        out.push_bind_param::<Nullable<Text>, _>(&self.status)?;
        out.push_sql(", status), version = version + CASE WHEN ");
        out.push_sql(IS_CHANGED);
        out.push_sql(" THEN 1 ELSE 0 END, updated_at = CASE WHEN ");
        out.push_sql(IS_CHANGED);
        out.push_sql(" THEN greatest(");
        out.push_bind_param::<Timestamptz, _>(&self.now)?;
        out.push_sql(", updated_at + interval '1 microsecond') ELSE updated_at END WHERE user_id = ");
        out.push_bind_param::<Text, _>(self.user_id)?;
        out.push_sql(" AND id = ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(&self.id)?;
        out.push_sql(" AND (");
        out.push_bind_param::<Nullable<Array<Integer>>, _>(&self.expected_versions)?;
        out.push_sql(" IS NULL OR version = ANY($8)) RETURNING ");
        self.returning.walk_ast(out.reborrow())
    }
}

impl Query for UpdateTask<'_> {
    type SqlType = SqlTypeOf<AsSelect<TaskRow, Pg>>;
}

impl QueryId for UpdateTask<'_> {
    type QueryId = UpdateTask<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
