//! The queue in which jobs wait for a thread: fair by user.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::fairness::{Entry, FairQueue, Grant, LaneId, LaneLimits, Ticket};
use domain::identity::Owner;
use domain::storage::StorageError;
use thiserror::Error;

use crate::job::Job;
use crate::stats::LaneStats;
use crate::turn::{Lender, Turn};

/// The needs of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A reader, for a moment: an index bounds what it looks at.
    Read,
    /// A reader, perhaps for long: it looks at everything a user has. One reader at least is left to the others.
    Scan,
    /// The writer.
    Write,
}

/// Which thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// One of those that read.
    Readers,
    /// The one that writes.
    Writer,
}

impl Lane {
    fn side(self) -> Side {
        match self {
            Self::Read | Self::Scan => Side::Readers,
            Self::Write => Side::Writer,
        }
    }
}

/// How many short reads may be under way, those included whose answer the caller has not taken yet. The readers work on
/// fewer at a time.
const READS: u32 = 64;

/// Jobs that wait, or are being done. Callers never wait to enter it; threads wait for jobs.
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    for_readers: Condvar,
    for_writer: Condvar,
    reads_in_vain: AtomicU64,
    writes_in_vain: AtomicU64,
    reads_done: AtomicU64,
    writes_done: AtomicU64,
}

struct Jobs {
    fair: FairQueue<Box<dyn Job>>,
    read: LaneId,
    scan: LaneId,
    write: LaneId,
    /// Jobs of no user, the health check and an operator's, are done first.
    unowned_reads: VecDeque<Box<dyn Job>>,
    unowned_writes: VecDeque<Box<dyn Job>>,
    /// Short reads and scans take turns too.
    scan_is_next: bool,
    readers: usize,
    writers: usize,
    is_closed_to_readers: bool,
    is_closed_to_writer: bool,
}

impl Queue {
    /// Room for that many jobs, those that are being done included, for that many readers, and a writer that does up to
    /// so many jobs at once.
    pub(crate) fn new(capacity: usize, readers: usize, writes_at_once: usize) -> Arc<Self> {
        let units = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        let mut fair = FairQueue::new(capacity);
        let jobs = Jobs {
            read: fair.add_lane(LaneLimits {
                units: READS,
                units_per_owner: READS / 4,
            }),
            scan: fair.add_lane(LaneLimits {
                units: units(readers.saturating_sub(1)),
                units_per_owner: units(readers.saturating_sub(1) / 2),
            }),
            write: fair.add_lane(LaneLimits::shared(units(writes_at_once))),
            fair,
            unowned_reads: VecDeque::new(),
            unowned_writes: VecDeque::new(),
            scan_is_next: false,
            readers: 0,
            writers: 0,
            is_closed_to_readers: false,
            is_closed_to_writer: false,
        };
        Arc::new(Self {
            jobs: Mutex::new(jobs),
            for_readers: Condvar::new(),
            for_writer: Condvar::new(),
            reads_in_vain: AtomicU64::new(0),
            writes_in_vain: AtomicU64::new(0),
            reads_done: AtomicU64::new(0),
            writes_done: AtomicU64::new(0),
        })
    }

    /// Notes that a caller has waited for an answer in vain.
    pub(crate) fn count_timeout(&self, lane: Lane) {
        self.in_vain(lane.side()).fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a thread has done jobs.
    pub(crate) fn count_done(&self, side: Side) {
        self.of_done(side).fetch_add(1, Ordering::Relaxed);
    }

    /// How often the threads of that lane have done jobs.
    pub(crate) fn done(&self, lane: Lane) -> u64 {
        self.of_done(lane.side()).load(Ordering::Relaxed)
    }

    fn of_done(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Readers => &self.reads_done,
            Side::Writer => &self.writes_done,
        }
    }

