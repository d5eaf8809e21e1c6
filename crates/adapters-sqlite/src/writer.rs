//! The one thread that writes.
//!
//! SQLite has one writer at a time, and a durable commit costs a sync of the disk. So all writes go through one
//! thread, and those that arrived while the last commit ran share the next one:
//!
//! ```text
//! BEGIN IMMEDIATE
//!   SAVEPOINT, first job,  RELEASE
//!   SAVEPOINT, second job, ROLLBACK TO   -- it failed, alone
//!   SAVEPOINT, third job,  RELEASE
//! COMMIT                                 -- only now are the three callers answered
//! ```

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::prelude::*;

use crate::connection::DatabaseFile;
use crate::error::{SharedError, is_lock};
use crate::job::{Job, Ran};
use crate::queue::{Taken, Worker};
use crate::watch::{Guard, Watch};

/// The most jobs that share a commit: enough to make the sync cheap, few enough that the first one waits briefly.
pub(crate) const MOST_PER_COMMIT: usize = 64;

/// How often the writer looks at the file while it has nothing to write: so it knows what others have committed, and
/// does not take a file that was copied over this one later for their work.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// Owns the only connection that writes.
pub(crate) struct Writer {
    file: DatabaseFile,
    /// `None` after a failure that may have left the connection in a state of its own.
    connection: Option<SqliteConnection>,
    guard: Option<Guard>,
}

impl Writer {
    /// Opens the connection.
    pub(crate) fn open(file: DatabaseFile) -> QueryResult<Self> {
        let connection = Some(file.connect()?);
        Ok(Self {
            file,
            connection,
            guard: None,
        })
    }

    /// From now on no commit is acknowledged whose file is not the one of its path.
    pub(crate) fn watched_by(mut self, watch: &Arc<Watch>) -> QueryResult<Self> {
        if let Some(connection) = &mut self.connection {
            self.guard = Some(watch.guard(connection)?);
        }
        Ok(self)
    }

    /// Serves writes until the line is closed, and hands the connection back, if there is one.
    pub(crate) fn serve(mut self, worker: &Worker) -> Option<SqliteConnection> {
        while let Some(first) = worker.next_or_every(IDLE_LOOK, || self.look_while_idle()) {
            let others = iter::from_fn(|| worker.next_at_once());
            let taken = iter::once(first).chain(others).take(MOST_PER_COMMIT);
            // No caller waits for an answer: then none has to wait for the lock either.
            let mut group: Vec<_> = taken.filter(|taken| taken.job.is_wanted()).collect();
            if group.is_empty() {
                continue;
            }
            let committed = self.commit_watched(&mut group);
            match &committed {
                Ok(()) => worker.count_done(),
                Err(error) => self.recover_from(error),
            }
            for Taken { job, turn } in group {
                drop(turn);
                match &committed {
                    Ok(()) => job.answer(None),
                    Err(error) => job.fail(error),
                }
            }
        }
        self.connection
    }

    fn look_while_idle(&mut self) {
        if let (Some(guard), Some(connection)) = (&mut self.guard, &mut self.connection) {
            // What is wrong with the file is logged, and stays wrong; all else shows with the next commit.
            let _ = guard.check_before_commit(connection);
        }
    }

    /// The same as `commit_together`, and a success is one in the file that will be there tomorrow.
    fn commit_watched(&mut self, group: &mut [Taken]) -> Result<(), SharedError> {
        if let (Some(guard), Some(connection)) = (&mut self.guard, &mut self.connection) {
            guard.check_before_commit(connection)?;
        }
        self.commit_together(group)?;
        if let Some(guard) = &mut self.guard {
            guard.check_after_commit()?;
        }
        Ok(())
    }

    /// Runs a group in one transaction. An error means that nothing of it is stored.
    fn commit_together(&mut self, group: &mut [Taken]) -> Result<(), SharedError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.file.connect()?),
        };
        AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
        let all_ran = group
            .iter_mut()
            .try_for_each(|taken| run_in_savepoint(connection, taken.job.as_mut()));
        if all_ran.is_ok() {
            AnsiTransactionManager::commit_transaction(connection)?;
        } else {
            // SQLite may have rolled back by itself. Then this fails, and what matters is the first error.
            drop(AnsiTransactionManager::rollback_transaction(connection));
        }
        all_ran
    }

    fn recover_from(&mut self, error: &SharedError) {
        // Another connection would be one to another file.
        if self.guard.as_ref().is_some_and(Guard::is_lost) {
            return;
        }
        // Another process's lock was met before anything began, so there is nothing to recover from.
        if !is_lock(error) {
            tracing::warn!(%error, "a commit to SQLite failed; the next one goes through a new connection");
            self.connection = None;
        }
    }
}

