//! Operators' view of a running server: F57 to F60, F63.
//!
//! | File | What it proves |
//! |---|---|
//! | `metrics` | the metrics of the build, the pools and the process; the others are tested in `adapters-http` |
//! | `admin` | the listener for operators |
//! | `logs` | the access log, and one request id and trace id in every line of a request |
//! | `timings` | `Server-Timing` |
//! | `panics` | the lines of a panic: few, short, and with the request |
//! | `unread_logs` | an unread log stops nothing |
//! | `traces` | spans, from an incoming `traceparent` to the database (feature `otel`) |
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in tests a broken set-up should panic"
)]
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

mod admin;
mod logs;
mod metrics;
#[expect(clippy::panic, reason = "a handler has to panic")]
mod panics;
mod timings;
#[cfg(feature = "otel")]
#[expect(clippy::panic, reason = "in tests a broken set-up should panic")]
mod traces;
mod unread_logs;

use std::time::{Duration, Instant};

use crate::support::{Api, Binary, Exposition, Storage, TaskApi};

/// A server with a listener for operators, on a SQLite file of its own.
struct Watched {
    binary: Binary,
    api: Api,
    admin: reqwest::Url,
    _kept: Box<dyn Send + Sync>,
}

impl Watched {
    async fn on_sqlite(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
        Self::start(&url, settings, Box::new(folder)).await
    }

    async fn start(url: &str, settings: &[(&str, &str)], kept: Box<dyn Send + Sync>) -> Self {
        let task_api = TaskApi::serve_on(url).env("ADMIN_ADDR", "127.0.0.1:0");
        let task_api = settings
            .iter()
            .fold(task_api, |task_api, (name, value)| task_api.env(name, value));
        let binary = task_api.start().await;
        let listening = binary.entries("listening for operators").remove(0);
        let admin = listening["url"].as_str().expect("an address");
        Self {
            admin: admin.parse().expect("a URL"),
            api: binary.api(Storage::Sqlite),
            binary,
            _kept: kept,
        }
    }

    fn admin_url(&self, path: &str) -> reqwest::Url {
        self.admin.join(path).expect("a path")
    }

    async fn metrics(&self) -> Exposition {
        let answer = self.api.client().get(self.admin_url("/metrics")).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers()["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        Exposition::parse(&answer.text().await.expect("a text"))
    }
}

/// Waits until it is so, for five seconds at most.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not within 5 seconds: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
