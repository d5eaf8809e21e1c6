//! Spans, from an incoming `traceparent` to the database, as a collector receives them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Watched, until};
use crate::support::{SECRET, TaskApi};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

/// A field of a protobuf message: its number, and its bytes if it has some.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => varint(&mut message).to_le_bytes().to_vec(),
            1 => take(&mut message, 8),
            2 => {
                let length = varint(&mut message);
                take(&mut message, usize::try_from(length).expect("a length"))
            }
            5 => take(&mut message, 4),
            other => panic!("no wire type: {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(message, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn take(message: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, rest) = message.split_at(length);
    *message = rest;
    taken.to_vec()
}

fn all(message: &[u8], number: u64) -> impl Iterator<Item = Vec<u8>> {
    let fields = fields(message).into_iter();
    fields
        .filter(move |(field, _)| *field == number)
        .map(|(_, value)| value)
}

fn text(message: &[u8], number: u64) -> String {
    String::from_utf8(all(message, number).next().unwrap_or_default()).expect("text")
}

fn hex(message: &[u8], number: u64) -> String {
    let bytes = all(message, number).next().unwrap_or_default();
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn number(message: &[u8], field: u64) -> u64 {
    let bytes = all(message, field).next().unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A span as a collector learns of it (`opentelemetry/proto/trace/v1/trace.proto`).
#[derive(Debug, Clone)]
struct Span {
    service: String,
    trace_id: String,
    id: String,
    parent_id: String,
    name: String,
    kind: u64,
    start: u64,
    end: u64,
    attributes: Vec<(String, String)>,
    status: u64,
}

const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

impl Span {
    fn read(service: &str, span: &[u8]) -> Self {
        Self {
            service: service.to_owned(),
            trace_id: hex(span, 1),
            id: hex(span, 2),
            parent_id: hex(span, 4),
            name: text(span, 5),
            kind: number(span, 6),
            start: number(span, 7),
            end: number(span, 8),
            attributes: attributes(span, 9),
            status: all(span, 15).next().map_or(0, |status| number(&status, 3)),
        }
    }

    fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

fn attributes(message: &[u8], number_of_field: u64) -> Vec<(String, String)> {
    all(message, number_of_field)
        .map(|pair| {
            let value = all(&pair, 2).next().expect("a value");
            let is_text = fields(&value)[0].0 == 1;
            let value = if is_text {
                text(&value, 1)
            } else {
                number(&value, 3).to_string()
            };
            (text(&pair, 1), value)
        })
        .collect()
}

fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in all(request, 1) {
        let resource = all(&resource_spans, 1).next().expect("a resource");
        let service = attributes(&resource, 1)
            .into_iter()
            .find(|(name, _)| name == "service.name")
            .map_or_else(String::new, |(_, name)| name);
        for scope_spans in all(&resource_spans, 2) {
            spans.extend(all(&scope_spans, 2).map(|span| Span::read(&service, &span)));
        }
    }
    spans
}

/// Takes spans over HTTP, as a collector does.
struct Collector {
    endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let received = Arc::clone(&spans);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let received = Arc::clone(&received);
                std::thread::spawn(move || serve(&stream, &received));
            }
        });
        Self { endpoint, spans }
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("the spans").clone()
    }
}

fn serve(mut stream: &TcpStream, received: &Mutex<Vec<Span>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a connection"));
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let head = head.to_lowercase();
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.expect("a length").parse().expect("a number")];
        reader.read_exact(&mut body).expect("a body");
        received.lock().expect("the spans").extend(spans(&body));
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("a client that reads");
    }
}

async fn traced(settings: &[(&str, &str)]) -> (Watched, Collector) {
    let collector = Collector::start();
    let exporting = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let settings: Vec<_> = exporting.iter().chain(settings).copied().collect();
    (Watched::on_sqlite(&settings).await, collector)
}

