//! Real proxies in front of the real binary: whatever they do on the way, no answer is wrong.
//!
//! | File | What it proves |
//! |---|---|
//! | `proxy` | starts nginx, Apache, Caddy and `HAProxy` with the configurations of `docs/deploy/proxies` |
//! | `exchange` | one request and its answer: by curl, in every version of HTTP |
//! | `sameness` | reads, refusals and writes are answered through a proxy as without it |
//! | `hang_ups` | clients that leave in the middle cost others nothing |
//! | `restarts` | the server ends and comes back under load |
//!
//! Each proxy has two ways to a server of its own: `/backend`, where it takes the prefix away and the server compresses,
//! and `/kept`, where it passes the prefix on and compresses itself. A proxy that is not installed is skipped, which is
//! said past the test harness; `--nocapture` shows the metrics of the others.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and measurements are printed"
)]

mod exchange;
mod hang_ups;
mod proxy;
mod restarts;
mod sameness;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use self::exchange::Curl;
use self::proxy::{Kind, Proxy};
use crate::support::{Api, Binary, Storage, TaskApi, User};

#[tokio::test(flavor = "multi_thread")]
async fn nginx_in_front_makes_no_answer_wrong() {
    no_answer_is_wrong_behind(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apache_in_front_makes_no_answer_wrong() {
    no_answer_is_wrong_behind(Kind::Apache).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_in_front_makes_no_answer_wrong() {
    no_answer_is_wrong_behind(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_in_front_makes_no_answer_wrong() {
    no_answer_is_wrong_behind(Kind::Haproxy).await;
}

async fn no_answer_is_wrong_behind(kind: Kind) {
    let programs = kind.find().and_then(|found| Ok((found, Curl::find()?)));
    let (found, curl) = match programs {
        Ok(programs) => programs,
        Err(reason) => {
            // Past the test harness, which hides what is printed.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
            return;
        }
    };
    let started = Instant::now();
    let scene = Scene::behind(kind, &found).await;
    let alike = sameness::is_kept(&scene, &curl).await;
    let left = hang_ups::cost_others_nothing(&scene).await;
    let restarted = restarts::lose_nothing(scene).await;
    println!(
        "{}: {alike} answers as without it; {left} beside hang-ups; {restarted}; wrong: 0; {:.1?}",
        found.version(),
        started.elapsed()
    );
}

/// A server of the test, one way to it through the proxy, and one past the proxy.
struct Way {
    /// What clients put in front of every path.
    prefix: &'static str,
    server: Server,
}

/// A server that can be ended and started again at the same address.
struct Server {
    task_api: TaskApi,
    port: u16,
    running: Option<Binary>,
}

impl Server {
    async fn start(url: &str, settings: &[(&str, &str)]) -> Self {
        let port = test_postgres::a_free_port();
        let task_api = TaskApi::serve_on(url).env("PORT", &port.to_string());
        let with = |task_api: TaskApi, (name, value): &(&str, &str)| task_api.env(name, value);
        let task_api = settings.iter().fold(task_api, with);
        let mut server = Self {
            task_api,
            port,
            running: None,
        };
        server.start_again().await;
        server
    }

    async fn start_again(&mut self) {
        self.running = Some(self.task_api.clone().start().await);
    }

    fn binary(&self) -> &Binary {
        self.running.as_ref().expect("a server that runs")
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A proxy with its ways.
struct Scene {
    proxy: Proxy,
    ways: [Way; 2],
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn behind(kind: Kind, found: &proxy::Found) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
        let stripped = Server::start(&url("stripped.db"), &[("TRUSTED_PROXIES", "127.0.0.1")]).await;
        let kept = Server::start(&url("kept.db"), &[]).await;
        let proxy = Proxy::start(kind, found, &stripped.address(), &kept.address()).await;
        Self {
            proxy,
            ways: [
                Way {
                    prefix: "/backend",
                    server: stripped,
                },
                Way {
                    prefix: "",
                    server: kept,
                },
            ],
            _folder: folder,
        }
    }

    /// The API as clients find it behind the proxy.
    fn api(&self, way: &Way) -> Api {
        let url = format!("http://127.0.0.1:{}{}", self.proxy.port(), way.prefix);
        Api::at(&url, Box::new(()))
    }
}

impl Way {
    /// A user who asks the server itself, for what the proxy passes on.
    fn directly(&self, user: &str) -> User {
        self.server.binary().api(Storage::Sqlite).user(user)
    }
}

/// An id that no other request of this process has. Its return shows that an answer belongs to its request.
fn a_request_id() -> String {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    format!("proxied-{}", LAST.fetch_add(1, Ordering::Relaxed))
}
