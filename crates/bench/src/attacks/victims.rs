//! The others: a few users who read one task and create one, at a modest rate, on kept connections.
//!
//! There is a timetable, and it is kept whatever happens: a request that finds its user's connection busy goes on
//! another one, and counts from when it was due. So a stall is seen by every request that it meets, and not only by
//! the one that was under way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{sleep_until, timeout};

use super::tally::{Fate, Tally};
use crate::http::Connection;
use crate::operations::write_request;

/// How many connections a victim has for each kind of request, at most. Beyond that its requests wait.
const MOST_CONNECTIONS: usize = 16;
/// How long answers are waited for once the time is over.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);
/// How often a load balancer looks, and how long it waits.
const READY_EVERY: Duration = Duration::from_millis(500);
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// One of the others.
#[derive(Debug, Clone)]
pub struct Victim {
    /// The `Authorization` that it sends.
    pub bearer: String,
    /// A task that it has.
    pub task: String,
}

/// The request of a victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// One task by its id.
    Get,
    /// A new task.
    Post,
}

/// One request of a victim.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Whose it was.
    pub victim: usize,
    /// The request.
    pub request: Request,
    /// When.
    pub due: Instant,
    /// When its fate was known.
    pub done: Instant,
    /// Its fate.
    pub fate: Fate,
}

impl Sample {
    /// Whether it got what it asked for.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let wanted = match self.request {
            Request::Get => 200,
            Request::Post => 201,
        };
        self.fate == Fate::Status(wanted)
    }

    fn latency(&self) -> Duration {
        self.done.duration_since(self.due)
    }
}

/// The observations of the victims and a load balancer.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Every request of the victims.
    pub samples: Vec<Sample>,
    /// Every look at `/readyz`.
    pub readiness: Tally,
}

impl Seen {
    /// The latency that this share of the requests did not exceed, in milliseconds.
    #[must_use]
    pub fn milliseconds(&self, request: Request, share: f64) -> Option<f64> {
        let of_this_kind = self.samples.iter().filter(|sample| sample.request == request);
        let mut latencies: Vec<_> = of_this_kind.map(Sample::latency).collect();
        latencies.sort_unstable();
        let latency = latencies.get(rank(latencies.len(), share)?)?;
        Some(latency.as_secs_f64() * 1e3)
    }

    /// The fates of the requests that did not get what they asked for.
    #[must_use]
    pub fn failures(&self) -> Tally {
        let failed = self.samples.iter().filter(|sample| !sample.is_success());
        failed.map(|sample| sample.fate).collect()
    }

    /// How long after a moment every victim had got an answer as it wanted it to a request that was made after it.
    #[must_use]
    pub fn recovery_from(&self, request: Request, moment: Instant) -> Option<Duration> {
        // For each victim: when it first succeeded, if it did.
        let mut firsts: BTreeMap<usize, Option<Instant>> = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| sample.request == request) {
            let first = firsts.entry(sample.victim).or_default();
            if sample.due >= moment && sample.is_success() {
                *first = Some(first.map_or(sample.done, |first| first.min(sample.done)));
            }
        }
        let last = firsts
            .into_values()
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()?;
        Some(last.duration_since(moment))
    }

    /// How long after a moment the last request was made that failed.
    #[must_use]
    pub fn last_failure_after(&self, moment: Instant) -> Option<Duration> {
        let failed = self.samples.iter().filter(|sample| !sample.is_success());
        failed
            .filter_map(|sample| sample.due.checked_duration_since(moment))
            .max()
    }

    /// The longest that any request took.
    #[must_use]
    pub fn slowest(&self) -> Option<Duration> {
        self.samples.iter().map(Sample::latency).max()
    }
}

/// Where the value lies in a sorted list that this share does not exceed: the nearest rank.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count is a count"
)]
fn rank(count: usize, share: f64) -> Option<usize> {
    let rank = (count as f64 * share).ceil() as usize;
    (count > 0).then(|| rank.clamp(1, count) - 1)
}

/// How often each victim asks for its task, and creates one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time between two reads.
    pub get_every: Duration,
    /// The time between two creations.
    pub post_every: Duration,
}

