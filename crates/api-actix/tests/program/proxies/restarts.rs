//! The server ends and comes back while users work: the proxy repeats or refuses, and nothing acknowledged is lost.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Scene, Way, a_request_id};
use crate::support::{Answer, User};

/// How the server ends, each time.
const ENDS: [&str; 3] = ["TERM", "KILL", "TERM"];
/// How many users work on each way.
const USERS: usize = 4;
/// How long it takes a proxy at most to use a server that has come back.
const RECOVERY: Duration = Duration::from_secs(5);

/// How requests ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    answered: usize,
    /// 502, 503, 504.
    refused: usize,
    /// The connection ended before the answer did.
    broken: usize,
}

impl AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.broken += other.broken;
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} restarts: {} answered, {} refused by the proxy, {} broken",
            ENDS.len(),
            self.answered,
            self.refused,
            self.broken
        )
    }
}

/// Restarts the servers under load; every user knows afterwards what must be there.
pub(crate) async fn lose_nothing(mut scene: Scene) -> Ends {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    let mut successes = Vec::new();
    for (number, way) in scene.ways.iter().enumerate() {
        let successes_of_way = Arc::new(AtomicUsize::new(0));
        for user in 0..USERS {
            let name = format!("worker-{user}");
            let worker = Worker {
                user: scene.api(way).user(&name),
                prefix: way.prefix,
                is_over: Arc::clone(&is_over),
                successes: Arc::clone(&successes_of_way),
                stored: BTreeMap::new(),
                ends: Ends::default(),
            };
            workers.spawn(async move { (number, name, worker.work().await) });
        }
        successes.push(successes_of_way);
    }
    serves(&successes).await;
    for signal in ENDS {
        for way in &mut scene.ways {
            way.restart(signal).await;
        }
        serves(&successes).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut ends = Ends::default();
    for (way, name, worker) in workers.join_all().await {
        worker.finds_everything(&scene.ways[way], &name).await;
        ends += worker.ends;
    }
    ends
}

/// Waits until every way has served for a while.
async fn serves(successes: &[Arc<AtomicUsize>]) {
    for successes in successes {
        let (started, enough) = (Instant::now(), successes.load(Ordering::Relaxed) + 8 * USERS);
        while successes.load(Ordering::Relaxed) < enough {
            assert!(
                started.elapsed() < RECOVERY,
                "the proxy does not use the server again"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Way {
    async fn restart(&mut self, signal: &str) {
        let binary = self.server.binary();
        binary.signal(signal);
        binary.exit_code(Duration::from_secs(12)).await;
        self.server.start_again().await;
    }
}

struct Worker {
    user: User,
    prefix: &'static str,
    is_over: Arc<AtomicBool>,
    successes: Arc<AtomicUsize>,
    /// The tasks that were acknowledged: the last acknowledged state of each, by its id.
    stored: BTreeMap<String, Value>,
    ends: Ends,
}

impl Worker {
    /// Creates, reads, changes and lists tasks, one after the other.
    async fn work(mut self) -> Self {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            self.works_on(&format!("Task {number}"), number % 2 == 0).await;
            sleep(Duration::from_millis(5)).await;
        }
        self
    }

    async fn works_on(&mut self, title: &str, has_key: bool) {
        let mut create = self
            .user
            .request(Method::POST, "/api/tasks")
            .json(&json!({ "title": title }));
        if has_key {
            // Some proxies repeat a request with a key.
            create = create.header("Idempotency-Key", a_request_id());
        }
        let Some(created) = self.sends(create, StatusCode::CREATED).await else {
            return;
        };
        let task = created.json();
        assert_eq!(task["title"], title, "{created:?}");
        let id = task["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/tasks/{id}");
        assert_eq!(created.header("location"), format!("{}{path}", self.prefix));
        self.stored.insert(id.clone(), task.clone());
        if let Some(read) = self
            .sends(self.user.request(Method::GET, &path), StatusCode::OK)
            .await
        {
            assert_eq!(read.json(), task, "{read:?}");
        }
        let change = self
            .user
            .request(Method::PUT, &path)
            .json(&json!({ "status": "completed" }));
        match self
            .sends(change.header("If-Match", "\"1\""), StatusCode::OK)
            .await
        {
            Some(changed) => {
                assert_eq!(changed.json()["version"], 2, "{changed:?}");
                self.stored.insert(id, changed.json());
            }
            // It may have been changed or not.
            None => {
                self.stored.insert(id, json!({ "title": title }));
            }
        }
        let list = self.user.request(Method::GET, "/api/tasks?limit=20");
        if let Some(list) = self.sends(list, StatusCode::OK).await {
            self.holds(&list.json());
        }
    }

    /// The answer if there was one. It must belong to the request and have this status.
    async fn sends(&mut self, request: RequestBuilder, wanted: StatusCode) -> Option<Answer> {
        let id = a_request_id();
        let Ok(response) = request.header("x-request-id", &id).send().await else {
            self.ends.broken += 1;
            return None;
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let Ok(body) = response.text().await else {
            self.ends.broken += 1;
            return None;
        };
        if matches!(status.as_u16(), 502..=504) {
            self.ends.refused += 1;
            return None;
        }
        let answer = Answer {
            status,
            headers,
            body,
        };
        assert_eq!(
            answer.header("x-request-id"),
            id,
            "the answer to another request: {answer:?}"
        );
        // A change that the proxy has repeated finds its own work.
        assert_eq!(answer.status, wanted, "{answer:?}");
        self.ends.answered += 1;
        self.successes.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }

    /// Each task that is listed is as it was acknowledged.
    fn holds(&self, list: &Value) {
        for task in list.as_array().expect("a list") {
            let id = task["id"].as_str().expect("an id");
            match self.stored.get(id) {
                Some(stored) if stored["id"] == id => assert_eq!(task, stored),
                Some(stored) => assert_eq!(task["title"], stored["title"]),
                // Its creation was not acknowledged.
                None => assert_eq!(task["version"], 1, "{task}"),
            }
        }
    }

    /// Everything that was acknowledged is there, and nothing twice.
    async fn finds_everything(&self, way: &Way, name: &str) {
        let user = way.directly(name);
        let mut titles = BTreeMap::<String, usize>::new();
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = user.get(&format!("/api/tasks?limit=500&cursor={cursor}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let tasks = page.json();
            self.holds(&tasks);
            for task in tasks.as_array().expect("a list") {
                *titles
                    .entry(task["title"].as_str().expect("a title").to_owned())
                    .or_default() += 1;
                found.push(task["id"].as_str().expect("an id").to_owned());
            }
            page.header("x-next-cursor").clone_into(&mut cursor);
            if cursor.is_empty() {
                break;
            }
        }
        let twice: Vec<_> = titles.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "created twice: {twice:?}");
        let lost = self.stored.keys().find(|id| !found.contains(id));
        assert_eq!(lost, None, "acknowledged and lost");
    }
}
