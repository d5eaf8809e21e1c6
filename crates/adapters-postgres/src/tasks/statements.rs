//! Statements with one fixed text: those of every request, for which diesel's builder would put the text together anew each
//! time, and those that it would have prepared anew each time.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz};
use domain::task::{Description, IdempotencyKey, Page, Task, TaskParts};
use uuid::Uuid;

use super::row::TaskRow;

/// The columns of a [`TaskRow`], in its order.
const COLUMNS: &str = "id, title, description, status, version, created_at, updated_at";

type TaskColumns = SqlTypeOf<AsSelect<TaskRow, Pg>>;

/// Names every column that the statements of tasks use, and reads none: where tables are distributed no shard is asked, so
/// that one that is away does not make the whole service look as if it were.
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

/// Descriptions of more bytes do not travel on the connection that reads share. About as many as PostgreSQL keeps in the
/// row itself (the threshold of TOAST): this statement never fetches what is stored elsewhere.
macro_rules! long_from {
    () => {
        "2049"
    };
}

/// Reads tasks of a user in the order of their creation, beyond one of them, without long descriptions: a row that has one
/// has the version [`CUT`](super::row::CUT) instead of its own. A column that says so would cost each row of every list.
#[derive(Clone, Copy)]
pub(super) struct TasksInBrief<'a, const OLDEST_FIRST: bool> {
    pub(super) user_id: &'a str,
    pub(super) beyond: Uuid,
    pub(super) limit: i64,
}

impl<const OLDEST_FIRST: bool> QueryFragment<Pg> for TasksInBrief<'_, OLDEST_FIRST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(concat!(
            "SELECT id, title, CASE WHEN octet_length(description) < ",
            long_from!(),
            " THEN description END, status, CASE WHEN octet_length(description) >= ",
            long_from!(),
            " THEN 0 ELSE version END, created_at, updated_at FROM tasks WHERE user_id = "
        ));
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
const BYTES_BEFORE: &str = "sum(octet_length(title) + coalesce(octet_length(description), 0)) \
                            OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING)";

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Bounded<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(COLUMNS);
        out.push_sql(" FROM (SELECT page.*, ");
        out.push_sql(BYTES_BEFORE);
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

/// Stores a task unless a row with its id or its idempotency key is in the way: without a conflict target, one text covers both.
pub(super) struct InsertTask<'a> {
    pub(super) user_id: &'a str,
    pub(super) id: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: i32,
    pub(super) status: &'static str,
    pub(super) title: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) idempotency_fingerprint: Option<[u8; 32]>,
}

impl<'a> InsertTask<'a> {
    /// The row of this task, made with this key.
    pub(super) fn of(task: &'a Task, key: Option<&'a IdempotencyKey>) -> Self {
        // Without `..`: a new fact does not compile until it has its column.
        let TaskParts {
            id,
            owner,
            title,
            description,
            status,
            version,
            created_at,
            updated_at,
        } = task.parts();
        Self {
            user_id: owner.as_str(),
            id: id.as_uuid(),
            created_at: *created_at,
            updated_at: *updated_at,
            version: version.get(),
            status: status.as_str(),
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            idempotency_key: key.map(IdempotencyKey::as_str),
            idempotency_fingerprint: key.map(|key| key.fingerprint().0),
        }
    }
}

impl QueryFragment<Pg> for InsertTask<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self {
            user_id,
            id,
            created_at,
            updated_at,
            version,
            status,
            title,
            description,
            idempotency_key,
            idempotency_fingerprint,
        } = self;
        out.push_sql(
            "INSERT INTO tasks (user_id, id, created_at, updated_at, version, status, title, description, \
             idempotency_key, idempotency_fingerprint) VALUES (",
        );
        out.push_bind_param::<Text, _>(*user_id)?;
        out.push_sql(", ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(id)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(created_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Timestamptz, _>(updated_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Integer, _>(version)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(*status)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(*title)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(description)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Text>, _>(idempotency_key)?;
        out.push_sql(", ");
        out.push_bind_param::<Nullable<Binary>, _>(idempotency_fingerprint)?;
        out.push_sql(") ON CONFLICT DO NOTHING");
        Ok(())
    }
}

