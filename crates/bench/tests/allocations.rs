//! How often a request allocates memory, with the product's defaults, over PostgreSQL: a guard that does not depend on
//! how fast a machine is. A caller who goes beyond a budget finds out why before raising it; anyone who falls well
//! below it lowers it.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use adapters_http::policy::Policy;
use adapters_http::readiness::Readiness;
use adapters_http::server::{listeners, serve};
use adapters_http::state::App;
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use adapters_postgres::{DatabaseUrl, PostgresDatabase, PostgresSettings};
use api_actix::clock_and_ids::{RandomTaskIds, SystemClock};
use bench::data::{Storage, Tokens, user};
use bench::operations::write_request;
use domain::task::TaskService;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SECRET: &str = "a secret of at least thirty-two bytes";
const DATABASE: &str = "allocations";
const NEW_TASK: &str =
    r#"{"title":"A title of an ordinary length","description":"A description that says more."}"#;
/// How many allocations (moves of what grows included) one request may take: the method, the target, the budget.
const BUDGETS: [(&str, &str, usize); 4] = [
    ("GET", "/api/tasks/{id}", 72),
    ("GET", "/api/tasks?limit=50", 360),
    ("POST", "/api/tasks", 88),
    ("PUT", "/api/tasks/{id}", 94),
];
const WARM_UP: usize = 50;
const REQUESTS: usize = 200;

#[test]
#[ignore = "needs PostgreSQL"]
fn a_request_allocates_no_more_often_than_its_budget_allows() {
    let (_storage, database) = runtime().block_on(async {
        let storage = Storage::start().await.expect("a PostgreSQL");
        storage.create(DATABASE).await.expect("a database");
        let database = PostgresDatabase::new(PostgresSettings {
            url: DatabaseUrl::parse(&storage.url(DATABASE)).expect("a URL"),
            migration_url: None,
            reload: None,
            authorities: || unreachable!("the address demands no TLS"),
            connect_timeout: None,
            acquire_timeout: Duration::from_secs(10),
            work_lane_size: 2,
            max_in_flight: 10,
        });
        database.migrate().await.expect("tables");
        (storage, database)
    });
    let (server, address) = serve_in_background(database);
    let mut client = Client::of(address);
    for _ in 0..100 {
        client.ask("POST", "/api/tasks", Some(NEW_TASK));
    }
    let id = client.newest_id();
    let mut each_takes = Vec::new();
    let mut is_within = true;
    for (method, target, budget) in BUDGETS {
        let target = target.replace("{id}", &id);
        let body = (method != "GET").then_some(NEW_TASK);
        let request = client.request(method, &target, body);
        for _ in 0..WARM_UP {
            client.exchange(&request);
        }
        let region = Region::new(ALLOCATOR);
        for _ in 0..REQUESTS {
            client.exchange(&request);
        }
        let change = region.change();
        let each = (change.allocations + change.reallocations) / REQUESTS;
        is_within &= each <= budget;
        each_takes.push(format!("{method} {target}: {each}, budget {budget}"));
    }
    runtime().block_on(server.stop(false));
    assert!(is_within, "{each_takes:#?}");
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime")
}

/// The real server with one worker, in a thread of this process: its allocations are ours.
fn serve_in_background(database: PostgresDatabase) -> (ServerHandle, SocketAddr) {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listeners = listeners(("127.0.0.1", 0)).expect("a free port");
            let address = listeners.first().expect("one").local_addr().expect("an address");
            let policy = Policy::default();
            let running = serve(listeners, 1, policy.time_limits, move || app(&database)).expect("a server");
            sender
                .send((running.handle(), address))
                .expect("a test that waits");
            running.await.expect("a server that ends well");
        });
    });
    receiver.recv().expect("a server")
}

fn app(database: &PostgresDatabase) -> App {
    let settings = VerifierSettings {
        secrets: vec![SharedSecret::new(SECRET.into()).expect("a secret")],
        ..VerifierSettings::default()
    };
    let repository = Arc::new(database.worker());
    App {
        tasks: TaskService::new(
            repository.clone(),
            Arc::new(SystemClock),
            Arc::new(RandomTaskIds::default()),
        ),
        tokens: Arc::new(JwtVerifier::new(settings, Arc::new(SystemClock))),
        storage: repository,
        readiness: Readiness::default(),
        lifecycle: Arc::default(),
        policy: Policy::default(),
        observers: Arc::default(),
    }
}

/// A client that allocates nothing while it exchanges.
struct Client {
    stream: TcpStream,
    bearer: String,
    received: Vec<u8>,
}

impl Client {
    fn of(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server");
        let time_limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(time_limit).expect("a time limit");
        Self {
            stream,
            bearer: Tokens::new(SECRET).bearer(&user(0)).expect("a token"),
            received: vec![0; 1024 * 1024],
        }
    }

    fn request(&self, method: &str, target: &str, body: Option<&str>) -> Vec<u8> {
        let mut request = Vec::new();
        write_request(&mut request, method, target, Some(&self.bearer), body);
        request
    }

    fn ask(&mut self, method: &str, target: &str, body: Option<&str>) -> usize {
        let request = self.request(method, target, body);
        self.exchange(&request)
    }

    /// Sends a request and reads its answer to the end; returns its length.
    fn exchange(&mut self, request: &[u8]) -> usize {
        self.stream.write_all(request).expect("a server that reads");
        let mut length = 0;
        loop {
            let room = self.received.get_mut(length..).expect("room");
            let read = self.stream.read(room).expect("an answer");
            assert!(read > 0, "the connection ended");
            length += read;
            let answer = self.received.get(..length).expect("what was read");
            let is_good = answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 201");
            assert!(is_good, "{}", String::from_utf8_lossy(answer));
            if is_whole(answer) {
                return length;
            }
        }
    }

    fn newest_id(&mut self) -> String {
        let length = self.ask("GET", "/api/tasks?limit=1", None);
        let answer =
            String::from_utf8_lossy(self.received.get(..length).expect("what was read")).into_owned();
        let (_, rest) = answer.split_once("\"id\":\"").expect("a task");
        rest.get(..36).expect("an id").to_owned()
    }
}

/// Whether the body is as long as the head says. Allocates nothing.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let (head, body) = answer.split_at(end + 4);
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim_end().parse::<usize>().ok())?
    });
    length == Some(body.len())
}
