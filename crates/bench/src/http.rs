//! One keep-alive connection of the load driver (HTTP/1.1, RFC 9112).
//!
//! Not a general client: the driver shares the cores with what it measures, so all that it may cost is one write, one
//! read and one look at the head for each request. It reads whole answers and says what it got.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More heads than that no server of ours sends.
const MAX_HEADERS: usize = 32;
/// Room for an answer, in bytes; larger ones make it grow.
const ROOM: usize = 64 * 1024;

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header, its name in any letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(self.head).ok()?;
        let value = find(response.headers, name)?;
        String::from_utf8(value.to_vec()).ok()
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// No one listens.
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(ROOM),
        })
    }

    /// Sends a request and reads the answer to its end.
    ///
    /// # Errors
    /// The connection ended, or the answer is none, or its length is not announced.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.exchange_for(request, Frame::of).await
    }

    /// The same for a HEAD, whose answer ends with its head whatever length it announces (RFC 9112, 6.3).
    ///
    /// # Errors
    /// The connection ended, or the answer is none.
    pub async fn exchange_head(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.exchange_for(request, Frame::of_head).await
    }

    async fn exchange_for(
        &mut self,
        request: &[u8],
        frame_of: fn(&[u8]) -> io::Result<Option<Frame>>,
    ) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let frame = loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match frame_of(&self.received)? {
                Some(frame) if frame.end() <= self.received.len() => break frame,
                _ => {}
            }
        };
        let (head, body) = self.received.split_at(frame.head_length);
        if body.len() != frame.body_length {
            return Err(invalid("the answer is longer than it announced"));
        }
        Ok(Answer {
            status: frame.status,
            head,
            body,
        })
    }
}

/// How an answer is laid out.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    status: u16,
    head_length: usize,
    body_length: usize,
}

impl Frame {
    /// `None` as long as the head is not complete.
    fn of(received: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response
            .parse(received)
            .map_err(|error| invalid(&error.to_string()))?;
        let httparse::Status::Complete(head_length) = parsed else {
            return Ok(None);
        };
        let status = response.code.unwrap_or_default();
        let body_length = match find(response.headers, "content-length") {
            Some(value) => str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| invalid("its Content-Length is no number"))?,
            // They never have a body (RFC 9112, 6.3).
            None if matches!(status, 204 | 304) => 0,
            None => return Err(invalid("it has no Content-Length")),
        };
        Ok(Some(Self {
            status,
            head_length,
            body_length,
        }))
    }

    /// The frame of an answer that has no body, whatever its head says of one.
    fn of_head(received: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response
            .parse(received)
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(match parsed {
            httparse::Status::Complete(head_length) => Some(Self {
                status: response.code.unwrap_or_default(),
                head_length,
                body_length: 0,
            }),
            httparse::Status::Partial => None,
        })
    }

    fn end(&self) -> usize {
        self.head_length + self.body_length
    }
}

fn find<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value)
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("an answer cannot be read: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn frame(text: &str) -> Option<Frame> {
        Frame::of(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_head_that_is_not_complete_says_nothing_yet() {
        assert_eq!(frame("HTTP/1.1 200 OK\r\nContent-Le"), None);
    }

    #[test]
    fn the_length_of_the_body_is_announced_in_any_letter_case() {
        let head = "HTTP/1.1 201 Created\r\ncontent-LENGTH: 5\r\n\r\n";
        let wanted = Frame {
            status: 201,
            head_length: head.len(),
            body_length: 5,
        };
        assert_eq!(frame(head), Some(wanted));
    }

    #[test]
    fn no_content_needs_no_length_and_everything_else_does() {
        assert_eq!(frame("HTTP/1.1 204 No Content\r\n\r\n").unwrap().body_length, 0);
        assert!(Frame::of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Frame::of(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
        assert!(Frame::of(b"SSH-2.0\r\n").is_err());
    }

    #[test]
    fn the_answer_to_a_head_ends_with_its_head() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let frame = Frame::of_head(head).unwrap().unwrap();
        assert_eq!((frame.status, frame.end()), (200, head.len()));
        assert_eq!(Frame::of_head(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
        assert!(
            Frame::of_head(b"HTTP/1.1 204 No Content\r\n\r\n")
                .unwrap()
                .is_some()
        );
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_read_to_its_end_and_the_next_one_apart_from_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 8];
            for body in ["first", "2nd"] {
                let read = stream.read(&mut request).await.unwrap();
                assert_eq!(&request[..read], b"ask");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nX-Name: v\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                for piece in answer.as_bytes().chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        };
        let client = async {
            let mut connection = Connection::open(address).await.unwrap();
            for body in ["first", "2nd"] {
                let answer = connection.exchange(b"ask").await.unwrap();
                assert_eq!((answer.status, answer.body), (200, body.as_bytes()));
                assert_eq!(answer.header("x-name").as_deref(), Some("v"));
            }
            let ended = connection.exchange(b"ask").await.unwrap_err();
            assert!(ended.kind() != io::ErrorKind::InvalidData, "{ended}");
        };
        tokio::join!(server, client);
    }
}
