//! Users at work: steady, seeded, and writing down what they were answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::ledger::{Ledger, Sight};
use crate::support::{Api, SECRET, User, token_signed_with};
use crate::{seed, until};

/// Longer than any request may take: beyond it there is no answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How many tasks a user has before new ones wait for deletions.
const PLENTY: usize = 20;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered(u16),
    /// There was no listener.
    Refused,
    /// The connection ended before the answer did.
    Broken,
    /// No answer within [`REQUEST_TIMEOUT`].
    Silent,
}

impl End {
    /// Whether the caller has what was asked for; 404 is the truth about a deleted task.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Answered(200..=299 | 404))
    }
}

/// One request, seen from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) end: End,
}

/// The common record of all users of a load.
#[derive(Default)]
struct Journal {
    exchanges: Mutex<Vec<Exchange>>,
    complaints: Mutex<Vec<String>>,
    acknowledged: AtomicUsize,
    is_held: AtomicBool,
    is_over: AtomicBool,
}

impl Journal {
    /// Whether requests were served lately, and none was turned away.
    fn is_healthy(&self, lately: Duration) -> bool {
        let now = Instant::now();
        let exchanges = self.exchanges.lock().expect("the exchanges");
        let latest = exchanges
            .iter()
            .rev()
            .take_while(|exchange| now - exchange.ended < lately);
        let mut latest = latest.peekable();
        latest.peek().is_some() && latest.all(|exchange| exchange.end.is_success())
    }
}

/// Users at work, each of whom creates, reads, changes and deletes tasks, one thing after the other.
pub(crate) struct Load {
    journal: Arc<Journal>,
    users: JoinSet<Ledger>,
}

/// Everything that happened.
pub(crate) struct Outcome {
    pub(crate) exchanges: Vec<Exchange>,
    /// Returns that should never have been given.
    pub(crate) complaints: Vec<String>,
    pub(crate) ledgers: Vec<Ledger>,
}

impl Load {
    pub(crate) fn of_users(count: u64, api: &Api) -> Self {
        let mut load = Self {
            journal: Arc::default(),
            users: JoinSet::new(),
        };
        for number in 0..count {
            let worker = Worker::new(api, "user", number, &load.journal);
            load.users.spawn(worker.work());
        }
        load
    }

    /// Lets many more users in at once, each of whom creates one task: whatever the server holds in reserve is used.
    pub(crate) fn rush(&mut self, api: &Api) {
        for number in 0..40 {
            let mut worker = Worker::new(api, "guest", number, &self.journal);
            self.users.spawn(async move {
                worker.create().await;
                worker.ledger
            });
        }
    }

    /// Lets through no more requests, as a load balancer does when there is no server to take them. Those that are
    /// under way go on.
    pub(crate) fn hold(&self) {
        self.journal.is_held.store(true, Ordering::Relaxed);
    }

    /// Lets requests through again.
    pub(crate) fn release(&self) {
        self.journal.is_held.store(false, Ordering::Relaxed);
    }

    /// Waits until that many more writes have been acknowledged.
    pub(crate) async fn stores(&self, count: usize) {
        let acknowledged = || self.journal.acknowledged.load(Ordering::Relaxed);
        let enough = acknowledged() + count;
        until("users at work", async || acknowledged() >= enough).await;
    }

