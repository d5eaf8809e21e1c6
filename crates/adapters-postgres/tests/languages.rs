//! What a failure means where the server speaks another language: the same as in English.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and what could not be tried is said"
)]

mod support;

use std::process::Command;

use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::UpdateError;
use support::scene::{OURS, Scene, locked};
use support::{read, renamed};
use test_postgres::{Cluster, ClusterOptions};

/// A server that speaks German, and the folder of its locale. `None` where that cannot be had.
async fn german() -> Option<(Cluster, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new("localedef")
        .args(["-i", "de_DE", "-f", "UTF-8"])
        .arg(folder.path().join("de_DE.UTF-8"))
        .output();
    if !folder.path().join("de_DE.UTF-8").exists() {
        println!("skipped: localedef cannot make the locale de_DE.UTF-8: {made:?}");
        return None;
    }
    let readable = Command::new("chmod")
        .args(["-R", "a+rX"])
        .arg(folder.path())
        .status();
    assert!(readable.expect("chmod").success());
    let environment = [format!("LOCPATH={}", folder.path().display())];
    let cluster = Cluster::start_in(
        &environment,
        &ClusterOptions {
            settings: vec!["lc_messages = 'de_DE.UTF-8'".to_owned()],
            ..ClusterOptions::default()
        },
    );
    let client = cluster.fresh_database().await.client().await;
    let said = client
        .batch_execute("SELECT nothing")
        .await
        .expect_err("an error");
    let said = said
        .as_db_error()
        .expect("an error of the server")
        .message()
        .to_owned();
    if said.contains("does not exist") {
        println!("skipped: the server has no German texts");
        return None;
    }
    Some((cluster, folder))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn failures_mean_the_same_on_a_server_that_speaks_german() {
    let Some((cluster, _locale)) = german().await else {
        return;
    };
    for (language, database) in [
        ("English", test_postgres::fresh_database().await),
        ("German", cluster.fresh_database().await),
    ] {
        let scene = Scene::over(database, |_| {}).await;
        let Scene { repository, task, .. } = &scene;

        // Prepared statements whose plan does not fit any more: nobody notices.
        for kind in ["varchar", "text"] {
            read(repository, task).await.expect("a look-up");
            renamed(repository, task, "before").await.expect("an update");
            scene
                .execute(&format!("ALTER TABLE tasks ALTER description TYPE {kind}"))
                .await;
            let found = read(repository, task).await;
            println!("{language}: a look-up after a change of the table: {found:?}");
            found.expect("a look-up");
            renamed(repository, task, "after").await.expect("an update");
        }

        // A row that somebody else has locked.
        let mut client = scene.database.client().await;
        let lock = locked(&mut client, task).await;
        let refused = renamed(repository, task, "behind a lock").await;
        println!("{language}: a change of a locked row: {refused:?}");
        assert!(
            matches!(refused, Err(UpdateError::Storage(StorageError::TimedOut(_)))),
            "{language}: {refused:?}"
        );
        assert!(!repository.is_degraded(), "{language}");
        lock.rollback().await.expect("an end");

        // Connections that an administrator ends.
        for _ in 0..3 {
            let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}");
            scene.execute(&end).await;
            let found = read(repository, task).await;
            println!("{language}: a look-up when the connection ends: {found:?}");
            found.expect("a look-up");
            renamed(repository, task, "again").await.expect("an update");
        }
    }
}
