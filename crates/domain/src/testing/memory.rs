use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::health::StorageHealth;
use crate::identity::Owner;
use crate::task::{
    Expected, IdempotencyKey, Inserted, Page, RepositoryError, StatusSet, Summary, Task, TaskChange,
    TaskFilter, TaskId, TaskQuery, TaskRepository,
};

/// The reference implementation of [`TaskRepository`]: a map behind a lock. It keeps nothing beyond its life.
#[derive(Debug, Default)]
pub struct InMemoryTaskRepository {
    tasks: Mutex<Tasks>,
}

type Tasks = BTreeMap<(Owner, TaskId), Stored>;

#[derive(Debug)]
struct Stored {
    task: Task,
    key: Option<IdempotencyKey>,
}

impl InMemoryTaskRepository {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskRepository for InMemoryTaskRepository {
    async fn insert(&self, task: &Task, key: Option<IdempotencyKey>) -> Result<Inserted, RepositoryError> {
        let mut tasks = self.tasks();
        if let Some(key) = &key {
            let holder = tasks.values().find(|stored| {
                stored.task.owner() == task.owner()
                    && stored
                        .key
                        .as_ref()
                        .is_some_and(|stored| stored.as_str() == key.as_str())
            });
            if let Some(holder) = holder {
                return if holder.key.as_ref() == Some(key) {
                    Ok(Inserted::Replayed(holder.task.clone()))
                } else {
                    Err(RepositoryError::IdempotencyKeyReused)
                };
            }
        }
        let place = (task.owner().clone(), task.id());
        if tasks.contains_key(&place) {
            return Err(RepositoryError::AlreadyExists);
        }
        tasks.insert(
            place,
            Stored {
                task: task.clone(),
                key,
            },
        );
        Ok(Inserted::New)
    }

    async fn find(&self, owner: &Owner, id: TaskId) -> Result<Option<Task>, RepositoryError> {
        Ok(self
            .tasks()
            .get(&(owner.clone(), id))
            .map(|stored| stored.task.clone()))
    }

    async fn list(&self, owner: &Owner, query: &TaskQuery) -> Result<Page<Task>, RepositoryError> {
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

    async fn count(&self, owner: &Owner, filter: &TaskFilter) -> Result<u64, RepositoryError> {
        let count = of_owner(&self.tasks(), owner)
            .filter(|task| filter.matches(task))
            .count();
        Ok(count as u64)
    }

    async fn summary(&self, owner: &Owner) -> Result<Summary, RepositoryError> {
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
    ) -> Result<Task, RepositoryError> {
        let mut tasks = self.tasks();
        let stored = tasks
            .get_mut(&(owner.clone(), id))
            .ok_or(RepositoryError::NotFound)?;
        let current = stored.task.version();
        if !expected.allows(current) {
            return Err(RepositoryError::VersionMismatch { current });
        }
        stored.task = stored.task.changed(change, now);
        Ok(stored.task.clone())
    }

    async fn delete(&self, owner: &Owner, id: TaskId, expected: &Expected) -> Result<(), RepositoryError> {
        let mut tasks = self.tasks();
        let place = (owner.clone(), id);
        let current = tasks.get(&place).ok_or(RepositoryError::NotFound)?.task.version();
        if !expected.allows(current) {
            return Err(RepositoryError::VersionMismatch { current });
        }
        tasks.remove(&place);
        Ok(())
    }

    async fn delete_with_status(&self, owner: &Owner, statuses: &StatusSet) -> Result<u64, RepositoryError> {
        let mut tasks = self.tasks();
        let before = tasks.len();
        tasks.retain(|(holder, _), stored| holder != owner || !statuses.contains(stored.task.parts().status));
        Ok((before - tasks.len()) as u64)
    }
}

fn of_owner<'t>(tasks: &'t Tasks, owner: &'t Owner) -> impl Iterator<Item = &'t Task> {
    tasks
        .values()
        .map(|stored| &stored.task)
        .filter(move |task| task.owner() == owner)
}

#[async_trait]
impl StorageHealth for InMemoryTaskRepository {
    async fn check(&self) -> Result<(), RepositoryError> {
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
}