    /// How many writes have been acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.journal.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until every user has been served for a while, for a bounded time: what came of it is in the outcome.
    pub(crate) async fn is_served_again(&self) {
        const A_WHILE: Duration = Duration::from_secs(1);
        const LIMIT: Duration = Duration::from_secs(12);
        let started = Instant::now();
        let is_over = || started.elapsed() >= A_WHILE && self.journal.is_healthy(A_WHILE);
        while started.elapsed() < LIMIT && !is_over() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets the users finish what they are doing.
    pub(crate) async fn finish(self) -> Outcome {
        self.journal.is_over.store(true, Ordering::Relaxed);
        let ledgers = self.users.join_all().await;
        let take =
            |complaints: &Mutex<Vec<String>>| std::mem::take(&mut *complaints.lock().expect("complaints"));
        Outcome {
            exchanges: std::mem::take(&mut *self.journal.exchanges.lock().expect("the exchanges")),
            complaints: take(&self.journal.complaints),
            ledgers,
        }
    }
}

/// The reply to a request.
enum Reply {
    /// Done, with the body.
    Done(Value),
    /// There is no such task.
    Missing,
    /// Unknown: a 503, or no answer.
    Unknown,
}

struct Worker {
    user: User,
    ledger: Ledger,
    dice: StdRng,
    journal: Arc<Journal>,
}

impl Worker {
    fn new(api: &Api, kind: &str, number: u64, journal: &Arc<Journal>) -> Self {
        let name = format!("{kind}-{number}");
        // It outlives every load.
        let token = token_signed_with(SECRET, &name, TimeDelta::hours(6));
        Self {
            user: api.bearer(&token),
            ledger: Ledger::of(&name),
            dice: StdRng::seed_from_u64(seed().wrapping_add(number)),
            journal: Arc::clone(journal),
        }
    }

    async fn work(mut self) -> Ledger {
        while !self.journal.is_over.load(Ordering::Relaxed) {
            let is_held = self.journal.is_held.load(Ordering::Relaxed);
            let is_served = !is_held && self.act().await;
            let pause = if is_served { 0..=10 } else { 20..=40 };
            sleep(Duration::from_millis(self.dice.random_range(pause))).await;
        }
        self.ledger
    }

    /// Does one thing; returns whether it could be done.
    async fn act(&mut self) -> bool {
        let living = self.ledger.living();
        match self.dice.random_range(0..100) {
            0..30 if living.len() < PLENTY => self.create().await,
            0..40 => self.delete_one_of(&living).await,
            40..70 => self.change_one_of(&living).await,
            70..75 => {
                let deleted = self.ledger.deleted();
                self.read_one_of(&deleted).await
            }
            75..85 => self.list().await,
            _ => self.read_one_of(&living).await,
        }
    }

    fn one_of(&mut self, tasks: &[usize]) -> Option<usize> {
        (!tasks.is_empty()).then(|| tasks[self.dice.random_range(0..tasks.len())])
    }

