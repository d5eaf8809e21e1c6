use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::health::StorageHealth;
use crate::identity::Owner;
use crate::storage::StorageError;
use crate::task::{
    ArchivedTask, Expected, IdempotencyKey, InsertError, Inserted, Page, StatusSet, Summary, Task,
    TaskArchive, TaskChange, TaskFilter, TaskId, TaskQuery, TaskRepository, UpdateError,
};

/// The reference implementation of [`TaskRepository`] and [`TaskArchive`]: a map behind a lock. Clones share
/// it. It keeps nothing beyond its life.
#[derive(Debug, Clone, Default)]
pub struct InMemoryTaskRepository {
    tasks: Arc<Mutex<Tasks>>,
}

type Tasks = BTreeMap<(Owner, TaskId), ArchivedTask>;

impl InMemoryTaskRepository {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskRepository for InMemoryTaskRepository {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, InsertError> {
        let mut tasks = self.tasks();
        if let Some(holder) = holder_of(&tasks, task.owner(), key.as_ref()) {
            return if holder.key == key {
                Ok(Inserted::Replayed(holder.task.clone()))
            } else {
                Err(InsertError::IdempotencyKeyReused)
            };
        }
        let place = (task.owner().clone(), task.id());
        if tasks.contains_key(&place) {
            return Err(InsertError::AlreadyExists);
        }
        let task = task.clone();
        tasks.insert(place, ArchivedTask { task, key });
        Ok(Inserted::New)
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, StorageError> {
        Ok(self
            .tasks()
            .get(&(owner.clone(), id))
            .map(|stored| stored.task.clone()))
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page, StorageError> {
        let tasks = self.tasks();
        let mut items: Vec<_> = of_owner(&tasks, owner)
            .filter(|task| query.filter().matches(task))
            .filter(|task| {
                query
                    .after()
                    .is_none_or(|cursor| query.sort().is_after(task, cursor))
            })
            .cloned()
            .collect();
        items.sort_by(|one, other| query.sort().compare(one, other));
        items.truncate(usize::from(query.limit().get()) + 1);
        Ok(Page::of_one_more_than_asked(query, items))
    }

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, StorageError> {
        let count = of_owner(&self.tasks(), owner)
            .filter(|task| filter.matches(task))
            .count();
        Ok(count as u64)
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, StorageError> {
        let mut summary = Summary::default();
        for task in of_owner(&self.tasks(), owner) {
            summary.add(task.parts().status, 1);
        }
        Ok(summary)
    }

    async fn update(
        &self,
        owner: &Owner,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
        now: DateTime<Utc>,
    ) -> Result<Task, UpdateError> {
        let mut tasks = self.tasks();
        let stored = tasks.get_mut(&(owner.clone(), id)).ok_or(UpdateError::NotFound)?;
        let current = stored.task.version();
        if !expected.allows(current) {
            return Err(UpdateError::VersionMismatch { current });
        }
        stored.task = stored.task.changed(change, now);
        Ok(stored.task.clone())
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), UpdateError> {
        let mut tasks = self.tasks();
        let place = (owner.clone(), id);
        let current = tasks.get(&place).ok_or(UpdateError::NotFound)?.task.version();
        if !expected.allows(current) {
            return Err(UpdateError::VersionMismatch { current });
        }
        tasks.remove(&place);
        Ok(())
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, StorageError> {
        let mut tasks = self.tasks();
        let before = tasks.len();
        tasks.retain(|(holder, _), stored| holder != owner || !statuses.contains(stored.task.parts().status));
        Ok((before - tasks.len()) as u64)
    }
}

#[async_trait]
impl TaskArchive for InMemoryTaskRepository {
    async fn next_owner(&self, after: Option<&Owner>) -> Result<Option<Owner>, StorageError> {
        let tasks = self.tasks();
        let mut owners = tasks.keys().map(|(owner, _)| owner);
        Ok(owners
            .find(|owner| after.is_none_or(|after| *owner > after))
            .cloned())
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StorageError> {
        Ok(of_owner(&self.tasks(), owner).count() as u64)
    }

    async fn export(
        &self,
        owner: &Owner,
        after: Option<TaskId>,
        limit: u16,
    ) -> Result<Vec<ArchivedTask>, StorageError> {
        let tasks = self.tasks();
        let behind = tasks
            .iter()
            .filter(|((holder, id), _)| holder == owner && after.is_none_or(|after| *id > after));
        Ok(behind
            .take(limit.into())
            .map(|(_, stored)| stored.clone())
            .collect())
    }

    async fn import(&self, archived: Vec<ArchivedTask>) -> Result<u64, StorageError> {
        let mut tasks = self.tasks();
        let before = tasks.len();
        for new in archived {
            let owner = new.task.owner();
            if holder_of(&tasks, owner, new.key.as_ref()).is_none() {
                tasks.entry((owner.clone(), new.task.id())).or_insert(new);
            }
        }
        Ok((tasks.len() - before) as u64)
    }

    async fn erase(&self, owner: &Owner, limit: u16) -> Result<u64, StorageError> {
        let mut tasks = self.tasks();
        let ids: Vec<_> = of_owner(&tasks, owner).map(Task::id).take(limit.into()).collect();
        for id in &ids {
            tasks.remove(&(owner.clone(), *id));
        }
        Ok(ids.len() as u64)
    }
}

/// The task that was made with this key.
fn holder_of<'t>(tasks: &'t Tasks, owner: &Owner, key: Option<&IdempotencyKey>) -> Option<&'t ArchivedTask> {
    let text = key?.as_str();
    tasks.values().find(|stored| {
        stored.task.owner() == owner && stored.key.as_ref().is_some_and(|stored| stored.as_str() == text)
    })
}

fn of_owner<'t>(tasks: &'t Tasks, owner: &'t Owner) -> impl Iterator<Item = &'t Task> {
    tasks
        .values()
        .map(|stored| &stored.task)
        .filter(move |task| task.owner() == owner)
}

#[async_trait]
impl StorageHealth for InMemoryTaskRepository {
    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }

    fn is_degraded(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::InMemoryTaskRepository;

    #[expect(clippy::unused_async, reason = "the contract awaits every `fresh`")]
    async fn fresh() -> ((), InMemoryTaskRepository) {
        ((), InMemoryTaskRepository::default())
    }

    crate::task_repository_contract!(fresh);

    #[expect(clippy::unused_async, reason = "the contract awaits every `fresh`")]
    async fn fresh_archive() -> ((), InMemoryTaskRepository, InMemoryTaskRepository) {
        let tasks = InMemoryTaskRepository::default();
        ((), tasks.clone(), tasks)
    }

    crate::task_archive_contract!(fresh_archive);
}
