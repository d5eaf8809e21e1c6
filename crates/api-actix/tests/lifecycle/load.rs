//! Users who keep working whatever happens, and a record of what they were answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, Api, User};
use crate::until;

/// Everything that the users were answered.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// When an answer other than success came for the last time.
    last_failure: Option<Instant>,
    pub(crate) slowest: Duration,
    /// Tasks that were acknowledged with 201, each with its user.
    pub(crate) acknowledged: Vec<(String, String)>,
}

/// Users at work, each of whom creates a task and reads it back, over and over.
pub(crate) struct Load {
    record: Arc<Mutex<Record>>,
    is_over: Arc<AtomicBool>,
    users: JoinSet<()>,
}

impl Load {
    pub(crate) fn of_users(count: usize, api: &Api) -> Self {
        let mut load = Self {
            record: Arc::default(),
            is_over: Arc::default(),
            users: JoinSet::new(),
        };
        for number in 0..count {
            let name = format!("user-{number}");
            let user = api.user(&name);
            let (record, is_over) = (Arc::clone(&load.record), Arc::clone(&load.is_over));
            load.users.spawn(async move {
                while !is_over.load(Ordering::Relaxed) && works(&user, &name, &record).await.is_some() {}
            });
        }
        load
    }

    /// Waits until that many tasks have been acknowledged.
    pub(crate) async fn has_stored(&self, count: usize) {
        let stored = || self.record.lock().expect("the record").acknowledged.len();
        until("tasks are stored", async || stored() >= count).await;
    }

    /// Lets the users finish, and answers what happened. Those whose server is gone stop by themselves.
    pub(crate) async fn finish(mut self) -> Record {
        self.is_over.store(true, Ordering::Relaxed);
        while let Some(user) = self.users.join_next().await {
            user.expect("a user who works");
        }
        std::mem::take(&mut *self.record.lock().expect("the record"))
    }
}

/// One turn of a user; `None` if the server is gone.
async fn works(user: &User, name: &str, record: &Mutex<Record>) -> Option<()> {
    let create = user
        .request(Method::POST, "/api/tasks")
        .json(&json!({ "title": "kept" }));
    let started = Instant::now();
    let created = Answer::of_living(create).await.ok()?;
    let path = (created.status == 201).then(|| created.header("location").to_owned());
    {
        let mut record = record.lock().expect("the record");
        record.note(created.status, started);
        let acknowledged = path.clone().map(|path| (name.to_owned(), path));
        record.acknowledged.extend(acknowledged);
    }
    if let Some(path) = path {
        let started = Instant::now();
        let read = Answer::of_living(user.request(Method::GET, &path)).await.ok()?;
        record.lock().expect("the record").note(read.status, started);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    Some(())
}

impl Record {
    fn note(&mut self, status: StatusCode, started: Instant) {
        *self.statuses.entry(status.as_u16()).or_default() += 1;
        self.slowest = self.slowest.max(started.elapsed());
        if !status.is_success() {
            self.last_failure = Some(Instant::now());
        }
    }

    /// Nobody was told anything but that it is done or that it should be tried again.
    pub(crate) fn has_only_success_and_503(&self) {
        let mut statuses = self.statuses.keys();
        assert!(
            statuses.all(|status| [200, 201, 503].contains(status)),
            "{:?}",
            self.statuses
        );
    }

    /// How long after that moment users were still turned away.
    pub(crate) fn recovery_after(&self, moment: Instant) -> Duration {
        let last = self
            .last_failure
            .map(|last| last.saturating_duration_since(moment));
        last.unwrap_or_default()
    }

    /// Every acknowledged task is still there.
    pub(crate) async fn is_kept_by(&self, api: &Api) {
        for turn in self.acknowledged.chunks(32) {
            let mut reads = JoinSet::new();
            for (name, path) in turn.iter().cloned() {
                let user = api.user(&name);
                reads.spawn(async move { (user.get(&path).await.status, path) });
            }
            for (status, path) in reads.join_all().await {
                assert_eq!(status, 200, "{path} was acknowledged and is lost");
            }
        }
    }
}