    async fn create(&mut self) -> bool {
        let repeatable = self.ledger.repeatable();
        let has_key = self.dice.random();
        let (task, key) = if let Some(task) = self.one_of(&repeatable) {
            (task, Some(task))
        } else {
            let task = self.ledger.begin_creation(has_key);
            (task, has_key.then_some(task))
        };
        let mut request = self
            .user
            .request(Method::POST, "/api/tasks")
            .json(&self.ledger.creation(task));
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("creation-{key}"));
        }
        match self.exchange(request).await {
            Reply::Done(body) => self.is_told(task, &body),
            Reply::Missing => self.complain("a creation was answered with 404"),
            Reply::Unknown => return false,
        }
        true
    }

    async fn change_one_of(&mut self, tasks: &[usize]) -> bool {
        let Some(task) = self.one_of(tasks) else {
            return true;
        };
        // Before the change is counted: the version is certain only as long as nothing is under way.
        let request = self.maybe_conditional(Method::PUT, task);
        let change = self.ledger.begin_change(task);
        match self.exchange(request.json(&change)).await {
            Reply::Done(body) => self.is_told(task, &body),
            Reply::Missing => self.ledger.miss(task),
            Reply::Unknown => return false,
        }
        true
    }

    async fn delete_one_of(&mut self, tasks: &[usize]) -> bool {
        let Some(task) = self.one_of(tasks) else {
            return true;
        };
        let request = self.maybe_conditional(Method::DELETE, task);
        self.ledger.begin_deletion(task);
        match self.exchange(request).await {
            Reply::Done(_) => {
                self.ledger.acknowledge(task, None);
                self.journal.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Reply::Missing => self.ledger.miss(task),
            Reply::Unknown => return false,
        }
        true
    }

    async fn read_one_of(&mut self, tasks: &[usize]) -> bool {
        let Some(task) = self.one_of(tasks) else {
            return true;
        };
        let request = self.user.request(Method::GET, &self.path(task));
        match self.exchange(request).await {
            Reply::Done(body) => match Sight::of(&body) {
                Some(sight) => self.ledger.see(task, Some(&sight)),
                None => self.complain(&format!("this is no task: {body}")),
            },
            Reply::Missing => self.ledger.see(task, None),
            Reply::Unknown => return false,
        }
        true
    }

    async fn list(&mut self) -> bool {
        let request = self.user.request(Method::GET, "/api/tasks?limit=500");
        match self.exchange(request).await {
            Reply::Done(body) => {
                let tasks = body.as_array().map(Vec::as_slice).unwrap_or_default();
                match tasks.iter().map(Sight::of).collect::<Option<Vec<_>>>() {
                    Some(sights) => self.ledger.see_all(&sights),
                    None => self.complain(&format!("these are no tasks: {body}")),
                }
            }
            Reply::Missing => self.complain("a list was answered with 404"),
            Reply::Unknown => return false,
        }
        true
    }

    fn path(&self, task: usize) -> String {
        format!("/api/tasks/{}", self.ledger.id(task).expect("a task with an id"))
    }

    /// A write to a task; half of those to a task whose version is certain insist on it, and 412 would be a lie then.
    fn maybe_conditional(&mut self, method: Method, task: usize) -> RequestBuilder {
        let request = self.user.request(method, &self.path(task));
        match self.ledger.version(task) {
            Some(version) if self.dice.random() => request.header("if-match", format!("\"{version}\"")),
            _ => request,
        }
    }

    /// A write was acknowledged with the task.
    fn is_told(&mut self, task: usize, body: &Value) {
        let sight = Sight::of(body);
        if sight.is_none() {
            self.complain(&format!("this is no task: {body}"));
        }
        self.ledger.acknowledge(task, sight.as_ref());
        self.journal.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    fn complain(&self, complaint: &str) {
        let mut complaints = self.journal.complaints.lock().expect("complaints");
        complaints.push(format!("{}: {complaint}", self.ledger.owner()));
    }

    async fn exchange(&self, request: RequestBuilder) -> Reply {
        let began = Instant::now();
        let (end, reply) = answer_to(request).await;
        let exchange = Exchange {
            began,
            ended: Instant::now(),
            end,
        };
        self.journal
            .exchanges
            .lock()
            .expect("the exchanges")
            .push(exchange);
        reply.unwrap_or_else(|complaint| {
            self.complain(&complaint);
            Reply::Unknown
        })
    }
}

/// Sends a request; returns how it ended and what that means, or what is wrong with the answer.
async fn answer_to(request: RequestBuilder) -> (End, Result<Reply, String>) {
    let response = match request.timeout(REQUEST_TIMEOUT).send().await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return (End::Silent, Ok(Reply::Unknown)),
        Err(error) if error.is_connect() => return (End::Refused, Ok(Reply::Unknown)),
        Err(_) => return (End::Broken, Ok(Reply::Unknown)),
    };
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").cloned();
    let Ok(body) = response.text().await else {
        return (End::Broken, Ok(Reply::Unknown));
    };
    let reply = match status {
        204 => Ok(Reply::Done(Value::Null)),
        200..=299 => serde_json::from_str(&body)
            .map(Reply::Done)
            .map_err(|error| format!("{error}: {body}")),
        404 => Ok(Reply::Missing),
        503 => match retry_after.and_then(|value| value.to_str().ok()?.parse::<u32>().ok()) {
            Some(1..) => Ok(Reply::Unknown),
            _ => Err(format!("a 503 without Retry-After: {body}")),
        },
        _ => Err(format!("{status}: {body}")),
    };
    (End::Answered(status), reply)
}
