//! `task-api user`: what one user has, handed out or deleted.

use clap::Subcommand;
use domain::identity::Owner;

use crate::commands::archive::{Archive, BATCH};
use crate::commands::arguments::parse_owner;
use crate::commands::output::{print, print_part};
use crate::config::{DatabaseConfig, LogConfig, LogFormat, Source};
use crate::failure::Failure;
use crate::telemetry;
use adapters_http::wire::task::write_task;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Print the user's tasks, oldest first, one line of JSON each, as the API shows them
    Export {
        /// The user id, exactly as tokens carry it
        #[arg(value_name = "ID", value_parser = parse_owner)]
        user: Owner,
    },
    /// Delete all of the user's tasks for good
    Delete {
        /// The user id, exactly as tokens carry it
        #[arg(value_name = "ID", value_parser = parse_owner)]
        user: Owner,
        /// Do it; without this, only say how many tasks there are
        #[arg(long)]
        yes: bool,
    },
}

/// Does it to the database of `DATABASE_URL`.
pub(crate) async fn run(source: &Source, command: UserCommand) -> Result<(), Failure> {
    let database = DatabaseConfig::from_source(source)?;
    telemetry::start(LogConfig::from_source(source, LogFormat::Text)?);
    source.log_dotenv();
    let (archive, _) = Archive::open(&database).await?;
    match command {
        UserCommand::Export { user } => export(&archive, &user, print_part).await,
        UserCommand::Delete { user, yes: true } => delete(&archive, &user).await,
        UserCommand::Delete { user, yes: false } => ask_for_consent(&archive, &user).await,
    }
}

/// Hands each task to `print`, which answers whether anyone wants the next one.
async fn export(
    archive: &Archive,
    user: &Owner,
    mut print: impl FnMut(&[u8]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut batches = archive.tasks_of(user);
    while let Some(batch) = batches.next().await? {
        for archived in &batch {
            let mut line = Vec::new();
            write_task(&archived.task, &mut line);
            line.push(b'\n');
            if !print(&line)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn delete(archive: &Archive, user: &Owner) -> Result<(), Failure> {
    let mut deleted = 0;
    loop {
        let batch = archive.erase(user).await?;
        deleted += batch;
        if batch < u64::from(BATCH) {
            return print(&format!("deleted {deleted} tasks"));
        }
    }
}

async fn ask_for_consent(archive: &Archive, user: &Owner) -> Result<(), Failure> {
    match archive.count(user).await? {
        0 => print("deleted 0 tasks"),
        tasks => Err(Failure::of_usage(format!(
            "user {:?} has {tasks} tasks; with --yes they are deleted for good",
            user.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use domain::task::{ArchivedTask, TaskArchive};
    use domain::testing::{InMemoryTaskRepository, a_task, an_owner};

    use super::*;

    #[tokio::test]
    async fn an_export_ends_when_nobody_reads_it_any_more() {
        let memory = InMemoryTaskRepository::default();
        let task = || ArchivedTask {
            task: a_task(&an_owner(), "task"),
            key: None,
        };
        memory.import((0..5).map(|_| task()).collect()).await.unwrap();
        let archive = Archive::in_memory("DATABASE_URL", &memory);
        let mut printed = 0;
        let print = |_: &[u8]| {
            printed += 1;
            Ok(printed < 3)
        };
        export(&archive, &an_owner(), print).await.unwrap();
        assert_eq!(printed, 3);
    }
}
