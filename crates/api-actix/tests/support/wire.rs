//! A connection of the test's own, for what no client library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};

use super::description::{description, is_refusal_of_the_parser};
use super::{Answer, Api, token_for};

/// HTTP/1.1, byte by byte. It blocks the thread of the test, which the server does not need.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Since the last answer.
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) fn to(api: &Api) -> Self {
        let address = api.url().strip_prefix("http://").expect("an HTTP address");
        let stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time limit");
        Self {
            stream,
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.sent.extend_from_slice(bytes.as_ref());
        self.stream
            .write_all(bytes.as_ref())
            .expect("a server that reads");
    }

    /// Sends the head of a request of Alice, with these lines besides `Host` and `Authorization`.
    pub(crate) fn send_head(&mut self, request_line: &str, lines: &[&str]) {
        let token = token_for("alice");
        let mut head = format!("{request_line} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n");
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.send(head);
    }

    /// Sends a part of a body in the chunked coding; an empty part ends the body.
    pub(crate) fn send_chunk(&mut self, part: &[u8]) {
        self.send(format!("{:x}\r\n", part.len()));
        self.send(part);
        self.send("\r\n");
    }

    /// Reads one answer; its length is announced by `Content-Length`. It must be one that the OpenAPI document describes, unless
    /// the parser has refused what was sent.
    pub(crate) fn answer(&mut self) -> Answer {
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
        let answer = Answer {
            status: status.expect("a status"),
            headers,
            body: String::from_utf8(body).expect("a body of text"),
        };
        if !answer.status.is_informational() && !is_refusal_of_the_parser(&answer) {
            let (method, path) = self.asked();
            description().expects(&method, &path, &answer);
            self.sent.clear();
        }
        answer
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

    /// Whether the server says nothing more and closes the connection, be it in the middle of what we send.
    pub(crate) fn is_closed(&mut self) -> bool {
        let is_end = match self.stream.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        self.received.is_empty() && is_end
    }

    fn read_until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        loop {
            if let Some(end) = end(&self.received) {
                let rest = self.received.split_off(end);
                return std::mem::replace(&mut self.received, rest);
            }
            let mut part = [0; 4096];
            let count = self.stream.read(&mut part).expect("an answer");
            assert_ne!(
                count,
                0,
                "the answer ends too early: {}",
                String::from_utf8_lossy(&self.received)
            );
            self.received.extend_from_slice(&part[..count]);
        }
    }
}
