//! The meaning of a failure where the server speaks another language: the same as in English.
#![expect(clippy::print_stdout, reason = "what could not be tried is said")]

use crate::support::scene::{OURS, Scene, locked};
use crate::support::{read, renamed};
use adapters_postgres::DatabaseUrl;
use domain::chain;
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::UpdateError;
use test_postgres::{Cluster, ClusterOptions, a_free_port};

/// A server that speaks English, and one that speaks German where that can be had.
fn servers() -> Vec<(&'static str, Cluster)> {
    let options = || ClusterOptions {
        tcp_port: Some(a_free_port()),
        ..ClusterOptions::default()
    };
    let mut servers = vec![("English", Cluster::start(&options()))];
    match Cluster::speaking_german(&options()) {
        Ok(cluster) => servers.push(("German", cluster)),
        Err(reason) => println!("skipped: {reason}"),
    }
    servers
}

/// The result of a change that runs into this, and its name in the port: `SQLSTATE`, and the word of the port.
#[rustfmt::skip]
const PROVOKED: &[(&str, &str, &str)] = &[
    ("PERFORM 1 / 0", "22012", "unexpected"),
    ("PERFORM chr(0)", "54000", "unexpected"),
    ("PERFORM convert_from('\\xff', 'UTF8')", "22021", "refused"),
    ("INSERT INTO tasks SELECT * FROM tasks", "23505", "unexpected"),
    ("NEW.title := ''", "23514", "refused"),
    ("NEW.title := NULL", "23502", "unexpected"),
    ("PERFORM * FROM nothing", "42P01", "unexpected"),
    ("PERFORM pg_sleep(20)", "57014", "timed out"),
    ("SET LOCAL lock_timeout = 1; PERFORM FROM elsewhere FOR UPDATE", "55P03", "timed out"),
    ("SET LOCAL temp_file_limit = '64kB'; SET LOCAL work_mem = '64kB';
      PERFORM n FROM generate_series(1, 100000) AS n ORDER BY random()", "53400", "unavailable"),
    ("SET LOCAL transaction_read_only = on; UPDATE tasks SET title = title", "25006", "unavailable"),
    ("PERFORM pg_terminate_backend(pg_backend_pid())", "57P01", "unavailable"),
];

fn word(error: &StorageError) -> &'static str {
    match error {
        StorageError::Unavailable(_) => "unavailable",
        StorageError::TimedOut(_) => "timed out",
        StorageError::Refused(_) => "refused",
        StorageError::Corrupt(_) => "corrupt",
        StorageError::Unexpected(_) => "unexpected",
        StorageError::Busy => "busy",
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_failure_has_its_sqlstate_in_every_language_and_over_every_transport() {
    for (language, cluster) in servers() {
        for transport in ["a Unix socket", "TCP"] {
            let database = cluster.fresh_database().await;
            let tcp = cluster.tcp_url(database.name());
            let scene = Scene::over(database, |settings| {
                if transport == "TCP" {
                    settings.url = DatabaseUrl::parse(&tcp).expect("a valid URL");
                }
            })
            .await;
            scene.execute("CREATE TABLE elsewhere AS SELECT 1 AS one").await;
            let mut other = scene.database.client().await;
            let lock = other.transaction().await.expect("a transaction");
            lock.batch_execute("SELECT FROM elsewhere FOR UPDATE")
                .await
                .expect("a lock");
            for (statements, sqlstate, wanted) in PROVOKED {
                scene
                    .execute(&format!(
                        "CREATE OR REPLACE FUNCTION provoke() RETURNS trigger LANGUAGE plpgsql
                            AS $provoke$ BEGIN {statements}; RETURN NEW; END $provoke$;
                         CREATE OR REPLACE TRIGGER provoke BEFORE UPDATE ON tasks
                            FOR EACH ROW EXECUTE FUNCTION provoke()"
                    ))
                    .await;
                let Err(UpdateError::Storage(error)) = renamed(&scene.repository, &scene.task, "x").await
                else {
                    panic!("{language}: {statements} was no failure of the storage");
                };
                let cause = chain(&error);
                println!("{language}, {transport}: {}: {cause}", word(&error));
                assert_eq!(word(&error), *wanted, "{language}: {cause}");
                assert!(
                    cause.contains(&format!("SQLSTATE {sqlstate}: ")),
                    "{language}: {cause}"
                );
                assert_eq!(cause.matches("SQLSTATE").count(), 1, "{cause}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn what_heals_in_english_heals_in_german() {
    for (language, cluster) in servers() {
        let scene = Scene::over(cluster.fresh_database().await, |_| {}).await;
        let Scene { repository, task, .. } = &scene;

        // Prepared statements whose plan does not fit any more: callers do not notice.
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

        // A row that another session has locked.
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
