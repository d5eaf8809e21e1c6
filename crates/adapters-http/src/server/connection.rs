//! A TCP connection that does not wait forever.
//!
//! actix limits how long a connection may be idle and how long its first head may take. Later heads, the rest of a body
//! that is not wanted any more, and a response that the client does not take in may last as long as the client likes.
//! Here all of these end. And actix reads on while responses wait, so that a client that asks and does not read fills
//! its buffers; here it does not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::policy::time_limits::TimeLimits;
use crate::policy::unsent::handed::Handed;

/// A client that takes in less while responses wait is cut off, in bytes a second (the contract's number).
const SLOWEST_READER: u64 = 16 << 10;
/// How much is read before actix has tried to write, in bytes: what it reads at once it may answer at once, and some
/// requests are much shorter than their responses.
const READ_AT_ONCE: usize = 16 << 10;

/// Ends the connection of a client that keeps us waiting:
///
/// * for the rest of a request, from its first byte until we write again: the client then seems to have stopped
///   sending, so that a response that is under way still reaches it;
/// * for space for responses, if it takes them in too slowly: writing then fails.
///
/// While a response waits for space nothing more is read.
pub(crate) struct PatientStream<S> {
    stream: S,
    request: Deadline,
    reader: Reader,
    /// The bytes that may still be read before the next attempt to write.
    readable: usize,
    handed: Handed,
}

impl PatientStream<TcpStream> {
    /// Over a connection that was just accepted.
    pub(crate) fn accepted(stream: TcpStream, limits: TimeLimits) -> Self {
        // The second part of an answer, a body that is compressed on the way, would else wait for the acknowledgement
        // of the first, which clients delay by 40 ms (RFC 1122, 4.2.3.2). If this fails it does so: no reason to
        // refuse.
        let _ = stream.set_nodelay(true);
        Self::new(stream, limits)
    }
}

impl<S> PatientStream<S> {
    fn new(stream: S, limits: TimeLimits) -> Self {
        Self {
            stream,
            request: Deadline::of(limits.exchange),
            reader: Reader::given(limits.slow_reader),
            readable: READ_AT_ONCE,
            handed: Handed::default(),
        }
    }

