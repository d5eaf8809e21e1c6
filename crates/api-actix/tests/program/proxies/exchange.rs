//! One request and its answer: by curl, which speaks every version of HTTP.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::proxy;
use crate::support::Answer;

/// The curl of this machine.
pub(crate) struct Curl {
    program: PathBuf,
    speaks_http_2: bool,
}

/// A version of HTTP between the client and the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
}

/// What is sent, and how.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) version: Version,
    /// Whether the client takes coded answers, which are decoded here.
    pub(crate) is_compressed: bool,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
}

impl Curl {
    /// The program, or the reason for which there is none.
    pub(crate) fn find() -> Result<Self, String> {
        let program = proxy::program("curl").ok_or("needs curl on PATH")?;
        let output = Command::new(&program).arg("--version").output();
        let output = output.map_err(|error| format!("curl: {error}"))?;
        let speaks_http_2 = String::from_utf8_lossy(&output.stdout).contains("HTTP2");
        Ok(Self {
            program,
            speaks_http_2,
        })
    }

    /// Those that it speaks.
    pub(crate) fn versions(&self) -> &'static [Version] {
        const ALL: [Version; 3] = [Version::Http10, Version::Http11, Version::Http2];
        if self.speaks_http_2 { &ALL } else { &ALL[..2] }
    }

    /// The answer, which must be whole.
    pub(crate) async fn sends(&self, request: &Request) -> Answer {
        let version = match request.version {
            Version::Http10 => "--http1.0",
            Version::Http11 => "--http1.1",
            Version::Http2 => "--http2-prior-knowledge",
        };
        let mut command = Command::new(&self.program);
        command
            // First, or a file in the home folder of whoever runs the tests counts.
            .args([
                "--disable",
                "--silent",
                "--show-error",
                "--include",
                "--noproxy",
                "*",
            ])
            .args(["--max-time", "20", version, "--header", "Expect:"]);
        if request.method == "HEAD" {
            command.arg("--head");
        } else {
            command.args(["--request", request.method]);
        }
        if request.is_compressed {
            command.arg("--compressed");
        }
        for (name, value) in &request.headers {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        if request.body.is_some() {
            command.args(["--data-binary", "@-"]);
        }
        command
            .arg(&request.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let body = request.body.clone().unwrap_or_default();
        let running = tokio::task::spawn_blocking(move || {
            let mut curl = command.spawn()?;
            // It closes with the statement.
            curl.stdin.take().expect("a pipe").write_all(body.as_bytes())?;
            curl.wait_with_output()
        });
        let output = running.await.expect("a thread").expect("running curl");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{complaint}: {request:?}");
        answer_of(&output.stdout)
    }
}

/// The last head, and what is behind it.
fn answer_of(output: &[u8]) -> Answer {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = output.split_at(end.expect("a head") + 4);
    let head = std::str::from_utf8(head).expect("a head of text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status: StatusCode = status.expect("a status").parse().expect("a status");
    if status.is_informational() {
        return answer_of(body);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name = HeaderName::try_from(name).expect("the name of a header");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("a header"));
    }
    Answer {
        status,
        headers,
        body: String::from_utf8(body.to_owned()).expect("a body of text"),
    }
}
