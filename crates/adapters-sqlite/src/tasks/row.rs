//! Between tasks and rows: the one file that knows the columns of the table, but for `schema.rs`.

#![expect(
    clippy::ref_option_ref,
    reason = "diesel's `Insertable` makes such references of optional texts"
)]

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{
    ArchivedTask, Description, IdempotencyKey, Status, Task, TaskId, TaskParts, Title, Version,
};
use thiserror::Error;
use uuid::Uuid;

use crate::schema::tasks;

/// A task as it is read. Its owner is not: no statement finds a row without knowing whose it is.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Sqlite))]
pub(super) struct TaskRow {
    id: Vec<u8>,
    created_at: i64,
    updated_at: i64,
    version: i64,
    status: String,
    title: String,
    description: Option<String>,
}

impl TaskRow {
    /// The task of this row.
    ///
    /// # Errors
    /// `Corrupt`: the row breaks a rule of the domain, so another program wrote it.
    pub(super) fn into_task(self, owner: &Owner) -> Result<Task, StorageError> {
        let uuid = Uuid::from_slice(&self.id).map_err(corrupt("id"))?;
        let description = self.description.map(Description::parse).transpose();
        let version = i32::try_from(self.version).map_err(corrupt("version"))?;
        let parts = TaskParts {
            id: TaskId::from_uuid(uuid).map_err(corrupt("id"))?,
            owner: owner.clone(),
            title: Title::stored(self.title).map_err(corrupt("title"))?,
            description: description.map_err(corrupt("description"))?,
            status: Status::parse(&self.status).map_err(corrupt("status"))?,
            version: Version::new(version).map_err(corrupt("version"))?,
            created_at: time_of(self.created_at).map_err(corrupt("created_at"))?,
            updated_at: time_of(self.updated_at).map_err(corrupt("updated_at"))?,
        };
        Task::restore(parts).map_err(|error| StorageError::Corrupt(error.into()))
    }
}

/// A task as it is read, with the key of its creation.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Sqlite))]
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

#[derive(Debug, Error)]
#[error("the time is out of range")]
struct TimeOutOfRange;

fn time_of(microseconds: i64) -> Result<DateTime<Utc>, TimeOutOfRange> {
    DateTime::from_timestamp_micros(microseconds).ok_or(TimeOutOfRange)
}

/// A task as it is stored.
// `treat_none_as_default_value`: with it every combination of absent values would be a statement of its own.
#[derive(Insertable)]
#[diesel(table_name = tasks, treat_none_as_default_value = false)]
pub(super) struct NewTaskRow<'a> {
    user_id: &'a str,
    id: [u8; 16],
    created_at: i64,
    updated_at: i64,
    version: i64,
    status: &'static str,
    title: &'a str,
    description: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    idempotency_fingerprint: Option<[u8; 32]>,
}

impl<'a> NewTaskRow<'a> {
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
            id: id.as_uuid().into_bytes(),
            created_at: created_at.timestamp_micros(),
            updated_at: updated_at.timestamp_micros(),
            version: version.get().into(),
            status: status.as_str(),
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            idempotency_key: key.map(IdempotencyKey::as_str),
            idempotency_fingerprint: key.map(|key| key.fingerprint().0),
        }
    }
}

/// Writes the changeable facts of a task. Neither its key nor its creation ever changes.
///
/// By hand, because diesel prepares its own `UPDATE ... SET` anew each time.
pub(super) struct UpdateTask<'a>(pub(super) NewTaskRow<'a>);

impl QueryId for UpdateTask<'_> {
    type QueryId = UpdateTask<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Sqlite> for UpdateTask<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Self(row) = self;
        out.push_sql("UPDATE tasks SET title = ");
        out.push_bind_param::<Text, _>(row.title)?;
        out.push_sql(", description = ");
        out.push_bind_param::<Nullable<Text>, _>(&row.description)?;
        out.push_sql(", status = ");
        out.push_bind_param::<Text, _>(row.status)?;
        out.push_sql(", version = ");
        out.push_bind_param::<BigInt, _>(&row.version)?;
        out.push_sql(", updated_at = ");
        out.push_bind_param::<BigInt, _>(&row.updated_at)?;
        out.push_sql(" WHERE user_id = ");
        out.push_bind_param::<Text, _>(row.user_id)?;
        out.push_sql(" AND id = ");
        out.push_bind_param::<Binary, _>(&row.id)
    }
}

impl<Connection> RunQueryDsl<Connection> for UpdateTask<'_> {}

#[cfg(test)]
mod tests {
    use domain::testing::{a_task, an_owner};

    use super::*;

    /// The row of a sound task, with one thing about it changed.
    fn a_row(change: impl FnOnce(&mut TaskRow)) -> TaskRow {
        let task = a_task(&an_owner(), "title");
        let stored = NewTaskRow::of(&task, None);
        let mut row = TaskRow {
            id: stored.id.to_vec(),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            version: stored.version,
            status: stored.status.to_owned(),
            title: stored.title.to_owned(),
            description: stored.description.map(str::to_owned),
        };
        change(&mut row);
        row
    }

    #[test]
    fn a_row_that_breaks_any_rule_is_corrupt() {
        assert!(a_row(|_| ()).into_task(&an_owner()).is_ok());
        let broken = [
            a_row(|row| row.id.truncate(15)),
            a_row(|row| row.id = Uuid::nil().into_bytes().to_vec()),
            a_row(|row| row.created_at += 1000),
            a_row(|row| row.created_at = i64::MAX),
            a_row(|row| row.updated_at = row.created_at - 1),
            a_row(|row| row.updated_at = i64::MIN),
            a_row(|row| row.version = 0),
            a_row(|row| row.version = 1 << 40),
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
}
