//! The stage: a cluster, a network, and the real binary behind it.

use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use test_postgres::{Cluster, ClusterOptions, StopMode, TestDatabase};

use crate::ledger::Sight;
use crate::proxy::{Mood, Proxy};
use crate::support::{Api, Binary, Storage, TaskApi};
use crate::until;

/// How many connections PostgreSQL takes.
pub(crate) const MAX_CONNECTIONS: u16 = 60;

/// The cluster of this process.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let settings = [
            "fsync = on",
            "commit_siblings = 0",
            &format!("max_connections = {MAX_CONNECTIONS}"),
        ];
        let options = ClusterOptions {
            settings: settings.map(str::to_owned).to_vec(),
            ..ClusterOptions::default()
        };
        if !is_german() {
            return Cluster::start(&options);
        }
        Cluster::speaking_german(&options).unwrap_or_else(|reason| {
            println!("SKIPPED: the faults in German. {reason}");
            std::process::exit(0);
        })
    })
}

/// Whether PostgreSQL is to say everything in German (`FAULT_LANGUAGE=de`), which must change nothing.
fn is_german() -> bool {
    std::env::var_os("FAULT_LANGUAGE").is_some_and(|language| language == "de")
}

/// A server, its database, and the network between them.
pub(crate) struct Stage {
    cluster: &'static Cluster,
    database: TestDatabase,
    proxy: Proxy,
    server: Mutex<Option<Binary>>,
    port: u16,
    api: Api,
}

const OTHERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

impl Stage {
    pub(crate) async fn set() -> Self {
        let cluster = cluster();
        let database = cluster.fresh_database().await;
        Self::over(cluster, database).await
    }

    /// The same, but commits take 20 ms, as where the disk is far away: so that every crash finds some under way.
    pub(crate) async fn set_with_slow_commits() -> Self {
        let cluster = cluster();
        let database = cluster.fresh_database().await;
        let slow = format!("ALTER DATABASE {} SET commit_delay = 20000", database.name());
        let admin = database.client().await;
        admin.batch_execute(&slow).await.expect("slow commits");
        Self::over(cluster, database).await
    }

    async fn over(cluster: &'static Cluster, database: TestDatabase) -> Self {
        let proxy = Proxy::before(socket_of(&database)).await;
        let server = serve(&proxy, &database, 0).await;
        let address = server.url().strip_prefix("http://127.0.0.1:");
        Self {
            port: address.and_then(|port| port.parse().ok()).expect("a port"),
            api: server.api(Storage::Postgres),
            server: Mutex::new(Some(server)),
            cluster,
            database,
            proxy,
        }
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// A database of the same PostgreSQL, for people who have nothing to do with the server.
    pub(crate) async fn another_database(&self) -> TestDatabase {
        self.cluster.fresh_database().await
    }

    /// Another client that has said this to the database; what that did ends when the answer is dropped.
    pub(crate) async fn outsider(&self, statements: &str) -> Box<dyn Send + Sync> {
        let outsider = self.database.client().await;
        outsider
            .batch_execute(statements)
            .await
            .expect("a client that may");
        Box::new(outsider)
    }

    /// Changes the mood of the network.
    pub(crate) fn network(&self, mood: Mood) {
        self.proxy.turn(mood);
    }

    /// The memory of the server, in MiB, where the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        let id = self.server.lock().expect("the server").as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
            .map(|kib| kib / 1024)
    }

    /// Ends the server without a warning.
    pub(crate) async fn kill_server(&self) {
        let server = self.take_server();
        server.signal("KILL");
        server.exit_code(Duration::from_secs(5)).await;
    }

    /// Tells the server to stop. The answer waits for its end in order: exit code 0, within ten seconds.
    pub(crate) fn stop_server(&self) -> impl Future<Output = ()> + use<> {
        let server = self.take_server();
        server.signal("TERM");
        async move {
            let exit_code = server.exit_code(Duration::from_secs(10)).await;
            assert_eq!(exit_code, Some(0), "{}", server.log());
        }
    }

    /// Waits until the server says that it wants no more work.
    pub(crate) async fn is_not_ready(&self) {
        let anonymous = self.api.anonymous();
        let is_not_ready = async || anonymous.get("/readyz").await.status == 503;
        until("the server is not ready", is_not_ready).await;
    }

    /// Starts the server where it was before.
    pub(crate) async fn start_server(&self) {
        let server = serve(&self.proxy, &self.database, self.port).await;
        *self.server.lock().expect("the server") = Some(server);
    }

    fn take_server(&self) -> Binary {
        let server = self.server.lock().expect("the server").take();
        server.expect("a running server")
    }

    /// Stops PostgreSQL and starts it again.
    pub(crate) fn restart_database(&self, mode: StopMode) {
        self.cluster.stop(mode);
        self.cluster.resume();
    }

