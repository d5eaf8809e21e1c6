//! From rows to tasks.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use domain::identity::Owner;
use domain::storage::{StorageError, corrupt};
use domain::task::{
    ArchivedTask, Description, IdempotencyKey, Status, Task, TaskId, TaskParts, Title, Version,
};
use uuid::Uuid;

use crate::schema::tasks;

/// The version of a row without its description: no task has it.
pub(super) const CUT: i32 = 0;

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
    /// Whether its description is long and was left out.
    pub(super) fn is_cut(&self) -> bool {
        self.version == CUT
    }

    /// The task of this row.
    ///
    /// # Errors
    /// `Corrupt`: the row breaks a rule of the domain, so somebody else wrote it.
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
            title: Title::parse(title).map_err(corrupt("title"))?,
            description: description.map_err(corrupt("description"))?,
            status: Status::parse(&status).map_err(corrupt("status"))?,
            version: Version::new(version).map_err(corrupt("version"))?,
            created_at,
            updated_at,
        };
        Task::restore(parts).map_err(|error| StorageError::Corrupt(error.into()))
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::testing::{a_task, an_owner};

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
}
