//! The SQLSTATE of an error, which diesel does not pass on.
//!
//! Texts of errors come in the language of the server (`lc_messages`), so only the SQLSTATE tells what a failure means.
//! The driver knows it, but diesel-async keeps the driver's error to itself and shows its text alone. So the code is
//! put in front of the text before the driver reads it: [`Coded`] is a stream that passes on what the server sends, and
//! rewrites the text of error responses (PostgreSQL manual, 55.7 and 55.8) to `SQLSTATE 40P01: deadlock detected`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

const PREFIX: &str = "SQLSTATE ";
const SEPARATOR: &str = ": ";
const CODE_LENGTH: usize = 5;

/// Takes the code off a text that begins with it.
pub(crate) fn split(text: &str) -> (Option<&str>, &str) {
    let parts = text
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_at_checked(CODE_LENGTH))
        .and_then(|(code, rest)| Some((code, rest.strip_prefix(SEPARATOR)?)));
    match parts {
        Some((code, rest)) if is_code(code.as_bytes()) => (Some(code), rest),
        _ => (None, text),
    }
}

/// The first code within a text of others, such as that of diesel's migrations.
pub(crate) fn find(text: &str) -> Option<&str> {
    text.match_indices(PREFIX)
        .find_map(|(start, _)| text.get(start..).and_then(|rest| split(rest).0))
}

