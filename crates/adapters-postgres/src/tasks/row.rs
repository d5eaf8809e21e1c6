//! Between tasks and rows: the one file that knows the columns of the table, but for `schema.rs`. What is read, in
//! which order, what is stored, and what an update sets.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{self, Array, Binary, Bool, Integer, Nullable, Text, Timestamptz};
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{
    ArchivedTask, Description, IdempotencyKey, Status, Task, TaskChange, TaskId, TaskParts, Title, Version,
};
use uuid::Uuid;

use crate::schema::tasks;

/// A task as it is read, without its owner: the statement that reads it names the owner.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Pg))]
pub(super) struct TaskRow {
    id: Uuid,
    title: String,
    description: Option<String>,
    status: String,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TaskRow {
    /// Whether its description is long and was left out.
    pub(super) fn is_cut(&self) -> bool {
        self.version == CUT
    }

    /// The task of this row.
    ///
    /// # Errors
    /// `Corrupt`: the row breaks a rule of the domain, so another program wrote it.
    pub(super) fn into_task(self, owner: &Owner) -> Result<Task, StorageError> {
        let Self {
            id,
            title,
            description,
            status,
            version,
            created_at,
            updated_at,
        } = self;
        let description = description.map(Description::parse).transpose();
        let parts = TaskParts {
            id: TaskId::from_uuid(id).map_err(corrupt("id"))?,
            owner: owner.clone(),
            title: Title::stored(title).map_err(corrupt("title"))?,
            description: description.map_err(corrupt("description"))?,
            status: Status::parse(&status).map_err(corrupt("status"))?,
            version: Version::new(version).map_err(corrupt("version"))?,
            created_at,
            updated_at,
        };
        Task::restore(parts).map_err(|error| StorageError::Corrupt(error.into()))
    }
}

/// The columns of a [`TaskRow`], in its order.
pub(super) const COLUMNS: &str = "id, title, description, status, version, created_at, updated_at";

pub(super) type TaskColumns = SqlTypeOf<AsSelect<TaskRow, Pg>>;

/// Descriptions of more bytes do not travel on the connection that reads share. About as many as PostgreSQL keeps in
/// the row itself (the threshold of TOAST): this statement never fetches what is stored elsewhere.
macro_rules! long_from {
    () => {
        "2049"
    };
}

/// The same without long descriptions: a row that has one has the version [`CUT`] instead of its own. A column that
/// says so would cost each row of every list.
pub(super) const COLUMNS_IN_BRIEF: &str = concat!(
    "id, title, CASE WHEN octet_length(description) < ",
    long_from!(),
    " THEN description END, status, CASE WHEN octet_length(description) >= ",
    long_from!(),
    " THEN 0 ELSE version END, created_at, updated_at"
);

/// The version of a row without its description: no task has it.
const CUT: i32 = 0;

/// How many bytes the texts of a row take: `Task::text_bytes`.
pub(super) const TEXT_BYTES: &str = "octet_length(title) + coalesce(octet_length(description), 0)";

/// The columns of a row as it is stored, in the order of [`InsertTask`].
const STORED_COLUMNS: &str = "user_id, id, created_at, updated_at, version, status, title, description, \
                              idempotency_key, idempotency_fingerprint";

/// A task as it is read, with the key of its creation.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Pg))]
pub(super) struct ArchivedRow {
    #[diesel(embed)]
    task: TaskRow,
    idempotency_key: Option<String>,
    idempotency_fingerprint: Option<Vec<u8>>,
}

impl ArchivedRow {
    /// Everything that this row holds.
    ///
    /// # Errors
    /// As [`TaskRow::into_task`].
    pub(super) fn into_archived(self, owner: &Owner) -> Result<ArchivedTask, StorageError> {
        let Self {
            task,
            idempotency_key,
            idempotency_fingerprint,
        } = self;
        let fingerprint = idempotency_fingerprint.unwrap_or_default();
        let key = idempotency_key.map(|text| IdempotencyKey::restore(text, &fingerprint));
        Ok(ArchivedTask {
            task: task.into_task(owner)?,
            key: key.transpose()?,
        })
    }
}

/// Stores a task unless a row with its id or its idempotency key is in the way: without a conflict target, one text
/// covers both.
pub(super) struct InsertTask<'a> {
    user_id: &'a str,
    id: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
    status: &'static str,
    title: &'a str,
    description: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    idempotency_fingerprint: Option<[u8; 32]>,
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
        out.push_sql("INSERT INTO tasks (");
        out.push_sql(STORED_COLUMNS);
        out.push_sql(") VALUES (");
        out.push_bind_param::<Text, _>(*user_id)?;
        out.push_sql(", ");
        out.push_bind_param::<sql_types::Uuid, _>(id)?;
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

/// Changes a task in one statement and returns the row as it is afterwards.
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
    user_id: &'a str,
    id: Uuid,
    set: Values<'a>,
    now: DateTime<Utc>,
    /// `None` for any version.
    expected_versions: Option<&'a [i32]>,
}

