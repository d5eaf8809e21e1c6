//! A TCP connection that does not wait for ever.
//!
//! actix limits how long a connection may be idle and how long its first head may take. Later heads, the rest of a body
//! that nobody wants any more, and an answer that the client does not take in may last as long as the client likes.
//! Here all of these end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::time_limits::TimeLimits;

/// Ends the connection of a client that keeps us waiting:
///
/// * for the rest of a request, from its first byte until we write again: the client then seems to have stopped sending,
///   so that an answer that is under way still reaches it;
/// * for room for an answer, until more of it can be sent: writing then fails.
pub(crate) struct PatientStream<S> {
    stream: S,
    request: Deadline,
    room: Deadline,
}

impl PatientStream<TcpStream> {
    /// Over a connection that was just accepted.
    pub(crate) fn accepted(stream: TcpStream, limits: TimeLimits) -> Self {
        // The second part of an answer, a body that is compressed on the way, would else wait for the acknowledgement of
        // the first, which clients delay by 40 ms (RFC 1122, 4.2.3.2). If this fails it does so: no reason to refuse.
        let _ = stream.set_nodelay(true);
        Self::new(stream, limits)
    }
}

impl<S> PatientStream<S> {
    fn new(stream: S, limits: TimeLimits) -> Self {
        Self {
            stream,
            request: Deadline::of(limits.exchange),
            room: Deadline::of(limits.stuck_answer),
        }
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
        let filled = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > filled {
            self.request.start();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if outcome.is_ready() {
            self.request.clear();
            self.room.clear();
            return outcome;
        }
        self.room.start();
        if self.room.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Some time that starts when the client is to do something, and is over if it has not.
struct Deadline {
    patience: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn of(patience: Duration) -> Self {
        Self {
            patience,
            alarm: None,
        }
    }

    /// Starts the time, unless it runs already.
    fn start(&mut self) {
        self.alarm.get_or_insert_with(|| Box::pin(sleep(self.patience)));
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn no_part_of_an_answer_waits_for_an_acknowledgement() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let stream = PatientStream::accepted(stream, TimeLimits::default());
        assert!(stream.stream.nodelay().unwrap());
    }
}
