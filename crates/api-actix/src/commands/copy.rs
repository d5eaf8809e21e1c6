//! `task-api copy`: all tasks of one database into another, and the proof that they are there.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use clap::Args;
use domain::identity::Owner;
use domain::task::ArchivedTask;
use futures_util::future::try_join;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::commands::archive::{Archive, BATCH};
use crate::commands::output::print;
use crate::config::{ConfigError, DatabaseConfig, DatabaseLocation, LogConfig, LogFormat, Source};
use crate::failure::Failure;
use crate::telemetry;
use adapters_http::wire::task::write_task;

const FROM: &str = "COPY_FROM";
const TO: &str = "COPY_TO";

#[derive(Debug, Args)]
pub(crate) struct CopyArguments {
    /// The database to copy from, which stays as it is. With a password rather in the variable `COPY_FROM`, because
    /// everyone on the machine sees the arguments of a process
    #[arg(long, value_name = "URL")]
    from: Option<SecretString>,
    /// The database to copy to; or the variable `COPY_TO`
    #[arg(long, value_name = "URL")]
    to: Option<SecretString>,
}

/// Copies, compares, and prints one line of JSON if both are equal.
pub(crate) async fn run(source: &Source, arguments: CopyArguments) -> Result<(), Failure> {
    let from = database(FROM, "COPY_FROM_FILE", arguments.from, source)?;
    let to = database(TO, "COPY_TO_FILE", arguments.to, source)?;
    telemetry::start(LogConfig::from_source(source, LogFormat::Text)?);
    source.log_dotenv();
    refuse_pointless(&from.location, &to.location)?;
    let (from, info) = Archive::open(&from).await?;
    info.refuse_newer_schema(FROM)?;
    if from.next_owner(None).await?.is_none() {
        return Err(ConfigError::new(FROM, "leads to a database without tasks").into());
    }
    let to = Archive::open_and_migrate(&to).await?;
    let mut copied = Progress::of("copied");
    let new = copy(&from, &to, &mut copied).await?;
    let old = copied.tasks - new;
    note(&format!(
        "{new} tasks were new, {old} were there already; comparing"
    ));
    let mut compared = Progress::of("compared");
    let checksum = compare(&from, &to, &mut compared).await?;
    let Progress { owners, tasks, .. } = compared;
    let report = json!({ "owners": owners, "tasks": tasks, "new": new, "checksum": checksum });
    print(&report.to_string())
}

/// The database of an argument, or else of the variable or of its file.
fn database(
    variable: &'static str,
    file_variable: &'static str,
    argument: Option<SecretString>,
    source: &Source,
) -> Result<DatabaseConfig, ConfigError> {
    source.reading(|| {
        let url = match argument {
            Some(url) => Some(url.expose_secret().to_owned()),
            None => source.value_or_file(variable, file_variable)?,
        };
        let url = url.ok_or_else(|| {
            ConfigError::new(
                variable,
                "is not set, nor is the argument that stands for it (see --help)",
            )
        })?;
        let location = DatabaseLocation::parse(variable, &url, source)?;
        DatabaseConfig::at(variable, location, source)
    })
}

/// Checks that need no open database.
fn refuse_pointless(from: &DatabaseLocation, to: &DatabaseLocation) -> Result<(), ConfigError> {
    if from.is_same_as(to) {
        return Err(ConfigError::new(TO, "leads to the same database as COPY_FROM"));
    }
    Ok(())
}

/// Stores what is missing, and returns how many tasks that were. An owner with as many tasks on both sides is left to
/// the comparison, so that a second run is soon where the first one ended.
async fn copy(from: &Archive, to: &Archive, progress: &mut Progress) -> Result<u64, Failure> {
    let mut new = 0;
    // Tasks of many owners, if they have few each.
    let mut waiting = Vec::new();
    let mut next = from.next_owner(None).await?;
    while let Some(owner) = next {
        let (here, there) = try_join(from.count(&owner), to.count(&owner)).await?;
        if here == there {
            progress.add_tasks(here);
        } else {
            let mut batches = from.tasks_of(&owner);
            while let Some(batch) = batches.next().await? {
                progress.add_tasks(batch.len() as u64);
                waiting.extend(batch);
                if waiting.len() >= usize::from(BATCH) {
                    new += to.import(std::mem::take(&mut waiting)).await?;
                }
            }
        }
        progress.add_owner();
        next = from.next_owner(Some(&owner)).await?;
    }
    new += to.import(waiting).await?;
    Ok(new)
}

