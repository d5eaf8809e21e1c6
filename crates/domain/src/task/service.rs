use std::sync::Arc;

use super::{
    Expected, GetError, IdempotencyKey, InsertError, Inserted, NewTask, Page, StatusSet, Summary, Task,
    TaskChange, TaskFilter, TaskId, TaskIds, TaskQuery, TaskRepository, UpdateError,
};
use crate::clock::Clock;
use crate::identity::Caller;
use crate::storage::StorageError;

/// The use cases: what a caller can do with tasks. Each touches the caller's own tasks and no others.
#[derive(Clone)]
pub struct TaskService {
    repository: Arc<dyn TaskRepository>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn TaskIds>,
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The task, as it is now.
    pub task: Task,
    /// Whether an earlier request with the same idempotency key made it.
    pub replayed: bool,
}

impl TaskService {
    /// Use cases over these ports.
    #[must_use]
    pub fn new(repository: Arc<dyn TaskRepository>, clock: Arc<dyn Clock>, ids: Arc<dyn TaskIds>) -> Self {
        Self {
            repository,
            clock,
            ids,
        }
    }

    /// Creates a task for the caller.
    ///
    /// # Errors
    /// [`InsertError::IdempotencyKeyReused`] if the key stands for another creation of this caller.
    pub async fn create(
        &self,
        caller: &Caller,
        new: NewTask,
        key: Option<IdempotencyKey>,
    ) -> Result<Created, InsertError> {
        let id = self.ids.next(self.clock.now());
        let task = Task::create(id, caller.owner.clone(), new);
        Ok(match self.repository.insert(&task, key).await? {
            Inserted::New => Created {
                task,
                replayed: false,
            },
            Inserted::Replayed(task) => Created { task, replayed: true },
        })
    }

    /// One task of the caller.
    ///
    /// # Errors
    /// [`GetError::NotFound`] if the caller has no such task.
    pub async fn get(&self, caller: &Caller, id: TaskId) -> Result<Task, GetError> {
        self.repository
            .find(&caller.owner, id)
            .await?
            .ok_or(GetError::NotFound)
    }

    /// A page of the caller's tasks.
    ///
    /// # Errors
    /// If the storage fails; a caller without tasks gets an empty page.
    pub async fn list(&self, caller: &Caller, query: &TaskQuery) -> Result<Page, StorageError> {
        self.repository.list(&caller.owner, query).await
    }

    /// How many of the caller's tasks match a filter.
    ///
    /// # Errors
    /// If the storage fails.
    pub async fn count(&self, caller: &Caller, filter: &TaskFilter) -> Result<u64, StorageError> {
        self.repository.count(&caller.owner, filter).await
    }

    /// How many tasks the caller has, by status.
    ///
    /// # Errors
    /// If the storage fails.
    pub async fn summary(&self, caller: &Caller) -> Result<Summary, StorageError> {
        self.repository.summary(&caller.owner).await
    }

    /// Changes a task of the caller and returns it as it is afterwards.
    ///
    /// # Errors
    /// [`UpdateError::NotFound`] if the caller has no such task, [`UpdateError::VersionMismatch`] if it is at none of
    /// the expected versions.
    pub async fn update(
        &self,
        caller: &Caller,
        id: TaskId,
        change: &TaskChange,
        expected: &Expected,
    ) -> Result<Task, UpdateError> {
        self.repository
            .update(&caller.owner, id, change, expected, self.clock.now())
            .await
    }

    /// Removes a task of the caller for good.
    ///
    /// # Errors
    /// As [`TaskService::update`].
    pub async fn delete(&self, caller: &Caller, id: TaskId, expected: &Expected) -> Result<(), UpdateError> {
        self.repository.delete(&caller.owner, id, expected).await
    }

