//! Lines of the log between those who write them and standard error.
//!
//! The reader of standard error may be slow, stuck or gone. Logging never waits for it: lines go into a buffer with a
//! bound, and a thread of its own empties it. When it is full, lines are lost and counted, those of the audit log last.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most that may wait to be written, in bytes.
const CAPACITY: usize = 4 << 20;
/// How much of that lines other than those of the audit log may use.
const CAPACITY_FOR_OTHERS: usize = 3 << 20;
/// So much is written at once, in whole lines. POSIX (`PIPE_BUF`) promises for more than 4 KiB on no system that lines
/// of several processes in one pipe stay whole.
const PIECE: usize = 4096;
/// The memory that an idle buffer keeps, in bytes.
const IDLE_CAPACITY: usize = 64 << 10;
/// How long to wait for an output that takes nothing and does not block.
const PAUSE: Duration = Duration::from_millis(10);

/// The worth of a line when not all can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the audit log.
    Audit,
    /// Every other.
    Other,
}

impl Kind {
    fn capacity(self) -> usize {
        match self {
            Self::Audit => CAPACITY,
            Self::Other => CAPACITY_FOR_OTHERS,
        }
    }
}

/// Lines that wait to be written.
pub(crate) struct LogBuffer {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
    lost_audit: AtomicU64,
    lost_others: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Lines,
    /// How many bytes the writer has taken and not written yet.
    under_way: usize,
    /// Since it was last told.
    lost: Lost,
}

/// How many lines were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lost {
    /// Of the audit log.
    pub(crate) audit: u64,
    /// Others.
    pub(crate) others: u64,
}

/// Lines, one behind the other.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<(usize, Kind)>,
}

impl Lines {
    fn push(&mut self, kind: Kind, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.ends.push((self.bytes.len(), kind));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        if self.bytes.capacity() > IDLE_CAPACITY {
            *self = Self::default();
        }
    }
}

