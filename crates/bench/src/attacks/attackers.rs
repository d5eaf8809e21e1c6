//! The behaviour of the one odd client or greedy user, until told to stop.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::attack::Attack;
use super::tally::{Fate, Tally};
use crate::http::Connection;
use crate::operations::write_request;

/// A search that nothing matches, so that every text is looked at.
const SEARCH: &str = "q=no%20task%20says%20this";
/// The least that a receiver may have room for.
const TINY: u32 = 4_096;
/// How long a search may run before no one wants its answer any more: it has begun by then.
const BEGUN: Duration = Duration::from_millis(20);
/// How much a slow reader takes at once, and how often.
const SLOW_PART: usize = 128 * 1024;
const SLOW_PAUSE: Duration = Duration::from_secs(25);

/// Becomes true when an attack is to end.
pub type Stop = watch::Receiver<bool>;

/// Who attacks whom.
#[derive(Debug, Clone)]
pub struct Attacker {
    /// Where the server listens.
    pub server: SocketAddr,
    /// The `Authorization` of a user with many long tasks.
    pub long_tasks: String,
    /// That of a user with 500 tasks of the most bytes that there can be.
    pub wide_tasks: String,
    /// That of a user with a hundred ordinary tasks.
    pub ordinary: String,
    /// Those tasks.
    pub ordinary_tasks: Vec<String>,
}

impl Attacker {
    /// Attacks until told to stop, and tells what became of what was asked.
    pub async fn run(self, attack: Attack, stop: Stop) -> Tally {
        let work = Work {
            attacker: &self,
            tally: RefCell::default(),
            changes: Cell::new(0),
        };
        match attack {
            Attack::Processor2 | Attack::Processor4 | Attack::Processor16 => {
                compute(attack.computing_threads(), stop).await;
            }
            Attack::UnreadPages => work.hold_pages(200, None, stop).await,
            Attack::SlowReaders => work.hold_pages(20, Some(SLOW_PAUSE), stop).await,
            _ => until(stop, work.repeat(attack)).await,
        }
        work.tally.into_inner()
    }
}

/// Does something until told to stop.
async fn until(mut stop: Stop, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|is_over| *is_over) => {}
    }
}

async fn compute(threads: usize, mut stop: Stop) {
    for _ in 0..threads {
        let stop = stop.clone();
        std::thread::spawn(move || {
            while !*stop.borrow() {
                for _ in 0..10_000 {
                    std::hint::spin_loop();
                }
            }
        });
    }
    let _ = stop.wait_for(|is_over| *is_over).await;
}

struct Work<'a> {
    attacker: &'a Attacker,
    tally: RefCell<Tally>,
    changes: Cell<u64>,
}