/// Runs one job so that its failure undoes nothing but itself. An error means that the whole transaction is lost.
fn run_in_savepoint(connection: &mut SqliteConnection, job: &mut dyn Job) -> Result<(), SharedError> {
    // A caller who has stopped waiting will not learn what happened: then better nothing happens.
    if !job.is_wanted() {
        return Ok(());
    }
    AnsiTransactionManager::begin_transaction(connection)?;
    match job.run(connection) {
        Ran::Well => Ok(AnsiTransactionManager::commit_transaction(connection)?),
        Ran::Badly(cause) => AnsiTransactionManager::rollback_transaction(connection)
            // What the job met explains more than "no such savepoint".
            .map_err(|rollback| cause.unwrap_or_else(|| rollback.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use diesel::connection::SimpleConnection;
    use diesel::dsl::sql;
    use diesel::sql_types::BigInt;
    use domain::storage::StorageError;
    use domain::task::UpdateError;
    use domain::testing::an_owner;
    use tempfile::TempDir;

    use super::*;
    use crate::error::JobError;
    use crate::job::{Answer, Outcome, job};
    use crate::queue::{Lane, Queue, Side};

    type Work = fn(&mut SqliteConnection) -> Result<(), JobError<UpdateError>>;

    struct Bench {
        _folder: TempDir,
        file: DatabaseFile,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("bench.db");
            let file = DatabaseFile::find_or_create(&path, Duration::from_millis(100)).unwrap();
            file.connect()
                .unwrap()
                .batch_execute("CREATE TABLE facts (fact TEXT CHECK (fact <> ''))")
                .unwrap();
            Self {
                _folder: folder,
                file,
            }
        }

        /// Lets a writer find all the work in line, so that it is one group.
        fn run_as_one_group(&self, work: &[Work]) -> Vec<Outcome<(), UpdateError>> {
            self.run_groups(&[work]).pop().unwrap()
        }

        /// The same for group after group, with one writer.
        fn run_groups(&self, groups: &[&[Work]]) -> Vec<Vec<Outcome<(), UpdateError>>> {
            let writer = Writer::open(self.file.clone()).unwrap();
            let queue = Queue::new(MOST_PER_COMMIT * groups.len(), 1, MOST_PER_COMMIT);
            let worker = queue.worker(Side::Writer);
            let mut places = Vec::new();
            let mut answers: Vec<Vec<Answer<(), UpdateError>>> = Vec::new();
            for group in groups {
                let filling = (0..MOST_PER_COMMIT - group.len()).map(|_| (|_| Ok(())) as Work);
                let mut waiting = Vec::new();
                for work in group.iter().copied().chain(filling) {
                    let (job, answer) = job(work);
                    places.push(queue.push(Lane::Write, Some(&an_owner()), job).unwrap());
                    waiting.push(answer);
                }
                answers.push(waiting);
            }
            queue.close();
            thread::spawn(move || writer.serve(&worker)).join().unwrap();
            answers
                .into_iter()
                .zip(groups)
                .map(|(waiting, group)| {
                    let waiting = waiting.into_iter().take(group.len());
                    waiting.map(|mut answer| answer.try_recv().unwrap().0).collect()
                })
                .collect()
        }

        fn facts(&self) -> i64 {
            sql::<BigInt>("SELECT count(*) FROM facts")
                .get_result(&mut self.file.connect().unwrap())
                .unwrap()
        }
    }

    fn store(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        Ok(connection.batch_execute("INSERT INTO facts VALUES ('kept')")?)
    }

    fn store_and_regret(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        store(connection)?;
        Err(JobError::Refused(UpdateError::NotFound))
    }

    fn store_and_panic(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        store(connection)?;
        panic!("a bug in a job")
    }

    fn store_and_break_a_rule(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        store(connection)?;
        Ok(connection.batch_execute("INSERT INTO facts VALUES ('')")?)
    }

    fn store_much(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        Ok(connection.batch_execute("INSERT INTO facts VALUES (hex(zeroblob(100000)))")?)
    }

    /// For this connection the disk stays full: the limit ends with it.
    fn fill_the_disk(connection: &mut SqliteConnection) -> Result<(), JobError<UpdateError>> {
        connection.batch_execute("PRAGMA max_page_count = 10")?;
        store_much(connection)
    }

    #[test]
    fn a_job_that_fails_takes_nothing_from_its_neighbours() {
        let bench = Bench::new();
        let answers = bench.run_as_one_group(&[
            store,
            store_and_regret,
            store,
            store_and_panic,
            store_and_break_a_rule,
            store,
        ]);
        assert!(
            matches!(
                answers.as_slice(),
                [
                    Ok(Ok(())),
                    Ok(Err(UpdateError::NotFound)),
                    Ok(Ok(())),
                    Err(StorageError::Unexpected(_)),
                    Err(StorageError::Refused(_)),
                    Ok(Ok(()))
                ]
            ),
            "{answers:?}"
        );
        assert_eq!(bench.facts(), 3);
    }

    #[test]
    fn a_full_disk_fails_the_whole_group_and_the_next_one_has_a_new_connection() {
        let bench = Bench::new();
        let answers = bench.run_groups(&[&[store, fill_the_disk, store], &[store, store_much]]);
        let (first, second) = (&answers[0], &answers[1]);
        for answer in first {
            let Err(StorageError::Unavailable(cause)) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(cause.to_string(), "database or disk is full");
        }
        assert!(second.iter().all(Result::is_ok), "{second:?}");
        assert_eq!(bench.facts(), 2);
    }

    #[test]
    fn nobody_is_answered_before_the_commit() {
        let bench = Bench::new();
        let mut writer = Writer::open(bench.file.clone()).unwrap();
        let (job, mut answer) = job(store);
        let queue = Queue::new(1, 1, 1);
        let _place = queue.push(Lane::Write, Some(&an_owner()), job).unwrap();
        let mut group = vec![queue.worker(Side::Writer).next().unwrap()];
        writer.commit_together(&mut group).unwrap();
        assert!(answer.try_recv().is_err());
        for taken in group {
            taken.job.answer(None);
        }
        assert!(matches!(answer.try_recv(), Ok((Ok(Ok(())), _))));
    }

    #[test]
    fn work_that_nobody_waits_for_is_not_done() {
        let bench = Bench::new();
        let writer = Writer::open(bench.file.clone()).unwrap();
        let queue = Queue::new(1, 1, 1);
        let worker = queue.worker(Side::Writer);
        let (job, answer) = job(store);
        let _place = queue.push(Lane::Write, Some(&an_owner()), job).unwrap();
        drop(answer);
        queue.close();
        writer.serve(&worker);
        assert_eq!(bench.facts(), 0);
    }
}
