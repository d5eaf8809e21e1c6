//! A connection of the test's own, for what no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::net::TcpSocket;

use crate::answer::Answer;
use crate::api::Api;
use crate::description::{description, is_refusal_of_the_parser};

fn address_of(api: &Api) -> &str {
    api.url().strip_prefix("http://").expect("an HTTP address")
}

/// How long a server may take for anything.
const TIMEOUT: Duration = Duration::from_secs(20);

/// HTTP/1.1, byte by byte. It blocks the thread of the test, which the server does not need.
pub struct Wire {
    stream: TcpStream,
    /// A good token of Alice.
    token: String,
    /// Since the last answer.
    sent: Vec<u8>,
    received: Vec<u8>,
    pause: Duration,
}

impl Wire {
    /// A connection to that API.
    #[must_use]
    pub fn to(api: &Api) -> Self {
        Self::over(TcpStream::connect(address_of(api)).expect("a connection"), api)
    }

    /// A connection on which the operating system takes in hardly anything ahead of the test.
    pub async fn with_a_small_window(api: &Api) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let address = address_of(api).parse().expect("an address");
        let stream = socket.connect(address).await.expect("a connection");
        let stream = stream.into_std().expect("a stream");
        stream.set_nonblocking(false).expect("a stream that blocks");
        Self::over(stream, api)
    }

    fn over(stream: TcpStream, api: &Api) -> Self {
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time limit");
        Self {
            stream,
            token: api.tokens().good("alice"),
            sent: Vec::new(),
            received: Vec::new(),
            pause: Duration::ZERO,
        }
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.sent.extend_from_slice(bytes.as_ref());
        self.stream
            .write_all(bytes.as_ref())
            .expect("a server that reads");
    }

    /// Sends the head of a request of Alice, with these lines besides `Host` and `Authorization`.
    pub fn send_head(&mut self, request_line: &str, lines: &[&str]) {
        let token = &self.token;
        let mut head = format!("{request_line} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n");
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.send(head);
    }

    /// Says that nothing more will be sent, and can still read.
    pub fn close_half(&self) {
        self.stream.shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Sends a part of a body in the chunked coding; an empty part ends the body.
    pub fn send_chunk(&mut self, part: &[u8]) {
        self.send(format!("{:x}\r\n", part.len()));
        self.send(part);
        self.send("\r\n");
    }

    /// Reads one answer. It must be one that the OpenAPI document describes, unless the parser has refused what was
    /// sent.
    pub fn answer(&mut self) -> Answer {
        let answer = self.raw_answer();
        if !answer.status.is_informational() && !is_refusal_of_the_parser(&answer) {
            let (method, path) = self.asked();
            description().expects(&method, &path, &answer);
            self.sent.clear();
        }
        answer
    }

    /// Reads one answer, to whatever; its length is announced by `Content-Length`.
    pub fn raw_answer(&mut self) -> Answer {
        let head = self.read_until(|received| {
            let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
            Some(end + 4)
        });
        let head = String::from_utf8(head).expect("a head of text");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.expect("a status").parse::<StatusCode>();
        let headers: HeaderMap = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| {
                let name = HeaderName::try_from(name).expect("the name of a header");
                (name, HeaderValue::from_str(value.trim()).expect("a header"))
            })
            .collect();
        let length = headers.get("content-length").map_or(0, |length| {
            length.to_str().expect("text").parse().expect("a length")
        });
        let body = self.read_until(|received| (received.len() >= length).then_some(length));
        Answer {
            status: status.expect("a status"),
            headers,
            body: String::from_utf8(body).expect("a body of text"),
        }
    }

    /// The request that is to be answered next.
    fn asked(&self) -> (Method, String) {
        let sent = String::from_utf8_lossy(&self.sent);
        let mut words = sent.split(' ');
        let method = words.next().expect("a method").parse();
        let target = words.next().expect("a target");
        let path = target.split('?').next().expect("a path");
        (method.expect("a method"), path.to_owned())
    }

    /// Every answer, to whatever, until the server closes the connection.
    pub fn raw_answers_until_closed(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while !self.received.is_empty() || self.receive() {
            answers.push(self.raw_answer());
        }
        answers
    }

    /// Whether the server says nothing more and closes the connection, be it in the middle of what we send.
    pub fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.receive()
    }

    /// Sends this again and again until the server closes the connection, and returns how long that took.
    pub fn trickle_until_closed(&mut self, part: &str) -> Duration {
        let started = Instant::now();
        let brief = Some(Duration::from_millis(20));
        self.stream.set_read_timeout(brief).expect("a time limit");
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                _ => assert!(started.elapsed() < TIMEOUT, "the connection is still open"),
            }
            // If this fails, the next look says why.
            let _ = self.stream.write_all(part.as_bytes());
        }
        started.elapsed()
    }

    /// Takes in so many bytes after each pause, until the server has closed the connection.
    pub fn take_in_until_closed(&mut self, bytes: usize, pause: Duration) {
        let started = Instant::now();
        let mut part = vec![0; bytes];
        loop {
            std::thread::sleep(pause);
            // What was sent before the end may still be read, so the other direction tells that it has come.
            if !matches!(self.stream.read(&mut part), Ok(1..)) || self.stream.write_all(b"\r\n").is_err() {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "the connection is still open");
        }
    }

    /// Sends this again and again, without reading anything, until the connection is gone.
    pub fn send_until_refused(&mut self, part: &str) {
        let started = Instant::now();
        while self.stream.write_all(part.as_bytes()).is_ok() {
            assert!(started.elapsed() < TIMEOUT, "the connection is still open");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// From now on waits for so long before it takes in more.
    pub fn pause_between_reads(&mut self, pause: Duration) {
        self.pause = pause;
    }

    fn read_until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        loop {
            if let Some(end) = end(&self.received) {
                let rest = self.received.split_off(end);
                return std::mem::replace(&mut self.received, rest);
            }
            let so_far = self.received.len();
            assert!(self.receive(), "the answer ends too early, after {so_far} bytes");
        }
    }

    /// Waits for more; `false` if there is none.
    fn receive(&mut self) -> bool {
        let mut part = [0; 16_384];
        std::thread::sleep(self.pause);
        match self.stream.read(&mut part) {
            Ok(count) => {
                self.received.extend_from_slice(&part[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("neither an answer nor the end of the connection: {error}"),
        }
    }
}
