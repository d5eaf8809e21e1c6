//! The database moves to another machine behind the same address.

use std::path::PathBuf;

use serde_json::json;
use test_postgres::{Cluster, ClusterOptions, StopMode};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::until;
use crate::support::{Storage, TaskApi};

/// One address before whichever server it is at the moment. When it moves, connections to the one before end.
struct Address {
    port: u16,
    target: watch::Sender<PathBuf>,
    _tasks: JoinSet<()>,
}

impl Address {
    async fn before(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (target, targets) = watch::channel(cluster.socket());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let mut targets = targets.clone();
                connections.spawn(async move {
                    let socket = targets.borrow_and_update().clone();
                    if let Ok(mut server) = UnixStream::connect(socket).await {
                        tokio::select! {
                            _ = copy_bidirectional(&mut client, &mut server) => {}
                            _ = targets.changed() => {}
                        }
                    }
                });
            }
        });
        Self {
            port,
            target,
            _tasks: tasks,
        }
    }

    fn moves_to(&self, cluster: &Cluster) {
        self.target.send_replace(cluster.socket());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn after_a_failover_writes_go_on_and_nothing_acknowledged_is_missing() {
    let primary = Cluster::start(&ClusterOptions::default());
    let standby = primary.standby();
    // A write is acknowledged once the standby has it too: what a failover without losses needs.
    let database = primary.fresh_database().await;
    let admin = database.client().await;
    for setting in [
        "synchronous_standby_names = '*'",
        "synchronous_commit = remote_apply",
    ] {
        admin
            .batch_execute(&format!("ALTER SYSTEM SET {setting}"))
            .await
            .expect("a setting");
    }
    admin
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("the new settings");
    let address = Address::before(&primary).await;
    let url = format!(
        "postgresql://postgres@127.0.0.1:{}/{}",
        address.port,
        database.name()
    );
    let server = TaskApi::serve_on(&url).start().await;
    let alice = server.api(Storage::Postgres).user("alice");
    for number in 0..20 {
        alice.has_task(&format!("task {number}")).await;
    }
    let before = alice.titles().await;
    drop(admin);

    // The address moves first, and for a while no server takes writes.
    address.moves_to(&standby);
    until("tasks can be read again", async || {
        alice.get("/api/tasks").await.status == 200
    })
    .await;
    let refused = alice.post("/api/tasks", &json!({ "title": "too early" })).await;
    assert_eq!(refused.problem(), "database_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(alice.titles().await, before);
    let readiness = server.api(Storage::Postgres).anonymous().get("/readyz").await;
    assert_eq!(readiness.problem(), "database_unavailable");
    server
        .logs("DATABASE_URL must lead to the server that writes")
        .await;
    let (check, _) = TaskApi::with(&["check"]).env("DATABASE_URL", &url).output();
    assert_eq!(check.status.code(), Some(69), "{check:?}");
    let verdict = String::from_utf8_lossy(&check.stdout);
    assert!(
        verdict.contains("is a standby or a read-only replica"),
        "{verdict}"
    );
    primary.stop(StopMode::Immediate);
    standby.promote();

    until("tasks can be created again", async || {
        alice
            .post("/api/tasks", &json!({ "title": "afterwards" }))
            .await
            .status
            == 201
    })
    .await;
    let mut after = alice.titles().await;
    assert_eq!(after.remove(0), "afterwards");
    assert_eq!(after, before);
}