impl Work<'_> {
    /// What goes on without end.
    async fn repeat(&self, attack: Attack) {
        let long = |method, target: &str| self.long(method, target);
        match attack {
            Attack::Http10 => self.health_checks(1, Duration::from_millis(20), false).await,
            Attack::Http10Many => {
                let kept = self.health_checks(8, Duration::from_millis(1), true);
                tokio::join!(self.health_checks(8, Duration::from_millis(5), false), kept);
            }
            Attack::Searches => self.ask(16, &long("GET", &format!("?{SEARCH}"))).await,
            Attack::SearchesClosed => self.abandon_searches(Duration::from_millis(200), false).await,
            Attack::SearchesReset => self.abandon_searches(Duration::from_millis(200), true).await,
            Attack::Pooler => self.abandon_searches(Duration::from_millis(50), true).await,
            Attack::Heads => self.ask(64, &long("HEAD", "?limit=500")).await,
            Attack::Pages => self.ask(64, &long("GET", "?limit=500")).await,
            Attack::Sorts => self.ask(16, &long("GET", "?sort=title")).await,
            Attack::Counts => {
                self.ask(16, &long("GET", &format!("?count=exact&limit=1&{SEARCH}")))
                    .await;
            }
            Attack::Summaries => self.ask(16, &long("GET", "/summary")).await,
            Attack::Deletes => self.ask(16, &long("DELETE", "?status=completed")).await,
            Attack::PutsOneRow => self.put_one_row(256).await,
            Attack::Gets => self.ask(256, &self.ordinary("GET", 0)).await,
            Attack::Crowd => self.crowd().await,
            // No one asks for anything: the network is what is odd, or these are done elsewhere.
            Attack::HalfOpen
            | Attack::Processor2
            | Attack::Processor4
            | Attack::Processor16
            | Attack::UnreadPages
            | Attack::SlowReaders => std::future::pending().await,
        }
    }

    fn note(&self, fate: Fate) {
        self.tally.borrow_mut().add(fate);
    }

    fn long(&self, method: &str, rest: &str) -> Vec<u8> {
        let mut request = Vec::new();
        let target = format!("/api/tasks{rest}");
        write_request(
            &mut request,
            method,
            &target,
            Some(&self.attacker.long_tasks),
            None,
        );
        request
    }

    /// A request about one of the ordinary tasks.
    fn ordinary(&self, method: &str, task: usize) -> Vec<u8> {
        let tasks = &self.attacker.ordinary_tasks;
        let task = tasks.get(task % tasks.len().max(1)).map_or("", String::as_str);
        let body = (method == "PUT").then(|| self.body());
        self.of_ordinary(method, &format!("/{task}"), body.as_deref())
    }

    fn of_ordinary(&self, method: &str, rest: &str, body: Option<&str>) -> Vec<u8> {
        let mut request = Vec::new();
        let target = format!("/api/tasks{rest}");
        write_request(&mut request, method, &target, Some(&self.attacker.ordinary), body);
        request
    }

    /// A task whose title no one has sent before, so that each change is a real one.
    fn body(&self) -> String {
        let number = self.changes.replace(self.changes.get() + 1);
        format!(r#"{{"title":"Change {number}","description":"Something else.","status":"in_progress"}}"#)
    }

    /// The same request on so many connections, each time as soon as the answer is there.
    async fn ask(&self, connections: usize, request: &[u8]) {
        self.on_connections(connections, || request.to_vec()).await;
    }

    async fn put_one_row(&self, connections: usize) {
        self.on_connections(connections, || self.ordinary("PUT", 0)).await;
    }

    async fn on_connections(&self, connections: usize, next: impl Fn() -> Vec<u8>) {
        let clients = (0..connections).map(|_| async {
            let mut connection = None;
            loop {
                let fate = self.exchange(&mut connection, &next()).await;
                self.note(fate);
                if fate == Fate::Broken {
                    // A caller who is refused comes again, but not in a loop that leaves nothing to the others.
                    sleep(Duration::from_millis(10)).await;
                }
            }
        });
        let _: Vec<()> = join_all(clients).await;
    }

    async fn exchange(&self, connection: &mut Option<Connection>, request: &[u8]) -> Fate {
        let exchanging = async {
            let open = match connection.take() {
                Some(open) => open,
                None => Connection::open(self.attacker.server).await?,
            };
            let open = connection.insert(open);
            let answer = if request.starts_with(b"HEAD ") {
                open.exchange_head(request).await?
            } else {
                open.exchange(request).await?
            };
            Ok::<_, io::Error>(answer.status)
        };
        if let Ok(status) = exchanging.await {
            return Fate::Status(status);
        }
        *connection = None;
        Fate::Broken
    }

    /// Asks whether the server lives, in the words of HTTP/1.0.
    async fn health_checks(&self, clients: usize, pause: Duration, is_kept: bool) {
        let request: &[u8] = if is_kept {
            b"GET /livez HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
        } else {
            b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n"
        };
        let clients = (0..clients).map(|_| async {
            let mut connection = None;
            loop {
                self.note(self.exchange(&mut connection, request).await);
                if !is_kept {
                    connection = None;
                }
                sleep(pause).await;
            }
        });
        let _: Vec<()> = join_all(clients).await;
    }

    /// Searches whose answers no one waits for.
    async fn abandon_searches(&self, every: Duration, is_reset: bool) {
        let request = self.long("GET", &format!("?{SEARCH}"));
        let mut timer = tokio::time::interval(every);
        loop {
            timer.tick().await;
            let abandoning = async {
                let mut stream = TcpStream::connect(self.attacker.server).await?;
                stream.write_all(&request).await?;
                sleep(BEGUN).await;
                if is_reset {
                    stream.set_zero_linger()?;
                }
                Ok::<_, io::Error>(())
            };
            self.note(abandoning.await.map_or(Fate::Broken, |()| Fate::Abandoned));
        }
    }

    /// A hundred requests of one user at once: tasks read, listed, created and changed.
    async fn crowd(&self) {
        let mut connections: Vec<Option<Connection>> = (0..100).map(|_| None).collect();
        loop {
            let requests = connections.iter_mut().enumerate().map(|(number, connection)| {
                let request = match number % 4 {
                    0 => self.ordinary("GET", number),
                    1 => self.of_ordinary("GET", "?limit=50", None),
                    2 => self.of_ordinary("POST", "", Some(&self.body())),
                    _ => self.ordinary("PUT", number),
                };
                async move { self.note(self.exchange(connection, &request).await) }
            });
            let _: Vec<()> = join_all(requests).await;
        }
    }

    /// Asks for the largest pages that there are, and takes nothing, or a little now and then.
    async fn hold_pages(&self, connections: usize, pause: Option<Duration>, stop: Stop) {
        let mut request = Vec::new();
        let bearer = Some(self.attacker.wide_tasks.as_str());
        write_request(&mut request, "GET", "/api/tasks?limit=500", bearer, None);
        let holders = (0..connections).map(|_| async {
            let fate = hold(self.attacker.server, &request, pause, stop.clone()).await;
            self.note(fate.unwrap_or(Fate::CutOff));
        });
        let _: Vec<()> = join_all(holders).await;
    }
}