impl QueryId for InsertTask<'_> {
    type QueryId = InsertTask<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

/// Changes a task in one statement and answers the row as it is afterwards.
///
/// `diesel::update(..).set(..)` is never cached, because its text may differ from call to call. This text does not.
///
/// A column that is kept takes the value that the row holds at that moment. Version and time move only if a value
/// really differs: the rule of `Task::changed`.
///
/// It meets a row that was changed at `now` or later only `AT_ANY_TIME`. If not, the change itself makes such a row: of
/// several runs only one can take effect.
#[derive(Clone, Copy)]
pub(super) struct UpdateTask<'a, const AT_ANY_TIME: bool> {
    pub(super) user_id: &'a str,
    pub(super) id: Uuid,
    /// `None` keeps it.
    pub(super) title: Option<&'a str>,
    /// Whether `description` counts: `None` clears it then.
    pub(super) sets_description: bool,
    pub(super) description: Option<&'a str>,
    /// `None` keeps it.
    pub(super) status: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
    /// `None` for any version.
    pub(super) expected_versions: Option<&'a [i32]>,
}

impl<'a> UpdateTask<'a, false> {
    /// The same change, which may meet a row that was changed at `now` or later.
    pub(super) fn at_any_time(self) -> UpdateTask<'a, true> {
        let Self {
            user_id,
            id,
            title,
            sets_description,
            description,
            status,
            now,
            expected_versions,
        } = self;
        UpdateTask {
            user_id,
            id,
            title,
            sets_description,
            description,
            status,
            now,
            expected_versions,
        }
    }
}

/// The parameters are numbered as they are bound below; the later mentions repeat the number.
const IS_CHANGED: &str = "(COALESCE($1, title), CASE WHEN $2 THEN $3 ELSE description END, COALESCE($4, status)) \
                          IS DISTINCT FROM (title, description, status)";

/// A microsecond after the last change. Adding to a `timestamptz` depends on the time zone of the session in PostgreSQL's
/// eyes, whatever is added, and Citus refuses what is not immutable inside CASE; adding to a `timestamp` does not.
const ONE_LATER: &str = "(updated_at AT TIME ZONE 'UTC' + interval '1 microsecond') AT TIME ZONE 'UTC'";

impl<const AT_ANY_TIME: bool> QueryFragment<Pg> for UpdateTask<'_, AT_ANY_TIME> {
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
        out.push_sql(", ");
        out.push_sql(ONE_LATER);
        out.push_sql(") ELSE updated_at END WHERE user_id = ");
        out.push_bind_param::<Text, _>(self.user_id)?;
        out.push_sql(" AND id = ");
        out.push_bind_param::<diesel::sql_types::Uuid, _>(&self.id)?;
        // Equal to none is unknown: without expected versions every one will do.
        out.push_sql(" AND COALESCE(version = ANY(");
        out.push_bind_param::<Nullable<Array<Integer>>, _>(&self.expected_versions)?;
        out.push_sql(if AT_ANY_TIME {
            "), true) RETURNING "
        } else {
            "), true) AND updated_at < $5 RETURNING "
        });
        out.push_sql(COLUMNS);
        Ok(())
    }
}

impl<const AT_ANY_TIME: bool> Query for UpdateTask<'_, AT_ANY_TIME> {
    type SqlType = TaskColumns;
}

impl<const AT_ANY_TIME: bool> QueryId for UpdateTask<'_, AT_ANY_TIME> {
    type QueryId = UpdateTask<'static, AT_ANY_TIME>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

#[cfg(test)]
mod tests {
    use diesel::prelude::*;

    use super::*;
    use crate::schema::tasks;

    #[test]
    fn the_columns_are_those_of_a_row_in_its_order() {
        let selection = tasks::table.select(TaskRow::as_select());
        let text = diesel::debug_query::<Pg, _>(&selection).to_string();
        let columns = text.replace("\"tasks\".", "").replace('"', "");
        assert!(
            columns.starts_with(&format!("SELECT {COLUMNS} FROM tasks")),
            "{text}"
        );
    }