/// Makes sure that both sides have the same tasks, owner by owner, and returns the SHA-256 over those of all owners, in
/// hexadecimal digits.
async fn compare(from: &Archive, to: &Archive, progress: &mut Progress) -> Result<String, Failure> {
    let mut checksum = Sha256::new();
    let mut last = None;
    loop {
        let (here, there) = try_join(from.next_owner(last.as_ref()), to.next_owner(last.as_ref())).await?;
        let Some(owner) = here.into_iter().chain(there).min() else {
            break;
        };
        let (here, there) = try_join(Holdings::of(&owner, from), Holdings::of(&owner, to)).await?;
        if here != there {
            return Err(difference(&owner, &here, &there));
        }
        checksum.update(here.sha256);
        progress.add_tasks(here.tasks);
        progress.add_owner();
        last = Some(owner);
    }
    Ok(hexadecimal(&checksum.finalize()))
}

fn difference(owner: &Owner, here: &Holdings, there: &Holdings) -> Failure {
    let content = if here.tasks == there.tasks {
        ", with other content"
    } else {
        ""
    };
    Failure::of_data(format!(
        "the databases differ, first at user {:?}: {} tasks in {FROM}, {} in {TO}{content}. What was in {TO} before is \
         never overwritten. Stop the servers on both and run this again; if that does not help, `task-api user export` \
         shows the tasks of either side, and `task-api user delete` on {TO} makes room for those of {FROM}",
        owner.as_str(),
        here.tasks,
        there.tasks,
    ))
}

/// The tasks of an owner on one side: how many, and a digest of everything that is stored of them.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    tasks: u64,
    sha256: [u8; 32],
}

impl Holdings {
    async fn of(owner: &Owner, archive: &Archive) -> Result<Self, Failure> {
        let mut tasks = 0;
        let mut hash = Sha256::new();
        let mut batches = archive.tasks_of(owner);
        while let Some(batch) = batches.next().await? {
            tasks += batch.len() as u64;
            for archived in &batch {
                feed(&mut hash, archived);
            }
        }
        let sha256 = hash.finalize().into();
        Ok(Self { tasks, sha256 })
    }
}