/// Holds one answer until told to stop. An error is the end of the connection.
async fn hold(
    server: SocketAddr,
    request: &[u8],
    pause: Option<Duration>,
    mut stop: Stop,
) -> io::Result<Fate> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(TINY)?;
    let mut stream = socket.connect(server).await?;
    stream.write_all(request).await?;
    let mut part = vec![0; SLOW_PART];
    let mut status = None;
    loop {
        let is_over = tokio::select! {
            () = sleep(pause.unwrap_or(Duration::MAX)) => false,
            _ = stop.wait_for(|is_over| *is_over) => true,
        };
        // What has not arrived by now is not there.
        let mut taken = 0;
        while let Some(rest) = part.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            match timeout(Duration::from_millis(500), stream.read(rest)).await {
                Ok(Ok(0)) => return Ok(status.unwrap_or(Fate::CutOff)),
                Ok(read) => taken += read?,
                Err(_) => break,
            }
            // A page that was refused is told by its status; one that is held by its end only.
            status = status.or_else(|| refusal(&part));
            if is_over {
                break;
            }
        }
        if is_over {
            return Ok(status.unwrap_or(if taken == 0 { Fate::Silent } else { Fate::Held }));
        }
    }
}

/// The status of an answer that is not the page.
fn refusal(answer: &[u8]) -> Option<Fate> {
    let status = str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    (answer.starts_with(b"HTTP/1.1 ") && status != 200).then_some(Fate::Status(status))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_refused_page_is_known_by_its_status() {
        assert_eq!(
            refusal(b"HTTP/1.1 503 Service Unavailable\r\n"),
            Some(Fate::Status(503))
        );
        assert_eq!(refusal(b"HTTP/1.1 200 OK\r\n"), None);
        assert_eq!(refusal(b"{\"title\":\"x\"}"), None);
    }

    /// One connection that is answered and then treated as said, while an answer is held for a moment.
    async fn held(answer: &'static [u8], is_cut: bool) -> Fate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let (sender, stop) = watch::channel(false);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 64];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
            let kept = (!is_cut).then_some(stream);
            sleep(Duration::from_millis(100)).await;
            sender.send_replace(true);
            kept
        };
        let pause = Some(Duration::from_millis(30));
        let (fate, _kept) = tokio::join!(hold(server, b"GET", pause, stop), serving);
        fate.unwrap()
    }

    #[tokio::test]
    async fn whoever_holds_an_answer_knows_whether_it_was_cut_off_or_refused() {
        assert_eq!(held(b"HTTP/1.1 200 OK\r\n\r\nbegin", true).await, Fate::CutOff);
        let refused = held(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", true).await;
        assert_eq!(refused, Fate::Status(503));
        assert_eq!(held(b"", false).await, Fate::Silent);
    }

    #[tokio::test]
    async fn an_attack_ends_when_it_is_told_to() {
        let (sender, stop) = watch::channel(false);
        let attacker = Attacker {
            // No one listens there.
            server: ([127, 0, 0, 1], 1).into(),
            long_tasks: String::new(),
            wide_tasks: String::new(),
            ordinary: String::new(),
            ordinary_tasks: Vec::new(),
        };
        for attack in Attack::ALL {
            sender.send_replace(false);
            let stopping = async {
                sleep(Duration::from_millis(20)).await;
                sender.send_replace(true);
            };
            let (tally, ()) = tokio::join!(attacker.clone().run(*attack, stop.clone()), stopping);
            assert_eq!(
                tally.count(|fate| matches!(fate, Fate::Status(_))),
                0,
                "{attack:?}"
            );
        }
    }
}