    /// The update, with a column `p1` in place of the parameter `$1`, and so on.
    fn update() -> String {
        let statement = UpdateTask::<false> {
            user_id: "",
            id: Uuid::nil(),
            title: None,
            sets_description: false,
            description: None,
            status: None,
            now: DateTime::UNIX_EPOCH,
            expected_versions: None,
        };
        let text = diesel::debug_query::<Pg, _>(&statement).to_string();
        text.split(" -- binds").next().unwrap().replace('$', "p")
    }

    /// What the update computes: the value of each column, and whether a row is meant.
    fn expressions_of(update: &str) -> Vec<String> {
        let (_, rest) = update.split_once(" SET ").unwrap();
        let (assignments, rest) = rest.split_once(" WHERE ").unwrap();
        let (condition, _) = rest.split_once(" RETURNING ").unwrap();
        let mut depth = 0;
        let is_between = |character| {
            depth += i32::from(character == '(') - i32::from(character == ')');
            character == ',' && depth == 0
        };
        let values = assignments.split(is_between);
        let values = values.map(|assignment| assignment.split_once(" = ").unwrap().1.to_owned());
        values.chain([condition.to_owned()]).collect()
    }

    /// What PostgreSQL has against these as generated columns, which must be immutable in its eyes.
    async fn objection_to(expressions: &[String]) -> Option<String> {
        let database = test_postgres::fresh_database().await;
        let columns = "user_id text, id uuid, title text, description text, status text, version int,
            updated_at timestamptz, p1 text, p2 bool, p3 text, p4 text, p5 timestamptz, p6 text, p7 uuid, p8 int[]";
        for (number, expression) in expressions.iter().enumerate() {
            // Of the type that the expression has.
            let type_of = format!("SELECT pg_typeof({expression})::text FROM probe");
            let probe = format!("CREATE TEMP TABLE probe ({columns}); INSERT INTO probe (id) VALUES (NULL)");
            let client = database.client().await;
            client.batch_execute(&probe).await.unwrap();
            let row = client.query_one(&type_of, &[]).await.unwrap();
            let column = format!(
                "c{number} {} GENERATED ALWAYS AS ({expression}) STORED",
                row.get::<_, String>(0)
            );
            let generated = format!("CREATE TEMP TABLE generated ({columns}, {column})");
            if let Err(error) = client.batch_execute(&generated).await {
                return Some(error.as_db_error().unwrap().message().to_owned());
            }
        }
        None
    }

    /// Citus computes stable functions of its own accord, once for all shards, but takes none inside CASE and COALESCE.
    #[tokio::test]
    #[ignore = "needs PostgreSQL"]
    async fn an_update_computes_nothing_that_citus_refuses() {
        let update = update();
        let expressions = expressions_of(&update);
        assert_eq!(expressions.len(), 6, "{expressions:#?}");
        assert_eq!(objection_to(&expressions).await, None);

        let naive = update.replace(ONE_LATER, "updated_at + interval '1 microsecond'");
        assert_ne!(naive, update);
        let objection = objection_to(&expressions_of(&naive)).await;
        assert_eq!(
            objection.as_deref(),
            Some("generation expression is not immutable")
        );
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL"]
    async fn a_microsecond_later_is_that_in_every_time_zone_also_when_clocks_are_put_back() {
        let database = test_postgres::fresh_database().await;
        let client = database.client().await;
        let later = format!(
            "SELECT count(*) FROM (SELECT '2026-10-25 00:00+00'::timestamptz + minutes * interval '30 minutes' AS updated_at
                FROM generate_series(0, 100000) AS minutes) AS times
             WHERE {ONE_LATER} <> updated_at + interval '1 microsecond'"
        );
        for zone in ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"] {
            client
                .batch_execute(&format!("SET TIME ZONE '{zone}'"))
                .await
                .unwrap();
            let row = client.query_one(&later, &[]).await.unwrap();
            assert_eq!(row.get::<_, i64>(0), 0, "{zone}");
        }
    }
}