    fn in_vain(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Readers => &self.reads_in_vain,
            Side::Writer => &self.writes_in_vain,
        }
    }

    /// How one side is used.
    pub(crate) fn stats(&self, side: Side) -> LaneStats {
        let jobs = self.jobs();
        let (connections, waiting) = match side {
            Side::Readers => (
                jobs.readers,
                jobs.unowned_reads.len()
                    + jobs.fair.waiting_for(jobs.read)
                    + jobs.fair.waiting_for(jobs.scan),
            ),
            Side::Writer => (
                jobs.writers,
                jobs.unowned_writes.len() + jobs.fair.waiting_for(jobs.write),
            ),
        };
        LaneStats {
            connections,
            waiting,
            timeouts: self.in_vain(side).load(Ordering::Relaxed),
        }
    }

    /// How many jobs of users wait or are being done, and how many may.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let jobs = self.jobs();
        (jobs.fair.entered(), jobs.fair.capacity())
    }

    /// Joins the queue, as a job of this user or of none. Dropping the place leaves it.
    ///
    /// # Errors
    /// `Busy` if there is no room and no user has more jobs waiting than this one, `Unavailable` if no thread will
    /// serve the queue any more.
    pub(crate) fn push(
        self: &Arc<Self>,
        lane: Lane,
        owner: Option<&Owner>,
        job: Box<dyn Job>,
    ) -> Result<Place, StorageError> {
        let mut jobs = self.jobs();
        let (is_closed, id) = match lane {
            Lane::Read => (jobs.is_closed_to_readers, jobs.read),
            Lane::Scan => (jobs.is_closed_to_readers, jobs.scan),
            Lane::Write => (jobs.is_closed_to_writer, jobs.write),
        };
        if is_closed {
            return Err(StorageError::Unavailable(Box::new(Closed)));
        }
        let mut refused = None;
        let ticket = if let Some(owner) = owner {
            match jobs.fair.enter(owner) {
                Entry::Entered => {}
                Entry::InPlaceOf(other) => refused = Some(other),
                Entry::Refused => return Err(StorageError::Busy),
            }
            Some(jobs.fair.wait(id, owner, 1, job))
        } else {
            match lane.side() {
                Side::Readers => jobs.unowned_reads.push_back(job),
                Side::Writer => jobs.unowned_writes.push_back(job),
            }
            None
        };
        drop(jobs);
        if let Some(refused) = refused {
            refused.refuse();
        }
        self.notify(lane.side());
        Ok(Place {
            queue: Arc::clone(self),
            ticket,
        })
    }

    fn notify(&self, side: Side) {
        match side {
            Side::Readers => self.for_readers.notify_one(),
            Side::Writer => self.for_writer.notify_one(),
        }
    }

    /// Lets no job in any more. Those that wait are still done.
    pub(crate) fn close(&self) {
        let mut jobs = self.jobs();
        jobs.is_closed_to_readers = true;
        jobs.is_closed_to_writer = true;
        drop(jobs);
        self.for_readers.notify_all();
        self.for_writer.notify_all();
    }

    /// The right to serve the queue, for one thread.
    pub(crate) fn worker(self: &Arc<Self>, side: Side) -> Worker {
        let mut jobs = self.jobs();
        match side {
            Side::Readers => jobs.readers += 1,
            Side::Writer => jobs.writers += 1,
        }
        drop(jobs);
        Worker {
            queue: Arc::clone(self),
            side,
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lender for Queue {
    fn take_back(&self, grant: &Grant) {
        let mut jobs = self.jobs();
        jobs.fair.give_back(grant);
        let (reads_wait, writes_wait) = (jobs.has_waiting(Side::Readers), jobs.has_waiting(Side::Writer));
        drop(jobs);
        // It may have been the only thing that one of them waited for.
        if reads_wait {
            self.for_readers.notify_one();
        }
        if writes_wait {
            self.for_writer.notify_one();
        }
    }
}

impl Jobs {
    fn next(&mut self, side: Side) -> Option<(Option<Grant>, Box<dyn Job>)> {
        let unowned = match side {
            Side::Readers => self.unowned_reads.pop_front(),
            Side::Writer => self.unowned_writes.pop_front(),
        };
        if let Some(job) = unowned {
            return Some((None, job));
        }
        let (grant, job) = match side {
            Side::Writer => self.fair.next(self.write),
            Side::Readers => {
                let lanes = if self.scan_is_next {
                    [self.scan, self.read]
                } else {
                    [self.read, self.scan]
                };
                self.scan_is_next = !self.scan_is_next;
                lanes.into_iter().find_map(|lane| self.fair.next(lane))
            }
        }?;
        Some((Some(grant), job))
    }

    fn is_closed_to(&self, side: Side) -> bool {
        match side {
            Side::Readers => self.is_closed_to_readers,
            Side::Writer => self.is_closed_to_writer,
        }
    }

    /// Whether some of these jobs wait. They may wait for a thread that does another one.
    fn has_waiting(&self, side: Side) -> bool {
        match side {
            Side::Readers => !(self.fair.is_idle(self.read) && self.fair.is_idle(self.scan)),
            Side::Writer => !self.fair.is_idle(self.write),
        }
    }

    /// Everything that waits for a side which no thread serves any more.
    fn abandon(&mut self, side: Side) -> Vec<Box<dyn Job>> {
        let (lanes, unowned) = match side {
            Side::Readers => {
                self.is_closed_to_readers = true;
                (vec![self.read, self.scan], mem::take(&mut self.unowned_reads))
            }
            Side::Writer => {
                self.is_closed_to_writer = true;
                (vec![self.write], mem::take(&mut self.unowned_writes))
            }
        };
        let waiting = lanes.into_iter().flat_map(|lane| self.fair.drain(lane));
        unowned.into_iter().chain(waiting).collect()
    }
}

/// A job's place in the queue, or in the hands of a thread.
pub(crate) struct Place {
    queue: Arc<Queue>,
    ticket: Option<Ticket>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(ticket) = &self.ticket {
            let mut jobs = self.queue.jobs();
            jobs.fair.withdraw(ticket);
            jobs.fair.leave();
        }
    }
}

/// A job that a thread has taken.
pub(crate) struct Taken {
    pub(crate) job: Box<dyn Job>,
    pub(crate) turn: Turn,
}

/// A thread that serves the queue. When the last one of its side goes, for whatever reason, the queue is closed to that
/// side and those that still wait are sent away: better an error at once than one after the time limit.
pub(crate) struct Worker {
    queue: Arc<Queue>,
    side: Side,
}

impl Worker {
    /// Waits for a job and takes it: users take turns. `None` means that the queue is closed and empty.
    pub(crate) fn next(&self) -> Option<Taken> {
        self.next_doing(None, || {})
    }

    /// The same, and does this whenever no job has come for so long.
    pub(crate) fn next_or_every(&self, pause: Duration, idle: impl FnMut()) -> Option<Taken> {
        self.next_doing(Some(pause), idle)
    }

    fn next_doing(&self, pause: Option<Duration>, mut idle: impl FnMut()) -> Option<Taken> {
        let condition = match self.side {
            Side::Readers => &self.queue.for_readers,
            Side::Writer => &self.queue.for_writer,
        };
        let mut jobs = self.queue.jobs();
        loop {
            if let Some(next) = jobs.next(self.side) {
                return Some(self.taken(next));
            }
            if jobs.is_closed_to(self.side) && !jobs.has_waiting(self.side) {
                return None;
            }
            let Some(pause) = pause else {
                jobs = condition.wait(jobs).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, waited) = condition
                .wait_timeout(jobs, pause)
                .unwrap_or_else(PoisonError::into_inner);
            jobs = woken;
            if waited.timed_out() {
                drop(jobs);
                idle();
                jobs = self.queue.jobs();
            }
        }
    }

    /// Takes a job if one waits.
    pub(crate) fn next_at_once(&self) -> Option<Taken> {
        let next = self.queue.jobs().next(self.side)?;
        Some(self.taken(next))
    }

    /// Notes that jobs were done.
    pub(crate) fn count_done(&self) {
        self.queue.count_done(self.side);
    }

    fn taken(&self, (grant, job): (Option<Grant>, Box<dyn Job>)) -> Taken {
        let lender = Arc::clone(&self.queue);
        Taken {
            job,
            turn: Turn::new(lender, grant),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut jobs = self.queue.jobs();
        let left = match self.side {
            Side::Readers => {
                jobs.readers -= 1;
                jobs.readers
            }
            Side::Writer => {
                jobs.writers -= 1;
                jobs.writers
            }
        };
        if left == 0 {
            let abandoned = jobs.abandon(self.side);
            drop(jobs);
            drop(abandoned);
        }
    }
}

/// No thread serves the queue: the database was closed, or its threads have died.
#[derive(Debug, Error)]
#[error("the database is closed")]
pub(crate) struct Closed;

#[cfg(test)]
mod tests {
    use std::thread;

    use domain::testing::{an_owner, an_owner_named};
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::job::{Answer, job};

    fn queue(capacity: usize) -> Arc<Queue> {
        Queue::new(capacity, 2, 64)
    }

    fn push(queue: &Arc<Queue>, lane: Lane, owner: &Owner) -> Result<(Place, Answer<()>), StorageError> {
        let (job, answer) = job(|_| Ok(()));
        Ok((queue.push(lane, Some(owner), job)?, answer))
    }

    /// Takes what may be taken. The turns go on.
    fn take_all(worker: &Worker) -> Vec<Taken> {
        std::iter::from_fn(|| worker.next_at_once()).collect()
    }

    /// Whose job is next. It is refused.
    fn next_of<'a>(worker: &Worker, waiting: &mut [(&'a str, Answer<()>)]) -> &'a str {
        worker.next_at_once().unwrap().job.refuse();
        let answered = |(_, answer): &mut (_, Answer<()>)| answer.try_recv().is_ok();
        let position = waiting.iter_mut().position(answered).unwrap();
        waiting[position].0
    }

    #[test]
    fn a_full_queue_turns_callers_away() {
        let queue = queue(2);
        let _worker = queue.worker(Side::Writer);
        let places: Vec<_> = (0..3).map(|_| push(&queue, Lane::Write, &an_owner())).collect();
        assert!(matches!(
            places.as_slice(),
            [Ok(_), Ok(_), Err(StorageError::Busy)]
        ));
        drop(places);
        assert!(
            push(&queue, Lane::Write, &an_owner()).is_ok(),
            "there is room again"
        );
    }

    #[test]
    fn the_longest_queue_makes_room_for_another_user() {
        let (alice, bob) = (an_owner_named("alice"), an_owner_named("bob"));
        let queue = queue(3);
        let mut places: Vec<_> = (0..3)
            .map(|_| push(&queue, Lane::Write, &alice).unwrap())
            .collect();
        let _bobs = push(&queue, Lane::Read, &bob).unwrap();
        let (_place, mut newest) = places.pop().unwrap();
        assert!(matches!(newest.try_recv(), Ok((Err(StorageError::Busy), _))));
    }

    #[test]
    fn users_take_turns() {
        let (alice, bob) = (an_owner_named("alice"), an_owner_named("bob"));
        let queue = queue(10);
        let worker = queue.worker(Side::Writer);
        let owners = [&alice, &alice, &alice, &bob];
        let (_places, mut waiting): (Vec<_>, Vec<_>) = owners
            .map(|owner| {
                let (place, answer) = push(&queue, Lane::Write, owner).unwrap();
                (place, (owner.as_str(), answer))
            })
            .into_iter()
            .unzip();
        let served = [(); 4].map(|()| next_of(&worker, &mut waiting));
        assert_eq!(served, ["alice", "bob", "alice", "alice"]);
    }

    #[test]
    fn scans_leave_a_reader_to_short_reads() {
        let queue = queue(10);
        let worker = queue.worker(Side::Readers);
        let _scans = [(); 3].map(|()| push(&queue, Lane::Scan, &an_owner()).unwrap());
        let scan = take_all(&worker);
        assert_eq!(scan.len(), 1);
        let _read = push(&queue, Lane::Read, &an_owner()).unwrap();
        let read = take_all(&worker);
        assert_eq!(read.len(), 1);
        drop(scan);
        assert_eq!(take_all(&worker).len(), 1, "the next scan");
    }

    #[test]
    fn the_health_check_is_next_whoever_waits() {
        let queue = queue(1);
        let worker = queue.worker(Side::Readers);
        let (_read, read) = push(&queue, Lane::Read, &an_owner()).unwrap();
        let (check, answer) = job(|_| Ok(()));
        let _check = queue.push(Lane::Read, None, check).unwrap();
        let mut waiting = [("user", read), ("check", answer)];
        assert_eq!(next_of(&worker, &mut waiting), "check");
    }

    #[test]
    fn whoever_leaves_the_queue_is_not_served() {
        let queue = queue(10);
        let worker = queue.worker(Side::Writer);
        drop(push(&queue, Lane::Write, &an_owner()).unwrap());
        let (_place, answer) = push(&queue, Lane::Write, &an_owner_named("bob")).unwrap();
        assert_eq!(next_of(&worker, &mut [("bob", answer)]), "bob");
        assert!(worker.next_at_once().is_none());
    }

    #[test]
    fn a_closed_queue_is_served_to_its_end() {
        let queue = queue(10);
        let worker = queue.worker(Side::Writer);
        let _place = push(&queue, Lane::Write, &an_owner()).unwrap();
        queue.close();
        let refused = push(&queue, Lane::Write, &an_owner()).map(drop).unwrap_err();
        assert!(matches!(refused, StorageError::Unavailable(_)), "{refused:?}");
        assert!(worker.next().is_some());
        assert!(worker.next().is_none());
    }

    #[test]
    fn closing_wakes_every_idle_worker() {
        let queue = queue(10);
        let sides = [Side::Readers, Side::Readers, Side::Writer];
        let idle = sides.map(|side| queue.worker(side));
        let threads = idle.map(|worker| thread::spawn(move || worker.next().is_none()));
        queue.close();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    }

    #[test]
    fn when_the_last_worker_dies_no_caller_is_left_waiting() {
        let queue = queue(10);
        let (first, last) = (queue.worker(Side::Readers), queue.worker(Side::Readers));
        let (_place, mut answer) = push(&queue, Lane::Read, &an_owner()).unwrap();
        drop(first);
        assert_eq!(answer.try_recv().err(), Some(TryRecvError::Empty));
        drop(last);
        assert_eq!(answer.try_recv().err(), Some(TryRecvError::Closed));
        assert!(matches!(
            push(&queue, Lane::Read, &an_owner()).map(drop),
            Err(StorageError::Unavailable(_))
        ));
        assert!(
            push(&queue, Lane::Write, &an_owner()).is_ok(),
            "the other side goes on"
        );
    }
}