/// Lets the victims work for a while, and a load balancer look.
pub async fn watch(server: SocketAddr, victims: Vec<Victim>, pace: Pace, time: Duration) -> Seen {
    let start = Instant::now();
    let clients = victims.iter().enumerate().flat_map(|(number, victim)| {
        [Request::Get, Request::Post].map(|request| {
            // Not all at the same moment.
            let offset = Duration::from_millis(u64::try_from(number).unwrap_or(0) * 5);
            let client = client(server, victim, request, pace, start + offset, start + time);
            async move { (number, client.await) }
        })
    });
    let (samples, readiness) = tokio::join!(join_all(clients), balancer(server, start + time));
    let samples = samples
        .into_iter()
        .flat_map(|(victim, samples)| samples.into_iter().map(move |sample| Sample { victim, ..sample }));
    Seen {
        samples: samples.collect(),
        readiness,
    }
}

/// Lets so many reads and creations come at once, on a connection each.
pub async fn burst(server: SocketAddr, victims: &[Victim], count: usize) {
    let asking = victims.iter().cycle().take(count).map(|victim| async {
        let (get, post) = (get(victim), post(victim));
        let (mut first, mut second) = (None, None);
        tokio::join!(
            fate_of(server, &mut first, &get),
            fate_of(server, &mut second, &post)
        );
    });
    join_all(asking).await;
}

async fn client(
    server: SocketAddr,
    victim: &Victim,
    request: Request,
    pace: Pace,
    start: Instant,
    end: Instant,
) -> Vec<Sample> {
    let (bytes, every) = match request {
        Request::Get => (get(victim), pace.get_every),
        Request::Post => (post(victim), pace.post_every),
    };
    let client = Client {
        server,
        bytes,
        connections: RefCell::default(),
        places: Semaphore::new(MOST_CONNECTIONS),
    };
    let timetable = (0..).map(|number| start + every * number);
    let samples = timetable.take_while(|due| *due < end).map(|scheduled| {
        let client = &client;
        async move {
            sleep_until(scheduled.into()).await;
            // The timer is a millisecond late at times, for which the server is not to blame.
            let due = Instant::now();
            let left = (end + ANSWER_TIMEOUT).saturating_duration_since(due);
            let fate = timeout(left, client.ask()).await.unwrap_or(Fate::Silent);
            Sample {
                victim: 0,
                request,
                due,
                done: Instant::now(),
                fate,
            }
        }
    });
    join_all(samples).await
}

/// One kind of request of one victim, with the connections that are free.
struct Client {
    server: SocketAddr,
    bytes: Vec<u8>,
    connections: RefCell<Vec<Connection>>,
    places: Semaphore,
}

impl Client {
    async fn ask(&self) -> Fate {
        // No one closes it.
        let _place = self.places.acquire().await;
        let mut connection = self.connections.borrow_mut().pop();
        let fate = fate_of(self.server, &mut connection, &self.bytes).await;
        if fate != Fate::Broken {
            self.connections.borrow_mut().extend(connection);
        }
        fate
    }
}

async fn fate_of(server: SocketAddr, connection: &mut Option<Connection>, request: &[u8]) -> Fate {
    let asking = async {
        let open = match connection.take() {
            Some(open) => open,
            None => Connection::open(server).await?,
        };
        Ok::<_, std::io::Error>(connection.insert(open).exchange(request).await?.status)
    };
    asking.await.map_or(Fate::Broken, Fate::Status)
}

/// Each look is a connection of its own, as the usual ones do it.
async fn balancer(server: SocketAddr, end: Instant) -> Tally {
    let mut request = Vec::new();
    write_request(&mut request, "GET", "/readyz", None, None);
    let mut tally = Tally::default();
    let mut scheduled = Instant::now() + READY_EVERY / 2;
    while scheduled < end {
        sleep_until(scheduled.into()).await;
        let mut connection = None;
        let asking = fate_of(server, &mut connection, &request);
        tally.add(timeout(READY_TIMEOUT, asking).await.unwrap_or(Fate::Silent));
        scheduled += READY_EVERY;
    }
    tally
}

fn get(victim: &Victim) -> Vec<u8> {
    let mut request = Vec::new();
    let target = format!("/api/tasks/{}", victim.task);
    write_request(&mut request, "GET", &target, Some(&victim.bearer), None);
    request
}

