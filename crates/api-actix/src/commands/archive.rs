//! The stored tasks of a database, as the commands of operators walk through them.

use domain::chain;
use domain::identity::Owner;
use domain::storage::StorageError;
use domain::task::{ArchivedTask, TaskArchive, TaskId};

use crate::config::DatabaseConfig;
use crate::failure::Failure;
use crate::storage::{DatabaseInfo, Storage};

/// How many tasks go at once: enough to make a commit cheap, few enough to fit into memory however long they are.
pub(crate) const BATCH: u16 = 1_000;

/// The archive of a database. Its errors name the setting that leads there.
pub(crate) struct Archive {
    variable: &'static str,
    tasks: Box<dyn TaskArchive>,
    // Closed when it is dropped.
    _storage: Option<Storage>,
}

impl Archive {
    /// Opens a database that is there, and whose tables are as this program needs them.
    pub(crate) async fn open(config: &DatabaseConfig) -> Result<(Self, DatabaseInfo), Failure> {
        config.require_file()?;
        let (storage, info) = Storage::open(config, 1).await?;
        info.require_schema(config.variable)?;
        Ok((Self::of(storage, config.variable).await?, info))
    }

    /// Opens a database, making its file if there is none, and brings its tables up to date.
    pub(crate) async fn open_and_migrate(config: &DatabaseConfig) -> Result<Self, Failure> {
        let (storage, _) = Storage::open(config, 1).await?;
        storage.migrate(config.startup_timeout).await?;
        Self::of(storage, config.variable).await
    }

    async fn of(storage: Storage, variable: &'static str) -> Result<Self, Failure> {
        Ok(Self {
            variable,
            tasks: storage.archive().await?,
            _storage: Some(storage),
        })
    }

    /// The owner of tasks that comes right after this one, or the very first.
    pub(crate) async fn next_owner(&self, after: Option<&Owner>) -> Result<Option<Owner>, Failure> {
        self.outcome(after, self.tasks.next_owner(after).await)
    }

    /// How many tasks the owner has.
    pub(crate) async fn count(&self, owner: &Owner) -> Result<u64, Failure> {
        self.outcome(Some(owner), self.tasks.count(owner).await)
    }

    /// The owner's tasks.
    pub(crate) fn tasks_of<'a>(&'a self, owner: &'a Owner) -> Batches<'a> {
        Batches {
            archive: self,
            owner,
            after: None,
            is_over: false,
        }
    }

    /// Stores tasks unless they are there, and returns how many were new.
    pub(crate) async fn import(&self, tasks: Vec<ArchivedTask>) -> Result<u64, Failure> {
        self.outcome(None, self.tasks.import(tasks).await)
    }

    /// Removes a batch of the owner's tasks, and returns how many there were.
    pub(crate) async fn erase(&self, owner: &Owner) -> Result<u64, Failure> {
        self.outcome(Some(owner), self.tasks.erase(owner, BATCH).await)
    }

    fn outcome<T>(&self, owner: Option<&Owner>, outcome: Result<T, StorageError>) -> Result<T, Failure> {
        outcome.map_err(|error| {
            let place = owner.map(|owner| format!(", at user {:?}", owner.as_str()));
            let message = format!(
                "{}{}: {}",
                self.variable,
                place.unwrap_or_default(),
                chain(&error)
            );
            match error {
                StorageError::Corrupt(_) | StorageError::Refused(_) => Failure::of_data(message),
                StorageError::Busy
                | StorageError::TimedOut(_)
                | StorageError::Unavailable(_)
                | StorageError::Unexpected(_) => Failure::unavailable(message),
            }
        })
    }
}

/// The tasks of an owner, batch by batch in the order of their ids.
pub(crate) struct Batches<'a> {
    archive: &'a Archive,
    owner: &'a Owner,
    after: Option<TaskId>,
    is_over: bool,
}

impl Batches<'_> {
    /// The next batch; `None` when there is none.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<ArchivedTask>>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        let Archive { tasks, .. } = self.archive;
        let batch = tasks.export(self.owner, self.after, BATCH).await;
        let batch = self.archive.outcome(Some(self.owner), batch)?;
        self.is_over = batch.len() < usize::from(BATCH);
        self.after = batch.last().map(|last| last.task.id());
        Ok(Some(batch))
    }
}

#[cfg(test)]
impl Archive {
    /// One over tasks in memory.
    pub(crate) fn in_memory(variable: &'static str, tasks: &domain::testing::InMemoryTaskRepository) -> Self {
        Self {
            variable,
            tasks: Box::new(tasks.clone()),
            _storage: None,
        }
    }
}