impl LogBuffer {
    pub(crate) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Lines {
                    bytes: Vec::new(),
                    ends: Vec::new(),
                },
                under_way: 0,
                lost: Lost { audit: 0, others: 0 },
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            lost_audit: AtomicU64::new(0),
            lost_others: AtomicU64::new(0),
        }
    }

    /// Empties the buffer into this for as long as the process lives. Lines were lost and now it goes on: then `tell`
    /// is called.
    pub(crate) fn empty_into(
        &'static self,
        mut output: impl Write + Send + 'static,
        tell: fn(Lost),
    ) -> io::Result<()> {
        let emptying = move || {
            let mut lines = Lines::default();
            loop {
                self.take(&mut lines);
                let goes_on = self.write(&lines, &mut output);
                lines.clear();
                let lost = self.done(goes_on);
                if lost != Lost::default() {
                    tell(lost);
                }
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(emptying)?;
        Ok(())
    }

    /// Takes a line, unless the buffer is full. Never waits for the output.
    pub(crate) fn push(&self, kind: Kind, line: &[u8]) {
        let mut state = self.lock();
        if state.under_way + state.waiting.bytes.len() + line.len() > kind.capacity() {
            self.count_lost(&mut state, kind);
            return;
        }
        let was_empty = state.waiting.bytes.is_empty();
        state.waiting.push(kind, line);
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Waits until everything is written, but not longer than this.
    pub(crate) fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while state.under_way + state.waiting.bytes.len() > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many lines were lost since the start.
    pub(crate) fn lost(&self) -> Lost {
        Lost {
            audit: self.lost_audit.load(Ordering::Relaxed),
            others: self.lost_others.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_lost(&self, state: &mut State, kind: Kind) {
        let (since, total) = match kind {
            Kind::Audit => (&mut state.lost.audit, &self.lost_audit),
            Kind::Other => (&mut state.lost.others, &self.lost_others),
        };
        *since += 1;
        total.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for lines and takes all there are.
    fn take(&self, lines: &mut Lines) {
        let mut state = self.lock();
        while state.waiting.bytes.is_empty() {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, lines);
        state.under_way = lines.bytes.len();
    }

    /// Writes these, and returns whether the last of them could be. Those that could not are lost.
    fn write(&self, lines: &Lines, output: &mut impl Write) -> bool {
        let mut goes_on = false;
        let (mut bytes, mut ends, mut begin) = (&lines.bytes[..], &lines.ends[..], 0);
        while !ends.is_empty() {
            let fits = ends.partition_point(|(end, _)| end - begin <= PIECE).max(1);
            let Some((these, rest)) = ends.split_at_checked(fits) else {
                break;
            };
            let end = these.last().map_or(begin, |(end, _)| *end);
            let (piece, later) = bytes.split_at_checked(end - begin).unwrap_or((bytes, &[]));
            goes_on = write_all(output, piece).is_ok();
            let mut state = self.lock();
            state.under_way = later.len();
            if !goes_on {
                for (_, kind) in these {
                    self.count_lost(&mut state, *kind);
                }
            }
            drop(state);
            (bytes, ends, begin) = (later, rest, end);
        }
        goes_on
    }

    /// Ends the work on the taken lines. Returns the number of lost ones, if the output takes lines again.
    fn done(&self, goes_on: bool) -> Lost {
        let mut state = self.lock();
        state.under_way = 0;
        if state.waiting.bytes.is_empty() {
            self.emptied.notify_all();
        }
        if goes_on {
            std::mem::take(&mut state.lost)
        } else {
            Lost::default()
        }
    }
}

/// Writes all of it, also into an output that does not block (another process that shares it may have asked for that).
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;

    use super::*;

    /// An output that does as it is told with each piece.
    struct Told {
        orders: mpsc::Receiver<io::Result<()>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.orders.recv().unwrap_or(Ok(()))?;
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Set {
        buffer: &'static LogBuffer,
        orders: mpsc::Sender<io::Result<()>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    /// A buffer over such an output. `tell` must be a function, so what it says goes into the buffer itself.
    fn set() -> Set {
        let buffer: &'static LogBuffer = Box::leak(Box::new(LogBuffer::new()));
        let (orders, told) = mpsc::channel();
        let written = Arc::default();
        let output = Told {
            orders: told,
            written: Arc::clone(&written),
        };
        let tell = |lost: Lost| TOLD.lock().unwrap().push(lost);
        buffer.empty_into(output, tell).unwrap();
        Set {
            buffer,
            orders,
            written,
        }
    }

    static TOLD: Mutex<Vec<Lost>> = Mutex::new(Vec::new());

    fn line(length: usize) -> Vec<u8> {
        let mut line = vec![b'x'; length - 1];
        line.push(b'\n');
        line
    }

    #[test]
    fn a_full_buffer_loses_and_counts_others_first_and_audit_lines_last_and_tells_when_it_goes_on() {
        let Set {
            buffer,
            orders,
            written,
        } = set();
        for _ in 0..4_000 {
            buffer.push(Kind::Other, &line(1024));
        }
        for _ in 0..2_000 {
            buffer.push(Kind::Audit, &line(1024));
        }
        let lost = Lost {
            audit: 2_000 - 1_024,
            others: 4_000 - 3 * 1_024,
        };
        assert_eq!(buffer.lost(), lost);
        let started = Instant::now();
        buffer.flush(Duration::from_millis(50));
        assert!(started.elapsed() < Duration::from_secs(5), "no one waits forever");
        // From now on everything is taken.
        drop(orders);
        buffer.flush(Duration::from_secs(10));
        assert_eq!(written.lock().unwrap().len(), 4 << 20);
        while !TOLD.lock().unwrap().contains(&lost) {
            assert!(started.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
        assert_eq!(buffer.lost(), lost, "nothing is lost any more");
    }

    #[test]
    fn what_an_output_refuses_is_lost_and_what_does_not_block_is_waited_for() {
        let Set {
            buffer,
            orders,
            written,
        } = set();
        for refused in [ErrorKind::StorageFull, ErrorKind::BrokenPipe] {
            orders.send(Err(refused.into())).unwrap();
            buffer.push(Kind::Other, b"lost\n");
            buffer.flush(Duration::from_secs(10));
        }
        for wait in [ErrorKind::WouldBlock, ErrorKind::Interrupted] {
            orders.send(Err(wait.into())).unwrap();
        }
        orders.send(Ok(())).unwrap();
        buffer.push(Kind::Other, b"kept\n");
        buffer.flush(Duration::from_secs(10));
        assert_eq!(*written.lock().unwrap(), b"kept\n");
        assert_eq!(buffer.lost(), Lost { audit: 0, others: 2 });
    }

    #[test]
    fn lines_are_written_whole() {
        let Set {
            buffer,
            orders,
            written,
        } = set();
        // The writer holds the first while the others gather.
        for length in [10, 1000, 1000, 1000, 1000, 1000, 5000, 7] {
            buffer.push(Kind::Other, &line(length));
        }
        let mut sizes = Vec::new();
        let mut so_far = 0;
        let deadline = Instant::now() + Duration::from_secs(10);
        while so_far < 10_017 {
            orders.send(Ok(())).unwrap();
            while written.lock().unwrap().len() == so_far {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
            let now = written.lock().unwrap().len();
            sizes.push(now - so_far);
            so_far = now;
        }
        let text = written.lock().unwrap().clone();
        assert!(
            sizes.iter().all(|size| *size <= PIECE || *size == 5000),
            "{sizes:?}"
        );
        let mut end = 0;
        for size in sizes {
            end += size;
            assert_eq!(text[end - 1], b'\n');
        }
    }
}