/// All that is stored of a task, so that no two tasks look alike: what clients see, which leaves nothing out, and the
/// key. Each text comes behind its length.
fn feed(hash: &mut Sha256, ArchivedTask { task, key }: &ArchivedTask) {
    let mut json = Vec::new();
    write_task(task, &mut json);
    for text in [Some(&*json), key.as_ref().map(|key| key.as_str().as_bytes())] {
        hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
        hash.update(text.unwrap_or_default());
    }
    if let Some(key) = key {
        hash.update(key.fingerprint().0);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// How far a walk through all owners is; says so once a second.
struct Progress {
    done: &'static str,
    owners: u64,
    tasks: u64,
    started: Instant,
    said: Instant,
}

impl Progress {
    fn of(done: &'static str) -> Self {
        let started = Instant::now();
        Self {
            done,
            owners: 0,
            tasks: 0,
            started,
            said: started,
        }
    }

    fn add_tasks(&mut self, tasks: u64) {
        self.tasks += tasks;
        self.say();
    }

    fn add_owner(&mut self) {
        self.owners += 1;
        self.say();
    }

    fn say(&mut self) {
        if self.said.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.said = Instant::now();
        let Self {
            done, owners, tasks, ..
        } = self;
        let milliseconds = self.started.elapsed().as_millis().max(1);
        let rate = u128::from(*tasks) * 1_000 / milliseconds;
        note(&format!("{done} {owners} users, {tasks} tasks, {rate} tasks/s"));
    }
}

/// A line for anyone who watches. It does not matter if no one does.
fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use domain::task::{
        Description, Edit, Expected, Fingerprint, IdempotencyKey, Status, Task, TaskArchive, TaskChange,
        TaskParts, TaskRepository, Title, Version,
    };
    use domain::testing::{InMemoryTaskRepository, a_task, an_owner, an_owner_named, noon};

    use super::*;

    async fn holding(tasks: &[ArchivedTask]) -> InMemoryTaskRepository {
        let memory = InMemoryTaskRepository::default();
        memory.import(tasks.to_vec()).await.unwrap();
        memory
    }

    fn tasks_of(name: &str, count: usize) -> Vec<ArchivedTask> {
        let task = || a_task(&an_owner_named(name), "title");
        (0..count)
            .map(|_| ArchivedTask {
                task: task(),
                key: None,
            })
            .collect()
    }

    /// How many were new, and what the comparison says.
    async fn copied(
        from: &InMemoryTaskRepository,
        to: &InMemoryTaskRepository,
    ) -> (u64, Result<String, Failure>) {
        let (from, to) = (Archive::in_memory(FROM, from), Archive::in_memory(TO, to));
        let new = copy(&from, &to, &mut Progress::of("copied")).await;
        let mut compared = Progress::of("compared");
        (new.unwrap(), compare(&from, &to, &mut compared).await)
    }

    fn complaint(outcome: Result<String, Failure>) -> String {
        outcome.unwrap_err().message().to_owned()
    }

    #[tokio::test]
    async fn owners_of_many_batches_and_owners_of_a_few_tasks_arrive() {
        let mut tasks = tasks_of("many", usize::from(BATCH));
        tasks.extend(tasks_of("more", usize::from(BATCH) + 1));
        tasks.extend((0..200).flat_map(|number| tasks_of(&format!("few {number}"), 6)));
        let (from, to) = (holding(&tasks).await, holding(&[]).await);
        let (new, checksum) = copied(&from, &to).await;
        assert_eq!(new, tasks.len() as u64);
        let checksum = checksum.unwrap();
        assert_eq!(checksum.len(), 64);
        assert_eq!(
            copied(&from, &to).await,
            (0, Ok(checksum)),
            "there is nothing left to do"
        );
    }

    #[tokio::test]
    async fn a_copy_that_ended_in_the_middle_goes_on() {
        let tasks = [
            tasks_of("a", 5),
            tasks_of("b", usize::from(BATCH) + 7),
            tasks_of("c", 3),
        ]
        .concat();
        let whole = copied(&holding(&tasks).await, &holding(&[]).await).await.1;
        let to = holding(&tasks[..500]).await;
        let (new, checksum) = copied(&holding(&tasks).await, &to).await;
        assert_eq!(new, tasks.len() as u64 - 500);
        assert_eq!(checksum, whole);
    }

    #[tokio::test]
    async fn every_stored_fact_counts() {
        let task = a_task(&an_owner(), "title");
        let with = |change: &dyn Fn(&mut TaskParts)| {
            let mut parts = task.parts().clone();
            change(&mut parts);
            ArchivedTask {
                task: Task::restore(parts).unwrap(),
                key: None,
            }
        };
        let with_key = |text: &str, fingerprint| ArchivedTask {
            task: task.clone(),
            key: Some(IdempotencyKey::new(text, Fingerprint([fingerprint; 32])).unwrap()),
        };
        let description = |text: &str| Some(Description::parse(text).unwrap());
        let variants = [
            with(&|_| ()),
            with(&|parts| {
                let other = a_task(&an_owner(), "title").into_parts();
                (parts.id, parts.created_at) = (other.id, other.created_at);
            }),
            with(&|parts| parts.owner = an_owner_named("somebody else")),
            with(&|parts| parts.title = Title::parse("titl").unwrap()),
            with(&|parts| parts.description = None),
            with(&|parts| parts.description = description("")),
            with(&|parts| parts.description = description("other")),
            with(&|parts| parts.status = Status::Completed),
            with(&|parts| parts.version = Version::FIRST),
            with(&|parts| parts.updated_at += TimeDelta::microseconds(1)),
            with_key("key", 1),
            with_key("kez", 1),
            with_key("key", 2),
        ];
        let digests: std::collections::BTreeSet<[u8; 32]> = variants
            .iter()
            .map(|archived| {
                let mut hash = Sha256::new();
                feed(&mut hash, archived);
                hash.finalize().into()
            })
            .collect();
        assert_eq!(digests.len(), variants.len());
    }

    #[tokio::test]
    async fn what_the_target_had_is_not_overwritten_and_the_first_owner_that_differs_is_named() {
        let tasks = [tasks_of("a", 1), tasks_of("b", 2), tasks_of("c", 2)].concat();
        let to = holding(&tasks).await;
        let changed = &tasks[1].task;
        let change = TaskChange {
            title: Edit::Set(Title::parse("newer").unwrap()),
            ..TaskChange::default()
        };
        let newer = to
            .update(changed.owner(), changed.id(), &change, &Expected::Any, noon())
            .await
            .unwrap();
        let (new, outcome) = copied(&holding(&tasks).await, &to).await;
        assert_eq!(new, 0);
        let complaint = complaint(outcome);
        let wanted = "user \"b\": 2 tasks in COPY_FROM, 2 in COPY_TO, with other content";
        assert!(complaint.contains(wanted), "{complaint}");
        assert_eq!(to.find(changed.owner(), changed.id()).await.unwrap(), Some(newer));
    }

    #[tokio::test]
    async fn a_task_or_an_owner_that_only_the_target_has_is_a_difference() {
        let tasks = [tasks_of("b", 2), tasks_of("c", 2)].concat();
        for (extra, wanted) in [
            ("a", "user \"a\": 0 tasks in COPY_FROM, 1 in COPY_TO."),
            ("c", "user \"c\": 2 tasks in COPY_FROM, 3 in COPY_TO."),
            ("d", "user \"d\": 0 tasks in COPY_FROM, 1 in COPY_TO."),
        ] {
            let to = holding(&tasks_of(extra, 1)).await;
            let complaint = complaint(copied(&holding(&tasks).await, &to).await.1);
            assert!(complaint.contains(wanted), "{complaint}");
        }
    }
}