    /// Where bodies note what they have handed out.
    pub(crate) fn handed(&self) -> Handed {
        self.handed.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.request.is_over(cx) {
            return Poll::Ready(Ok(()));
        }
        if self.reader.is_awaited() {
            // The task is woken when there is space: it has tried to write.
            return Poll::Pending;
        }
        if self.readable == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let filled = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len().saturating_sub(filled);
        if read > 0 {
            self.readable = self.readable.saturating_sub(read);
            self.request.start();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.readable = READ_AT_ONCE;
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        let is_too_slow = match &outcome {
            Poll::Pending => self.reader.keeps_waiting(cx),
            Poll::Ready(written) => {
                self.request.clear();
                let written = *written.as_ref().unwrap_or(&0);
                // actix always offers everything that waits.
                self.handed.are_left(bytes.len().saturating_sub(written));
                self.reader.took(written)
            }
        };
        if is_too_slow {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.readable = READ_AT_ONCE;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Some time that starts when the client is to do something, and is over if it has not.
struct Deadline {
    timeout: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn of(timeout: Duration) -> Self {
        Self { timeout, alarm: None }
    }

    /// Starts the time, unless it runs already.
    fn start(&mut self) {
        self.alarm.get_or_insert_with(|| Box::pin(sleep(self.timeout)));
    }

    /// Not just forgotten: an alarm that rings wakes actix, which then waits for the next request all over again.
    fn clear(&mut self) {
        self.alarm = None;
    }

    /// Whether the time is over. Otherwise the task is woken when it is.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let alarm = self.alarm.as_mut();
        alarm.is_some_and(|alarm| alarm.as_mut().poll(cx).is_ready())
    }
}

/// How fast a client takes in what waits for it, on average over windows of time. Only waiting is time here: a
/// connection on which nothing waits may rest for as long as it likes, and a client that takes a little just in time
/// gains nothing.
struct Reader {
    window: Duration,
    /// How long we have waited in this window, before the wait that is going on.
    waited: Duration,
    /// The bytes that the client has taken in since this window began.
    taken: u64,
    /// The wait that is going on.
    wait: Option<Wait>,
}

struct Wait {
    since: Instant,
    /// When the window is over if nothing happens.
    alarm: Pin<Box<Sleep>>,
}

impl Reader {
    fn given(window: Duration) -> Self {
        Self {
            window,
            waited: Duration::ZERO,
            taken: 0,
            wait: None,
        }
    }

    /// Whether something waits for the client.
    fn is_awaited(&self) -> bool {
        self.wait.is_some()
    }

    /// There is no space. Whether the client has been too slow; otherwise the task is woken when that is to be judged.
    fn keeps_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let rest = self.window.saturating_sub(self.waited);
            let wait = self.wait.get_or_insert_with(|| Wait {
                since: Instant::now(),
                alarm: Box::pin(sleep(rest)),
            });
            if wait.alarm.as_mut().poll(cx).is_pending() {
                return false;
            }
            if self.took(0) {
                return true;
            }
        }
    }

    /// The client has taken in `bytes` bytes. Whether it has been too slow. The alarm of a wait that is over is not
    /// just forgotten: one that rings wakes actix, which then waits for the next request all over again.
    fn took(&mut self, bytes: usize) -> bool {
        let wait = self.wait.take();
        if wait.is_none() && self.waited.is_zero() {
            return false;
        }
        self.taken += bytes as u64;
        self.waited += wait.map_or(Duration::ZERO, |wait| wait.since.elapsed());
        if self.waited < self.window {
            return false;
        }
        let is_too_slow =
            u128::from(self.taken) * 1000 < u128::from(SLOWEST_READER) * self.waited.as_millis();
        (self.waited, self.taken) = (Duration::ZERO, 0);
        is_too_slow
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::net::TcpListener;

    use super::*;

    const KIB: usize = 1 << 10;

    /// A connection with a buffer of this size, and the client's end.
    fn connection(capacity: usize) -> (PatientStream<DuplexStream>, DuplexStream) {
        let (server, client) = duplex(capacity);
        (PatientStream::new(server, TimeLimits::default()), client)
    }

    /// How long the client, which takes in `bytes` bytes after each pause, gets an endless response; `None` if it still
    /// does after two minutes.
    async fn cut_off_after(bytes: usize, pause: Duration) -> Option<u64> {
        let (mut stream, mut client) = connection(64 * KIB);
        let reading = tokio::spawn(async move {
            let mut part = vec![0; bytes];
            loop {
                tokio::time::sleep(pause).await;
                if client.read_exact(&mut part).await.is_err() {
                    return;
                }
            }
        });
        let started = Instant::now();
        let answer = vec![0; 32 * KIB];
        let writing = async {
            loop {
                if let Err(error) = stream.write_all(&answer).await {
                    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                    return;
                }
            }
        };
        let outcome = tokio::time::timeout(Duration::from_secs(120), writing).await;
        reading.abort();
        outcome.ok().map(|()| started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_slower_than_16_kib_a_second_over_10_seconds_of_waiting_is_cut_off() {
        let seconds = Duration::from_secs;
        assert_eq!(cut_off_after(1, seconds(3600)).await, Some(10));
        assert_eq!(cut_off_after(128 * KIB, seconds(25)).await, Some(10));
        assert_eq!(
            cut_off_after(32 * KIB, Duration::from_millis(9_900)).await,
            Some(10)
        );
        assert_eq!(cut_off_after(15 * KIB, seconds(1)).await, Some(10));
        assert_eq!(cut_off_after(KIB, Duration::from_millis(100)).await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_fast_enough_is_waited_for() {
        let ms = Duration::from_millis;
        assert_eq!(cut_off_after(18 * KIB, ms(1_000)).await, None);
        assert_eq!(cut_off_after(2 * KIB, ms(100)).await, None);
        assert_eq!(cut_off_after(200 * KIB, ms(9_900)).await, None);
    }

    /// Waits are added up: otherwise a client that takes in everything just in time would keep us waiting again and
    /// again.
    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_in_everything_just_in_time_is_cut_off_all_the_same() {
        let (mut stream, mut client) = connection(KIB);
        let reading = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(6)).await;
                if client.read_exact(&mut [0; 2 * KIB]).await.is_err() {
                    return;
                }
            }
        });
        let started = Instant::now();
        while stream.write_all(&[0; 2 * KIB]).await.is_ok() {
            assert!(started.elapsed() < Duration::from_secs(60));
        }
        assert!(started.elapsed() >= Duration::from_secs(10));
        reading.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_at_rest_is_not_slow() {
        let (mut stream, mut client) = connection(KIB);
        for _ in 0..100 {
            stream.write_all(b"an event").await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            client.read_exact(&mut [0; 8]).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_an_answer_waits_nothing_more_is_read() {
        let (mut stream, mut client) = connection(KIB);
        client.write_all(b"a request").await.unwrap();
        let read = |stream: &mut PatientStream<DuplexStream>, cx: &mut Context<'_>| {
            let mut part = [0; 16];
            let mut buffer = ReadBuf::new(&mut part);
            match Pin::new(stream).poll_read(cx, &mut buffer) {
                Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()).ok(),
                Poll::Pending => None,
            }
        };
        let answer = [0; 2 * KIB];
        let read_meanwhile = poll_fn(|cx| {
            assert!(matches!(
                Pin::new(&mut stream).poll_write(cx, &answer),
                Poll::Ready(Ok(KIB))
            ));
            assert!(Pin::new(&mut stream).poll_write(cx, &answer[KIB..]).is_pending());
            Poll::Ready(read(&mut stream, cx))
        });
        assert_eq!(read_meanwhile.await, None);
        client.read_exact(&mut [0; KIB]).await.unwrap();
        stream.write_all(&answer[KIB..]).await.unwrap();
        let read_then = poll_fn(|cx| Poll::Ready(read(&mut stream, cx)));
        assert_eq!(read_then.await, Some(9));
    }

    #[tokio::test]
    async fn no_part_of_an_answer_waits_for_an_acknowledgement() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let stream = PatientStream::accepted(stream, TimeLimits::default());
        assert!(stream.stream.nodelay().unwrap());
    }
}
