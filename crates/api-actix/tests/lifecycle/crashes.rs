//! Crashes: what was answered with 201 is there afterwards.

use std::time::Duration;

use test_postgres::{Cluster, ClusterOptions, StopMode};

use crate::load::{Load, Record};
use crate::support::{Storage, TaskApi};

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_server_loses_no_acknowledged_task_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    survives_kill_9(&url, Storage::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn kill_9_of_the_server_loses_no_acknowledged_task_on_postgresql() {
    let database = test_postgres::fresh_database().await;
    survives_kill_9(database.url(), Storage::Postgres).await;
}

async fn survives_kill_9(url: &str, storage: Storage) {
    let mut all = Record::default();
    for round in 0..10 {
        let binary = TaskApi::serve_on(url).start().await;
        let load = Load::of_users(8, &binary.api(storage));
        // Another moment each time.
        load.has_stored(8 + round).await;
        binary.signal("KILL");
        assert_eq!(
            binary.exit_code(Duration::from_secs(5)).await,
            None,
            "a signal ended it"
        );
        all.acknowledged.extend(load.finish().await.acknowledged);
    }
    println!(
        "{storage:?}: {} tasks acknowledged in 10 lives",
        all.acknowledged.len()
    );
    let binary = TaskApi::serve_on(url).start().await;
    all.is_kept_by(&binary.api(storage)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_crash_of_postgresql_loses_no_acknowledged_task() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = cluster.fresh_database().await;
    let binary = TaskApi::serve_on(database.url()).start().await;
    let api = binary.api(Storage::Postgres);
    for _ in 0..3 {
        let load = Load::of_users(8, &api);
        load.has_stored(20).await;
        cluster.stop(StopMode::Immediate);
        cluster.resume();
        let record = load.finish().await;
        println!(
            "{:?}, {} acknowledged",
            record.statuses,
            record.acknowledged.len()
        );
        record.has_only_success_and_503();
        record.is_kept_by(&api).await;
    }
}
