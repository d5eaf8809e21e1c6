//! The statements of the calls about one task. Every statement names the owner and has one fixed text.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use domain::identity::Owner;
use domain::task::{Expected, IdempotencyKey, InsertError, Inserted, Task, TaskChange, TaskId, UpdateError};

use super::row::{NewTaskRow, TaskRow, UpdateTask};
use crate::error::JobError;
use crate::schema::tasks;

/// Reads every column that we use, of a user whom the table cannot have.
pub(super) fn probe(connection: &mut SqliteConnection) -> Result<(), JobError> {
    let rows = tasks::table.filter(tasks::user_id.eq("")).select((
        TaskRow::as_select(),
        tasks::idempotency_key,
        tasks::idempotency_fingerprint,
    ));
    rows.load::<(TaskRow, Option<String>, Option<Vec<u8>>)>(connection)?;
    Ok(())
}

pub(super) fn find<E>(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: TaskId,
) -> Result<Option<Task>, JobError<E>> {
    let row = tasks::table
        .find((owner.as_str(), id.as_uuid().into_bytes()))
        .select(TaskRow::as_select())
        .get_result(connection)
        .optional()?;
    Ok(row.map(|row| row.into_task(owner)).transpose()?)
}

pub(super) fn insert(
    connection: &mut SqliteConnection,
    task: &Task,
    key: Option<&IdempotencyKey>,
) -> Result<Inserted, JobError<InsertError>> {
    if store(connection, task, key)? {
        return Ok(Inserted::New);
    }
    match key {
        Some(key) => repeat_of(connection, task.owner(), key),
        None => Err(JobError::Refused(InsertError::AlreadyExists)),
    }
}

/// Stores a row and answers whether it did: another row may have its id or its key.
pub(super) fn store(
    connection: &mut SqliteConnection,
    task: &Task,
    key: Option<&IdempotencyKey>,
) -> QueryResult<bool> {
    // No conflict target: a taken id and a used key are both to be noticed.
    let stored = diesel::insert_into(tasks::table)
        .values(NewTaskRow::of(task, key))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(stored == 1)
}

/// The outcome of a creation with a used key. If the key is not used, the id was taken.
fn repeat_of(
    connection: &mut SqliteConnection,
    owner: &Owner,
    key: &IdempotencyKey,
) -> Result<Inserted, JobError<InsertError>> {
    let (row, fingerprint) = tasks::table
        .filter(tasks::user_id.eq(owner.as_str()))
        .filter(tasks::idempotency_key.eq(key.as_str()))
        .select((TaskRow::as_select(), tasks::idempotency_fingerprint))
        .get_result::<(TaskRow, Option<Vec<u8>>)>(connection)
        .optional()?
        .ok_or(JobError::Refused(InsertError::AlreadyExists))?;
    if fingerprint.as_deref() == Some(key.fingerprint().0.as_slice()) {
        Ok(Inserted::Replayed(row.into_task(owner)?))
    } else {
        Err(JobError::Refused(InsertError::IdempotencyKeyReused))
    }
}

pub(super) fn update(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: TaskId,
    change: &TaskChange,
    expected: &Expected,
    now: DateTime<Utc>,
) -> Result<Task, JobError<UpdateError>> {
    let current = find_expected(connection, owner, id, expected)?;
    let changed = current.changed(change, now);
    if changed != current {
        UpdateTask(NewTaskRow::of(&changed, None)).execute(connection)?;
    }
    Ok(changed)
}

pub(super) fn delete(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: TaskId,
    expected: &Expected,
) -> Result<(), JobError<UpdateError>> {
    find_expected(connection, owner, id, expected)?;
    diesel::delete(tasks::table.find((owner.as_str(), id.as_uuid().into_bytes()))).execute(connection)?;
    Ok(())
}

/// The task as it is, if it is at an expected version. No one changes it before the transaction of this job ends.
fn find_expected(
    connection: &mut SqliteConnection,
    owner: &Owner,
    id: TaskId,
    expected: &Expected,
) -> Result<Task, JobError<UpdateError>> {
    let task = find(connection, owner, id)?.ok_or(JobError::Refused(UpdateError::NotFound))?;
    if expected.allows(task.version()) {
        Ok(task)
    } else {
        let current = task.version();
        Err(JobError::Refused(UpdateError::VersionMismatch { current }))
    }
}