fn is_code(bytes: &[u8]) -> bool {
    bytes.len() == CODE_LENGTH
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The type of an error response.
const ERROR: u8 = b'E';
/// Type and length of a message.
const HEADER: usize = 5;
/// A longer error response is passed on as it is. Also the length that the error of an old server without a header
/// seems to have.
const LONGEST_ERROR: usize = 64 * 1024;
const READ_AT_ONCE: usize = 8 * 1024;

/// A stream from the server in which error responses have their SQLSTATE in front of their texts. Everything else goes
/// straight into the reader's buffer.
pub(crate) struct Coded<S> {
    inner: S,
    channel_binding: fn(&S) -> ChannelBinding,
    messages: Messages,
}

impl<S> Coded<S> {
    /// A stream that begins with the first message of the server.
    pub(crate) fn new(inner: S, channel_binding: fn(&S) -> ChannelBinding) -> Self {
        Self {
            inner,
            channel_binding,
            messages: Messages::default(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { inner, messages, .. } = &mut *self;
        loop {
            if messages.give(buffer) {
                return Poll::Ready(Ok(()));
            }
            if messages.holds_some() {
                let mut bytes = [0; READ_AT_ONCE];
                let mut more = ReadBuf::new(&mut bytes);
                ready!(Pin::new(&mut *inner).poll_read(context, &mut more))?;
                if more.filled().is_empty() {
                    messages.end();
                } else {
                    messages.hold(more.filled());
                }
            } else {
                let start = buffer.filled().len();
                ready!(Pin::new(&mut *inner).poll_read(context, buffer))?;
                let new = buffer.filled().get(start..).unwrap_or_default();
                match messages.pass(new) {
                    // All of it, or nothing because the stream has ended.
                    None => return Poll::Ready(Ok(())),
                    Some(error) => {
                        messages.hold(new.get(error..).unwrap_or_default());
                        buffer.set_filled(start + error);
                        if error > 0 {
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Coded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        (self.channel_binding)(&self.inner)
    }
}

/// Where the stream is in the messages of the server.
#[derive(Debug, Default)]
struct Messages {
    place: Place,
    /// The bytes read from the beginning of an error response on.
    held: Vec<u8>,
    /// The bytes for the reader, and how much of it already was.
    ready: Vec<u8>,
    given: usize,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a header of which this much has passed.
    Header { bytes: [u8; HEADER], passed: usize },
    /// In the body of a message of which this much is left.
    Body { left: usize },
    /// Somewhere: the server does not send messages.
    Lost,
}

impl Default for Place {
    fn default() -> Self {
        Self::START
    }
}

impl Place {
    const START: Self = Self::Header {
        bytes: [0; HEADER],
        passed: 0,
    };

    /// After a header.
    fn after(header: [u8; HEADER]) -> Self {
        match body_length(header) {
            Some(0) => Self::START,
            Some(left) => Self::Body { left },
            None => Self::Lost,
        }
    }
}

/// The length in a header counts itself.
fn body_length([_, length @ ..]: [u8; HEADER]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(length))
        .ok()?
        .checked_sub(HEADER - 1)
}

impl Messages {
    /// Follows bytes that are passed on, up to an error response; returns where that begins.
    fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            match &mut self.place {
                Place::Lost => return None,
                Place::Body { left } => {
                    let step = rest.len().min(*left);
                    *left -= step;
                    position += step;
                    if *left == 0 {
                        self.place = Place::START;
                    }
                }
                Place::Header { passed: 0, .. } if rest.first() == Some(&ERROR) => return Some(position),
                Place::Header { bytes, passed } => {
                    let step = rest.len().min(HEADER - *passed);
                    for (to, from) in bytes.iter_mut().skip(*passed).zip(rest) {
                        *to = *from;
                    }
                    *passed += step;
                    position += step;
                    if *passed == HEADER {
                        self.place = Place::after(*bytes);
                    }
                }
            }
        }
        None
    }

    fn holds_some(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes bytes that begin with an error response, or follow what is held.
    fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while let Some(length) = self.next_length() {
            let rest = self.held.split_off(length);
            let bytes = std::mem::replace(&mut self.held, rest);
            match with_code(&bytes) {
                Some(rewritten) => self.ready.extend_from_slice(&rewritten),
                None => self.ready.extend_from_slice(&bytes),
            }
        }
    }

    /// How many of the bytes that are held can be let go: a whole error response, or what is none.
    fn next_length(&mut self) -> Option<usize> {
        if self.held.is_empty() {
            return None;
        }
        let held = std::mem::take(&mut self.held);
        let error = self.pass(&held);
        self.held = held;
        match error {
            None => Some(self.held.len()),
            Some(0) => {
                let header = self.held.first_chunk::<HEADER>()?;
                match body_length(*header) {
                    Some(body) if body <= LONGEST_ERROR => {
                        let length = HEADER + body;
                        (length <= self.held.len()).then_some(length)
                    }
                    // Too long to be kept, or no message at all: the rest passes as it is.
                    _ => {
                        self.place = Place::after(*header);
                        if let Place::Body { left } = &mut self.place {
                            let here = (self.held.len() - HEADER).min(*left);
                            *left -= here;
                            if *left == 0 {
                                self.place = Place::START;
                            }
                            return Some(HEADER + here);
                        }
                        Some(self.held.len())
                    }
                }
            }
            Some(before) => Some(before),
        }
    }

    /// The stream ends within an error response.
    fn end(&mut self) {
        self.place = Place::Lost;
        self.ready.append(&mut self.held);
    }

    /// Gives the reader what is ready; whether there was something.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = self.ready.get(self.given..).unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
        let part = rest.get(..buffer.remaining()).unwrap_or(rest);
        buffer.put_slice(part);
        self.given += part.len();
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
        true
    }
}

/// The error response with its code in front of its text; `None` if it has none, or is no error response.
fn with_code(message: &[u8]) -> Option<Vec<u8>> {
    const SQLSTATE: u8 = b'C';
    const TEXT: u8 = b'M';
    let (header, body) = message.split_first_chunk::<HEADER>()?;
    if header.first() != Some(&ERROR) || body_length(*header) != Some(body.len()) {
        return None;
    }
    let code = fields(body).find(|(kind, _)| *kind == SQLSTATE)?.1;
    if !is_code(code) {
        return None;
    }
    let mut rewritten = Vec::with_capacity(message.len() + PREFIX.len() + CODE_LENGTH + SEPARATOR.len());
    rewritten.extend_from_slice(header);
    for (kind, value) in fields(body) {
        rewritten.push(kind);
        if kind == TEXT {
            rewritten.extend_from_slice(PREFIX.as_bytes());
            rewritten.extend_from_slice(code);
            rewritten.extend_from_slice(SEPARATOR.as_bytes());
        }
        rewritten.extend_from_slice(value);
        rewritten.push(0);
    }
    rewritten.push(0);
    // A body that is not made of fields alone is none of an error response.
    let added = PREFIX.len() + CODE_LENGTH + SEPARATOR.len();
    if rewritten.len() != message.len() + added {
        return None;
    }
    let length = i32::try_from(rewritten.len() - 1).ok()?;
    rewritten
        .get_mut(1..HEADER)?
        .copy_from_slice(&length.to_be_bytes());
    Some(rewritten)
}

/// Types and values of the fields of an error response.
fn fields(mut body: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (kind, rest) = body.split_first().filter(|(kind, _)| **kind != 0)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (value, rest) = rest.split_at_checked(end)?;
        body = rest.get(1..)?;
        Some((*kind, value))
    })
}

#[cfg(test)]
mod tests;