    pub(crate) async fn take_database_down_for(&self, time: Duration) {
        self.cluster.stop(StopMode::Fast);
        tokio::time::sleep(time).await;
        self.cluster.resume();
    }

    /// The numbers that the database answers, on a new connection if one falls to a crash that is still going on.
    async fn numbers(&self, question: &str) -> Vec<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.database.client().await.query(question, &[]).await {
                Ok(rows) => return rows.iter().map(|row| row.get(0)).collect(),
                Err(error) => assert!(Instant::now() < deadline, "{question}: {error}"),
            }
        }
    }

    /// The backends of the server, by their process ids.
    async fn backends(&self) -> Vec<i32> {
        self.numbers(&format!("SELECT pid {OTHERS}")).await
    }

    /// Kills one backend, which PostgreSQL takes for a crash: it ends all of them and recovers. Comes back with it.
    pub(crate) async fn kill_a_backend(&self) {
        let victim = self.backends().await[0];
        signal("KILL", &[victim]);
        let is_gone = async || !self.backends().await.contains(&victim);
        until("the database is back", is_gone).await;
    }

    /// Terminates up to `most` backends of the server; returns how many there were.
    pub(crate) async fn terminate_backends(&self, most: i64) -> usize {
        let terminate = format!("SELECT pg_terminate_backend(pid)::int4 {OTHERS} LIMIT {most}");
        self.numbers(&terminate).await.len()
    }

    /// Something that will terminate all backends of the server as soon as no further client can connect to PostgreSQL.
    pub(crate) async fn eviction(&self) -> impl Future<Output = ()> + use<> {
        // Asked before it is full.
        let admin = self.database.client().await;
        async move {
            let clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
            until("every connection is taken", async || {
                let count = admin.query_one(clients, &[]).await.expect("a count");
                count.get::<_, i64>(0) >= i64::from(MAX_CONNECTIONS)
            })
            .await;
            let terminate = format!("SELECT pg_terminate_backend(pid) {OTHERS}");
            admin
                .batch_execute(&terminate)
                .await
                .expect("terminated backends");
        }
    }

    /// Stops every process of PostgreSQL in its tracks until the answer is dropped.
    pub(crate) async fn freeze_database(&self) -> Frozen {
        let admin = self.database.client().await;
        let postmaster = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int4";
        let postmaster = admin.query_one(postmaster, &[]).await.expect("its id").get(0);
        // First the one that could start more of them.
        let mut frozen = Frozen(vec![postmaster]);
        signal("STOP", &frozen.0);
        let rows = admin.query("SELECT pid FROM pg_stat_activity", &[]).await;
        frozen
            .0
            .extend(rows.expect("processes").iter().map(|row| row.get::<_, i32>(0)));
        signal("STOP", &frozen.0);
        frozen
    }

    /// Ends everything and returns what the database holds then, by owner.
    pub(crate) async fn close(self) -> Vec<(String, Sight)> {
        self.kill_server().await;
        // What was on its way when the server gave up on it still arrives.
        drop(self.proxy);
        let admin = self.database.client().await;
        let others = format!("SELECT count(*) {OTHERS}");
        until("the database is left alone", async || {
            let count = admin.query_one(&others, &[]).await.expect("a count");
            count.get::<_, i64>(0) == 0
        })
        .await;
        let tasks = "SELECT user_id, id::text, title, description, status, version::int8 FROM tasks";
        let rows = admin.query(tasks, &[]).await.expect("the tasks");
        rows.iter()
            .map(|row| {
                let sight = Sight {
                    id: row.get(1),
                    title: row.get(2),
                    description: row.get(3),
                    status: row.get(4),
                    version: row.get(5),
                };
                (row.get(0), sight)
            })
            .collect()
    }
}

async fn serve(proxy: &Proxy, database: &TestDatabase, port: u16) -> Binary {
    let url = format!(
        "postgresql://postgres@127.0.0.1:{}/{}",
        proxy.port(),
        database.name()
    );
    TaskApi::serve_on(&url)
        .env("PORT", &port.to_string())
        // Long enough to be noticed also by a busy machine.
        .env("SHUTDOWN_DELAY", "3s")
        .start()
        .await
}

/// Where the server of a database listens.
fn socket_of(database: &TestDatabase) -> std::path::PathBuf {
    let host = database.url().split(['@', '/']).find(|part| part.contains("%2F"));
    let folder = host.expect("a socket").replace("%2F", "/");
    std::path::Path::new(&folder).join(".s.PGSQL.5432")
}

/// Processes that are stopped; they go on when this is dropped.
pub(crate) struct Frozen(Vec<i32>);

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("CONT", &self.0);
    }
}

fn signal(name: &str, processes: &[i32]) {
    let ids = processes.iter().map(ToString::to_string);
    let status = Command::new("kill").arg(format!("-{name}")).args(ids).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
}
