//! The line in which jobs wait for a thread.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use domain::task::RepositoryError;
use thiserror::Error;

use crate::job::Job;
use crate::stats::LaneStats;

/// A bounded line of jobs. Callers never wait to enter it; threads wait for jobs.
pub(crate) struct Queue {
    line: Mutex<Line>,
    changed: Condvar,
    capacity: usize,
    timeouts: AtomicU64,
    done: AtomicU64,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Box<dyn Job>>,
    workers: usize,
    closed: bool,
}

impl Queue {
    /// A line with room for that many jobs, besides those that are being done.
    pub(crate) fn with_capacity(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            line: Mutex::default(),
            changed: Condvar::new(),
            capacity,
            timeouts: AtomicU64::new(0),
            done: AtomicU64::new(0),
        })
    }

    /// Notes that somebody has waited for an answer in vain.
    pub(crate) fn count_timeout(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a piece of work was done.
    pub(crate) fn count_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were, whoever handed them in.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How the line is used.
    pub(crate) fn stats(&self) -> LaneStats {
        let line = self.lock();
        LaneStats {
            connections: line.workers,
            waiting: line.jobs.len(),
            timeouts: self.timeouts.load(Ordering::Relaxed),
        }
    }

    /// Joins the line.
    ///
    /// # Errors
    /// `Busy` if there is no room, `Unavailable` if nobody will serve the line any more.
    pub(crate) fn push(&self, job: Box<dyn Job>) -> Result<(), RepositoryError> {
        let mut line = self.lock();
        if line.closed {
            return Err(RepositoryError::Unavailable(Box::new(Closed)));
        }
        if line.jobs.len() >= self.capacity {
            return Err(RepositoryError::Busy);
        }
        line.jobs.push_back(job);
        drop(line);
        self.changed.notify_one();
        Ok(())
    }

    /// Lets nobody in any more. Who is in line is still served.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The right to serve the line, for one thread.
    pub(crate) fn worker(self: &Arc<Self>) -> Worker {
        self.lock().workers += 1;
        Worker {
            queue: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who serve a line. When the last one goes, for whatever reason, the line is closed and whoever still
/// stands in it is sent away: better an error at once than one after the time limit.
pub(crate) struct Worker {
    queue: Arc<Queue>,
}

impl Worker {
    /// Waits for jobs and takes up to `most` of them, in the order of their arrival. `None` means that the line is
    /// closed and empty.
    pub(crate) fn next(&self, most: usize) -> Option<Vec<Box<dyn Job>>> {
        let is_idle = |line: &mut Line| line.jobs.is_empty() && !line.closed;
        let mut line = self
            .queue
            .changed
            .wait_while(self.queue.lock(), is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        let count = most.min(line.jobs.len());
        let jobs: Vec<_> = line.jobs.drain(..count).collect();
        (!jobs.is_empty()).then_some(jobs)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut line = self.queue.lock();
        line.workers -= 1;
        if line.workers == 0 {
            line.closed = true;
            let left = mem::take(&mut line.jobs);
            drop(line);
            drop(left);
        }
    }
}

/// Nobody serves the line: the database was closed, or its threads have died.
#[derive(Debug, Error)]
#[error("the database is closed")]
pub(crate) struct Closed;

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::job::job;

    #[test]
    fn a_full_line_turns_callers_away() {
        let queue = Queue::with_capacity(2);
        let _worker = queue.worker();
        let jobs: Vec<_> = (0..3).map(|_| job(|_| Ok(()))).collect();
        let answers: Vec<_> = jobs.into_iter().map(|(job, _answer)| queue.push(job)).collect();
        assert!(matches!(
            answers.as_slice(),
            [Ok(()), Ok(()), Err(RepositoryError::Busy)]
        ));
    }

    #[test]
    fn a_worker_takes_what_is_there_and_no_more_than_it_wants() {
        let queue = Queue::with_capacity(10);
        let worker = queue.worker();
        for _ in 0..5 {
            queue.push(job(|_| Ok(())).0).unwrap();
        }
        assert_eq!(worker.next(3).unwrap().len(), 3);
        assert_eq!(worker.next(3).unwrap().len(), 2);
    }

    #[test]
    fn a_closed_line_is_served_to_its_end() {
        let queue = Queue::with_capacity(10);
        let worker = queue.worker();
        queue.push(job(|_| Ok(())).0).unwrap();
        queue.close();
        let refused = queue.push(job(|_| Ok(())).0).unwrap_err();
        assert!(matches!(refused, RepositoryError::Unavailable(_)), "{refused:?}");
        assert_eq!(worker.next(3).unwrap().len(), 1);
        assert!(worker.next(3).is_none());
    }

    #[test]
    fn closing_wakes_every_idle_worker() {
        let queue = Queue::with_capacity(10);
        let idle: Vec<_> = (0..3).map(|_| queue.worker()).collect();
        let threads: Vec<_> = idle
            .into_iter()
            .map(|worker| thread::spawn(move || worker.next(1).is_none()))
            .collect();
        queue.close();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    }

    #[test]
    fn when_the_last_worker_dies_nobody_is_left_waiting() {
        let queue = Queue::with_capacity(10);
        let (first, last) = (queue.worker(), queue.worker());
        let (job_in_line, mut answer) = job(|_| Ok(()));
        queue.push(job_in_line).unwrap();
        drop(first);
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
        drop(last);
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Closed);
        assert!(matches!(
            queue.push(job(|_| Ok(())).0),
            Err(RepositoryError::Unavailable(_))
        ));
    }
}