fn post(victim: &Victim) -> Vec<u8> {
    let mut request = Vec::new();
    let body = r#"{"title":"A title of an ordinary length","description":"A description that says a little more about what is to be done."}"#;
    write_request(
        &mut request,
        "POST",
        "/api/tasks",
        Some(&victim.bearer),
        Some(body),
    );
    request
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn sample(request: Request, due: Instant, millis: u64, fate: Fate) -> Sample {
        Sample {
            victim: 0,
            request,
            due,
            done: due + Duration::from_millis(millis),
            fate,
        }
    }

    #[test]
    fn percentiles_are_those_of_one_kind_of_request() {
        let now = Instant::now();
        let mut seen = Seen::default();
        for millis in 1..=100 {
            seen.samples
                .push(sample(Request::Get, now, millis, Fate::Status(200)));
        }
        seen.samples
            .push(sample(Request::Post, now, 700, Fate::Status(503)));
        assert_eq!(seen.milliseconds(Request::Get, 0.5), Some(50.0));
        assert_eq!(seen.milliseconds(Request::Get, 0.99), Some(99.0));
        assert_eq!(seen.milliseconds(Request::Post, 0.5), Some(700.0));
        assert_eq!(Seen::default().milliseconds(Request::Get, 0.5), None);
        assert_eq!(seen.slowest(), Some(Duration::from_millis(700)));
        assert_eq!(seen.failures().to_string(), "503 × 1");
    }

    #[test]
    fn a_recovery_ends_when_everybody_has_got_what_was_asked_for_afterwards() {
        let before = Instant::now();
        let moment = before + Duration::from_millis(1);
        let later = moment + Duration::from_millis(100);
        let mut seen = Seen {
            samples: vec![
                sample(Request::Get, before, 2, Fate::Status(200)),
                sample(Request::Get, moment, 10, Fate::Status(503)),
                sample(Request::Get, later, 20, Fate::Status(200)),
                sample(Request::Get, later, 30, Fate::Status(200)),
            ],
            readiness: Tally::default(),
        };
        let recovery = |seen: &Seen| seen.recovery_from(Request::Get, moment);
        assert_eq!(recovery(&seen), Some(Duration::from_millis(120)));
        assert_eq!(seen.recovery_from(Request::Post, moment), None);
        let of_another = |millis, fate| Sample {
            victim: 1,
            ..sample(Request::Get, later, millis, fate)
        };
        seen.samples.push(of_another(10, Fate::Status(503)));
        assert_eq!(recovery(&seen), None);
        seen.samples.push(of_another(700, Fate::Status(200)));
        assert_eq!(recovery(&seen), Some(Duration::from_millis(800)));
        let failure = seen.last_failure_after(moment);
        assert_eq!(failure, Some(Duration::from_millis(100)));
        assert_eq!(seen.last_failure_after(later + Duration::from_millis(1)), None);
    }

    #[tokio::test]
    async fn a_stall_is_seen_by_every_request_that_was_due_during_it() {
        const STALL: Duration = Duration::from_millis(400);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let started = Instant::now();
        let server = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let over = started + STALL;
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while let Ok(1..) = stream.read(&mut request).await {
                        sleep_until(over.into()).await;
                        let status = if request.starts_with(b"POST") {
                            "201 Created"
                        } else {
                            "200 OK"
                        };
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        };
        let pace = Pace {
            get_every: Duration::from_millis(10),
            post_every: Duration::from_millis(20),
        };
        let victim = Victim {
            bearer: "Bearer token".to_owned(),
            task: "1".to_owned(),
        };
        let seen = tokio::select! {
            seen = watch(address, vec![victim], pace, Duration::from_millis(500)) => seen,
            () = server => unreachable!("a server that never ends"),
        };
        assert_eq!(seen.failures(), Tally::default());
        // Everyone is answered at its end: of 40 that were due by then, 26 had waited for 150 ms.
        let median = seen.milliseconds(Request::Get, 0.5).unwrap();
        assert!(median > 150.0, "{median}");
        assert_eq!(seen.samples.len(), 50 + 25);
    }
}