/// The values that an update sets; a field that may be null has a flag beside it.
#[derive(Clone, Copy)]
struct Values<'a> {
    /// `None` keeps it.
    title: Option<&'a str>,
    /// Whether `description` counts: `None` clears it then.
    sets_description: bool,
    description: Option<&'a str>,
    /// `None` keeps it.
    status: Option<&'a str>,
}

impl<'a> Values<'a> {
    fn of(change: &'a TaskChange) -> Self {
        // Without `..`: a new field does not compile until it has its column.
        let TaskChange {
            title,
            description,
            status,
        } = change;
        Self {
            title: title.as_set().map(Title::as_str),
            sets_description: description.as_set().is_some(),
            description: description
                .as_set()
                .and_then(Option::as_ref)
                .map(Description::as_str),
            status: status.as_set().map(|status| status.as_str()),
        }
    }
}

impl<'a> UpdateTask<'a, false> {
    /// This change of a task, asked for at `now`, if the task is at one of these versions.
    pub(super) fn of(
        owner: &'a Owner,
        id: TaskId,
        change: &'a TaskChange,
        now: DateTime<Utc>,
        expected_versions: Option<&'a [i32]>,
    ) -> Self {
        Self {
            user_id: owner.as_str(),
            id: id.as_uuid(),
            set: Values::of(change),
            now,
            expected_versions,
        }
    }

    /// The same change, which may meet a row that was changed at `now` or later.
    pub(super) fn at_any_time(self) -> UpdateTask<'a, true> {
        let Self {
            user_id,
            id,
            set,
            now,
            expected_versions,
        } = self;
        UpdateTask {
            user_id,
            id,
            set,
            now,
            expected_versions,
        }
    }
}

/// The parameters are numbered as they are bound below; the later mentions repeat the number.
const IS_CHANGED: &str = "(COALESCE($1, title), CASE WHEN $2 THEN $3 ELSE description END, COALESCE($4, status)) \
                          IS DISTINCT FROM (title, description, status)";

/// A microsecond after the last change. Adding to a `timestamptz` depends on the time zone of the session in
/// PostgreSQL's eyes, whatever is added, and Citus refuses what is not immutable inside CASE; adding to a `timestamp`
/// does not.
const ONE_LATER: &str = "(updated_at AT TIME ZONE 'UTC' + interval '1 microsecond') AT TIME ZONE 'UTC'";

impl<const AT_ANY_TIME: bool> QueryFragment<Pg> for UpdateTask<'_, AT_ANY_TIME> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE tasks SET title = COALESCE(");
        out.push_bind_param::<Nullable<Text>, _>(&self.set.title)?;
        out.push_sql(", title), description = CASE WHEN ");
        out.push_bind_param::<Bool, _>(&self.set.sets_description)?;
        out.push_sql(" THEN ");
        out.push_bind_param::<Nullable<Text>, _>(&self.set.description)?;
        out.push_sql(" ELSE description END, status = COALESCE(");
        out.push_bind_param::<Nullable<Text>, _>(&self.set.status)?;
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
        out.push_bind_param::<sql_types::Uuid, _>(&self.id)?;
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

