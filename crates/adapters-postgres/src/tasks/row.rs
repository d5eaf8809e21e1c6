//! From rows to tasks.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use domain::identity::Owner;
use domain::task::{
    ArchivedTask, Description, IdempotencyKey, RepositoryError, Status, Task, TaskId, TaskParts, Title,
    Version, corrupt,
};
use uuid::Uuid;

use crate::schema::tasks;

/// A task as it is read, without its owner: whoever reads a row has named the owner in the statement.
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
    /// The task of this row.
    ///
    /// # Errors
    /// `Corrupt`: the row breaks a rule of the domain, so somebody else wrote it.
    pub(super) fn into_task(self, owner: &Owner) -> Result<Task, RepositoryError> {
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
            title: Title::parse(title).map_err(corrupt("title"))?,
            description: description.map_err(corrupt("description"))?,
            status: Status::parse(&status).map_err(corrupt("status"))?,
            version: Version::new(version).map_err(corrupt("version"))?,
            created_at,
            updated_at,
        };
        Task::restore(parts).map_err(|error| RepositoryError::Corrupt(error.into()))
    }
}

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
    pub(super) fn into_archived(self, owner: &Owner) -> Result<ArchivedTask, RepositoryError> {
        let Self {
            task,
            idempotency_key,
            idempotency_fingerprint,
        } = self;
        let key = idempotency_key.map(|text| IdempotencyKey::restore(text, idempotency_fingerprint));
        Ok(ArchivedTask {
            task: task.into_task(owner)?,
            key: key.transpose()?,
        })
    }
}