    /// Removes all tasks of the caller with one of these statuses for good, and returns how many there were.
    ///
    /// # Errors
    /// If the storage fails.
    pub async fn delete_with_status(
        &self,
        caller: &Caller,
        statuses: &StatusSet,
    ) -> Result<u64, StorageError> {
        self.repository.delete_with_status(&caller.owner, statuses).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::task::{Edit, MockTaskRepository, Status, Version};
    use crate::testing::{
        CountingTaskIds, FixedClock, InMemoryTaskRepository, a_caller, a_caller_named, a_new_task, noon,
    };

    fn service() -> TaskService {
        over(InMemoryTaskRepository::default())
    }

    fn over(repository: impl TaskRepository + 'static) -> TaskService {
        TaskService::new(
            Arc::new(repository),
            Arc::new(FixedClock::at(noon())),
            Arc::new(CountingTaskIds::default()),
        )
    }

    fn milk() -> NewTask {
        a_new_task("Buy milk")
    }

    fn complete() -> TaskChange {
        TaskChange {
            status: Edit::Set(Status::Completed),
            ..TaskChange::default()
        }
    }

    #[tokio::test]
    async fn a_created_task_belongs_to_the_caller_and_can_be_read() {
        let service = service();
        let Created { task, replayed } = service.create(&a_caller(), milk(), None).await.unwrap();
        assert!(!replayed);
        assert_eq!(task.owner(), &a_caller().owner);
        assert_eq!(task.parts().created_at, noon());
        assert_eq!(service.get(&a_caller(), task.id()).await.unwrap(), task);
    }

    #[tokio::test]
    async fn a_stranger_finds_updates_and_deletes_nothing() {
        let service = service();
        let id = service.create(&a_caller(), milk(), None).await.unwrap().task.id();
        let stranger = a_caller_named("somebody else");
        assert!(matches!(
            service.get(&stranger, id).await,
            Err(GetError::NotFound)
        ));
        let update = service.update(&stranger, id, &complete(), &Expected::Any).await;
        assert!(matches!(update, Err(UpdateError::NotFound)));
        let delete = service.delete(&stranger, id, &Expected::Any).await;
        assert!(matches!(delete, Err(UpdateError::NotFound)));
        assert!(
            service
                .list(&stranger, &TaskQuery::default())
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }

    #[tokio::test]
    async fn counting_summing_up_and_clearing_see_the_callers_tasks_alone() {
        let service = service();
        let caller = a_caller();
        for _ in 0..3 {
            service.create(&caller, milk(), None).await.unwrap();
        }
        let done = service.create(&caller, milk(), None).await.unwrap().task.id();
        let change = service.update(&caller, done, &complete(), &Expected::Any).await;
        change.unwrap();
        service
            .create(&a_caller_named("somebody else"), milk(), None)
            .await
            .unwrap();

        assert_eq!(service.count(&caller, &TaskFilter::default()).await.unwrap(), 4);
        let summary = service.summary(&caller).await.unwrap();
        assert_eq!((summary.with_status(milk().status), summary.total()), (3, 4));
        let open = StatusSet::new([milk().status]).unwrap();
        assert_eq!(service.delete_with_status(&caller, &open).await.unwrap(), 3);
        assert_eq!(service.count(&caller, &TaskFilter::default()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_stale_version_is_a_mismatch_that_names_the_current_one() {
        let service = service();
        let id = service.create(&a_caller(), milk(), None).await.unwrap().task.id();
        service
            .update(&a_caller(), id, &complete(), &Expected::Any)
            .await
            .unwrap();
        let stale = Expected::OneOf(vec![Version::FIRST]);
        let error = service.delete(&a_caller(), id, &stale).await.unwrap_err();
        let UpdateError::VersionMismatch { current } = error else {
            panic!("{error:?}")
        };
        assert_eq!(current, Version::FIRST.next());
    }

    #[tokio::test]
    async fn a_clock_that_steps_either_way_never_puts_a_change_before_the_creation_or_another_change() {
        let clock = Arc::new(FixedClock::at(noon()));
        let service = TaskService::new(
            Arc::new(InMemoryTaskRepository::default()),
            Arc::clone(&clock) as _,
            Arc::new(CountingTaskIds::default()),
        );
        for step in [TimeDelta::days(1), TimeDelta::days(-1), TimeDelta::minutes(-10)] {
            let mut last = service.create(&a_caller(), milk(), None).await.unwrap().task;
            clock.advance(step);
            for status in [Status::Completed, Status::Pending] {
                let change = TaskChange {
                    status: Edit::Set(status),
                    ..TaskChange::default()
                };
                let next = service
                    .update(&a_caller(), last.id(), &change, &Expected::Any)
                    .await
                    .unwrap();
                assert!(next.parts().updated_at > last.parts().updated_at, "{step}");
                assert!(next.parts().updated_at > next.parts().created_at, "{step}");
                last = next;
            }
        }
    }

    #[tokio::test]
    async fn a_dead_storage_never_looks_like_not_found() {
        let mut repository = MockTaskRepository::new();
        repository
            .expect_find()
            .returning(|_, _| Err(StorageError::Unavailable("gone".into())));
        let id = crate::testing::an_id_at(noon());
        let error = over(repository).get(&a_caller(), id).await.unwrap_err();
        assert!(matches!(error, GetError::Storage(StorageError::Unavailable(_))));
    }
}