/// Stores rows in one statement, column by column, so that its text does not depend on how many there are.
#[derive(Default)]
pub(super) struct Import<'a> {
    user_ids: Vec<&'a str>,
    ids: Vec<Uuid>,
    created_at: Vec<DateTime<Utc>>,
    updated_at: Vec<DateTime<Utc>>,
    versions: Vec<i32>,
    statuses: Vec<&'static str>,
    titles: Vec<&'a str>,
    descriptions: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    fingerprints: Vec<Option<[u8; 32]>>,
}

impl<'a> Import<'a> {
    pub(super) fn of(tasks: &'a [ArchivedTask]) -> Self {
        let mut import = Self::default();
        for ArchivedTask { task, key } in tasks {
            let InsertTask {
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
            } = InsertTask::of(task, key.as_ref());
            import.user_ids.push(user_id);
            import.ids.push(id);
            import.created_at.push(created_at);
            import.updated_at.push(updated_at);
            import.versions.push(version);
            import.statuses.push(status);
            import.titles.push(title);
            import.descriptions.push(description);
            import.keys.push(idempotency_key);
            import.fingerprints.push(idempotency_fingerprint);
        }
        import
    }
}

impl QueryFragment<Pg> for Import<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO tasks (");
        out.push_sql(STORED_COLUMNS);
        out.push_sql(") SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.user_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<sql_types::Uuid>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.created_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Timestamptz>, _>(&self.updated_at)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.versions)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.statuses)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.titles)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.descriptions)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Binary>>, _>(&self.fingerprints)?;
        // The rows themselves, because Citus counts those that were passed over as well. No conflict target: a taken id
        // and a used key are passed over alike.
        out.push_sql(") ON CONFLICT DO NOTHING RETURNING id");
        Ok(())
    }
}

impl Query for Import<'_> {
    type SqlType = sql_types::Uuid;
}

impl QueryId for Import<'_> {
    type QueryId = Import<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::testing::{a_task, an_id_at, an_owner, noon};

    use super::*;

    /// The row of a sound task, with one thing about it changed.
    fn a_row(change: impl FnOnce(&mut TaskRow)) -> TaskRow {
        let task = a_task(&an_owner(), "title");
        let parts = task.parts();
        let mut row = TaskRow {
            id: parts.id.as_uuid(),
            title: parts.title.as_str().to_owned(),
            description: parts.description.clone().map(Description::into_string),
            status: parts.status.as_str().to_owned(),
            version: parts.version.get(),
            created_at: parts.created_at,
            updated_at: parts.updated_at,
        };
        change(&mut row);
        row
    }

    #[test]
    fn a_row_that_breaks_any_rule_is_corrupt() {
        assert!(a_row(|_| ()).into_task(&an_owner()).is_ok());
        let broken = [
            a_row(|row| row.id = Uuid::nil()),
            a_row(|row| row.created_at += TimeDelta::milliseconds(1)),
            a_row(|row| row.updated_at = row.created_at - TimeDelta::microseconds(1)),
            a_row(|row| row.version = 0),
            a_row(|row| row.status = "done".to_owned()),
            a_row(|row| row.title = " ".to_owned()),
            a_row(|row| row.title = "t".repeat(256)),
            a_row(|row| row.description = Some("a\0b".to_owned())),
        ];
        for (number, row) in broken.into_iter().enumerate() {
            let answer = row.into_task(&an_owner());
            assert!(
                matches!(answer, Err(StorageError::Corrupt(_))),
                "row {number}: {answer:?}"
            );
        }
    }

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
        let (owner, change) = (an_owner(), TaskChange::default());
        let statement = UpdateTask::of(&owner, an_id_at(noon()), &change, noon(), None);
        let text = diesel::debug_query::<Pg, _>(&statement).to_string();
        text.split(" -- binds").next().unwrap().replace('$', "p")
    }

    /// The result of the update: the value of each column, and whether a row is meant.
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

    /// The objections of PostgreSQL to these as generated columns, which must be immutable in its eyes.
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