async fn ask(watched: &Watched, user: &str, path: &str, traceparent: &str) -> reqwest::Response {
    let request = watched.api.user(user).request(reqwest::Method::GET, path);
    let request = request
        .header("traceparent", traceparent)
        .header("x-request-id", "the-traced-one");
    request.send().await.expect("an answer")
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE_ID}-{PARENT_ID}-{flags}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_caller_through_the_server_to_the_database() {
    let (watched, collector) = traced(&[]).await;
    let task = watched.api.user("alice").has_task("a private title").await;
    let path = format!("/api/tasks/{}?q=private", task["id"].as_str().expect("an id"));
    assert_eq!(
        ask(&watched, "alice", &path, &traceparent("01")).await.status(),
        200
    );
    let of_trace = || -> Vec<Span> {
        let mut spans = collector.spans();
        spans.retain(|span| span.trace_id == TRACE_ID);
        spans
    };
    until("three spans", async || of_trace().len() == 3).await;
    let spans = of_trace();
    let find = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("{name}: {spans:#?}"))
    };

    let server = find("GET /api/tasks/{task_id}");
    assert_eq!((server.kind, server.parent_id.as_str()), (SERVER, PARENT_ID));
    assert_eq!(server.service, "task-api");
    assert_eq!(server.attribute("http.request.method"), "GET");
    assert_eq!(server.attribute("http.route"), "/api/tasks/{task_id}");
    assert_eq!(server.attribute("http.response.status_code"), "200");
    assert_eq!(
        server.attribute("http.response.header.x-request-id"),
        "the-traced-one"
    );
    assert_eq!(server.status, 0);

    let token = find("verify token");
    let database = find("SELECT tasks");
    assert_eq!(database.kind, CLIENT);
    assert_eq!(database.attribute("db.system.name"), "sqlite");
    assert_eq!(database.attribute("db.operation.name"), "SELECT");
    for part in [token, database] {
        assert_eq!(part.parent_id, server.id);
        assert!(
            server.start <= part.start && part.start <= part.end && part.end <= server.end,
            "{spans:#?}"
        );
    }
    assert!(token.end <= database.start, "{spans:#?}");

    let text = format!("{:?}", collector.spans());
    for secret in ["alice", "private", SECRET] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_records_nothing_is_respected_and_one_who_says_nothing_starts_a_trace() {
    let (watched, collector) = traced(&[("ACCESS_LOG", "all")]).await;
    ask(&watched, "alice", "/api/tasks", &traceparent("00")).await;
    ask(&watched, "alice", "/api/tasks", "nothing of the kind").await;
    until("a trace of our own", async || collector.spans().len() == 3).await;
    let spans = collector.spans();
    let trace_id = &spans[0].trace_id;
    assert!(
        spans
            .iter()
            .all(|span| span.trace_id == *trace_id && *trace_id != TRACE_ID),
        "{spans:#?}"
    );
    // The log names the trace in both cases.
    for trace_id in [TRACE_ID, trace_id] {
        watched.binary.logs(&format!("\"trace_id\":\"{trace_id}\"")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_ours_marks_its_span_and_a_refused_token_marks_only_its_own() {
    let (watched, collector) = traced(&[]).await;
    watched.api.bearer("a.b.c").get("/api/tasks").await;
    until("two spans", async || collector.spans().len() == 2).await;
    let spans = collector.spans();
    let status = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .map(|span| span.status)
    };
    assert_eq!(status("verify token"), Some(ERROR), "{spans:#?}");
    assert_eq!(
        status("GET /api/tasks"),
        Some(0),
        "an error of the caller is none of ours"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sent_yet_is_sent_before_the_process_ends() {
    let (watched, collector) = traced(&[("OTEL_BSP_SCHEDULE_DELAY", "600000")]).await;
    watched.api.anonymous().get("/livez").await;
    assert!(collector.spans().is_empty());
    watched.binary.signal("TERM");
    assert_eq!(watched.binary.exit_code(Duration::from_secs(10)).await, Some(0));
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_stops_neither_requests_nor_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    // Nothing listens on port 1.
    let task_api = TaskApi::serve_on(&url).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let binary = task_api.start().await;
    let api = binary.api(crate::support::Storage::Sqlite);
    assert_eq!(api.user("alice").get("/api/tasks").await.status, 200);
    binary.signal("TERM");
    assert_eq!(binary.exit_code(Duration::from_secs(10)).await, Some(0));
}
