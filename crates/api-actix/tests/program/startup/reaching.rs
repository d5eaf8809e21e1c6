//! PostgreSQL that lets us in, refuses us, is unavailable, or comes late.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use test_postgres::{Cluster, ClusterOptions, StopMode, TestDatabase, a_free_port};

use super::GaveUp;
use crate::support::{Storage, TaskApi};

const PASSWORD: &str = "correct-horse-battery";

/// A server that wants a password from everyone who comes through TCP. All tests of this process share it.
fn guarded() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        Cluster::start(&ClusterOptions {
            files: vec![("pg_hba.conf".to_owned(), rules.to_owned())],
            tcp_port: Some(a_free_port()),
            ..ClusterOptions::default()
        })
    })
}

/// An empty database on it, and a role that may enter with [`PASSWORD`].
async fn guarded_database(role: &str) -> TestDatabase {
    let database = guarded().fresh_database().await;
    let statements =
        format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; GRANT CREATE ON SCHEMA public TO {role}");
    database
        .client()
        .await
        .batch_execute(&statements)
        .await
        .expect("a role");
    database
}

/// The way in for that role, through TCP.
fn entrance(role: &str, password: &str, database: &str) -> String {
    guarded()
        .tcp_url(database)
        .replace("//postgres@", &format!("//{role}:{password}@"))
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn us2_1_a_good_url_connects_and_the_log_says_where_to_without_credentials() {
    let database = guarded_database("clerk").await;
    let binary = TaskApi::serve_on(&entrance("clerk", PASSWORD, database.name()))
        .start()
        .await;
    let entries = binary.entries("database connected");
    assert_eq!(entries.len(), 1, "{}", binary.log());
    let entry = &entries[0];
    assert_eq!(entry["kind"], "postgresql");
    assert_eq!(entry["host"], "127.0.0.1");
    assert_eq!(entry["database"], database.name());
    assert!(
        entry["version"]
            .as_str()
            .is_some_and(|version| !version.is_empty()),
        "{entry}"
    );
    assert_eq!(
        entry["tls"], false,
        "this server speaks plain text, and the log must not hide that"
    );
    binary
        .api(Storage::Postgres)
        .user("alice")
        .has_task("a test query")
        .await;
    let log = binary.log();
    assert!(!log.contains(PASSWORD) && !log.contains("clerk"), "{log}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn us2_2_a_wrong_password_role_or_database_is_refused_at_once() {
    let database = guarded_database("porter").await;
    for (what, url) in [
        ("28P01", entrance("porter", "wrong-password", database.name())),
        (
            "28P01",
            entrance("nobody_we_know", "wrong-password", database.name()),
        ),
        ("3D000", entrance("porter", PASSWORD, "no_such_database")),
        // Without a password the driver does not even ask.
        (
            "password",
            entrance("porter", "", database.name()).replace("porter:@", "porter@"),
        ),
    ] {
        let line = GaveUp::refusal(&TaskApi::serve_on(&url));
        assert!(
            line.starts_with("DATABASE_URL was refused by the server: "),
            "{line}"
        );
        assert!(line.contains(what), "{what}: {line}");
        assert!(
            !line.contains(PASSWORD) && !line.contains("wrong-password"),
            "{line}"
        );
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_database_that_cannot_hold_every_text_is_refused_at_once() {
    let database = guarded_database("scribe").await;
    let name = format!("{}_latin", database.name());
    let create = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    database
        .client()
        .await
        .batch_execute(&create)
        .await
        .expect("a database");
    let line = GaveUp::refusal(&TaskApi::serve_on(&entrance("scribe", PASSWORD, &name)));
    assert_eq!(
        line,
        "DATABASE_URL leads to a database with the encoding LATIN1, which cannot hold every text: create it with \
         ENCODING 'UTF8'"
    );
}

#[test]
fn a_server_that_does_not_speak_tls_is_refused_at_once() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        client.write_all(b"N").unwrap();
    });
    let url = format!("postgresql://porter:{PASSWORD}@localhost:{port}/tasks?sslmode=require");
    let line = GaveUp::refusal(&TaskApi::serve_on(&url));
    assert_eq!(
        line,
        "DATABASE_URL was refused by the server: error performing TLS handshake: server does not support TLS"
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn us2_2_a_refusal_at_the_address_for_migrations_names_that_setting() {
    let database = guarded_database("mover").await;
    let task_api = TaskApi::serve_on(&entrance("mover", PASSWORD, database.name())).env(
        "DATABASE_MIGRATION_URL",
        &entrance("mover", "wrong-password", database.name()),
    );
    let gave_up = GaveUp::of(&task_api);
    assert_eq!(gave_up.exit_code, Some(78), "{}", gave_up.stderr);
    let line = gave_up.stderr.lines().last().unwrap();
    assert!(
        line.starts_with("task-api: DATABASE_MIGRATION_URL was refused by the server: "),
        "{line}"
    );
    assert!(!gave_up.stderr.contains("wrong-password"), "{}", gave_up.stderr);
}

#[test]
fn us2_2_a_port_that_refuses_is_tried_for_the_startup_timeout_and_then_exit_69() {
    let url = format!("postgresql://porter:{PASSWORD}@127.0.0.1:{}/tasks", a_free_port());
    is_tried_for_a_second(&url, "Connection refused");
}

#[test]
fn us2_2_a_server_that_never_says_a_word_is_tried_for_the_startup_timeout_and_then_exit_69() {
    // Connections wait in the backlog of a listener that is not served.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    is_tried_for_a_second(
        &format!("postgresql://porter:{PASSWORD}@127.0.0.1:{port}/tasks"),
        "no answer",
    );
}

fn is_tried_for_a_second(url: &str, reason: &str) {
    let gave_up = GaveUp::of(&TaskApi::serve_on(url).env("DB_STARTUP_TIMEOUT", "1s"));
    let GaveUp {
        exit_code,
        stderr,
        took,
    } = gave_up;
    println!("gave up after {took:?}: {stderr}");
    assert_eq!(exit_code, Some(69), "{stderr}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(3),
        "{took:?}"
    );
    let line = stderr.lines().last().expect("a reason");
    let wanted = "task-api: DATABASE_URL: the database at 127.0.0.1 could not be reached for 1s: ";
    assert!(line.starts_with(wanted) && line.contains(reason), "{line}");
    assert!(!stderr.contains(PASSWORD) && !stderr.contains(url), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn us2_2_a_database_that_comes_late_is_found_while_the_server_waits() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = cluster.fresh_database().await;
    cluster.stop(StopMode::Fast);
    let starting = tokio::spawn(
        TaskApi::serve_on(database.url())
            .env("DB_STARTUP_TIMEOUT", "20s")
            .start(),
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished());
    cluster.resume();
    let resumed = Instant::now();
    let binary = starting.await.unwrap();
    println!("listening {:?} after PostgreSQL came up", resumed.elapsed());
    assert!(!binary.entries("the database does not answer yet").is_empty());
    assert_eq!(
        binary
            .api(Storage::Postgres)
            .anonymous()
            .get("/readyz")
            .await
            .status,
        200
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_certificate_is_trusted_if_ssl_cert_file_names_its_authority_and_refused_otherwise() {
    // It is its own authority.
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()])
        .and_then(|parameters| parameters.self_signed(&key))
        .expect("a certificate");
    let cluster = Cluster::start(&ClusterOptions {
        settings: vec![
            "ssl = on".to_owned(),
            "ssl_cert_file = 'server.pem'".to_owned(),
            "ssl_key_file = 'key.pem'".to_owned(),
        ],
        files: vec![
            ("server.pem".to_owned(), certificate.pem()),
            ("key.pem".to_owned(), key.serialize_pem()),
        ],
        tcp_port: Some(a_free_port()),
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, certificate.pem()).expect("a file");
    let url = cluster.tcp_url("postgres").replace("127.0.0.1", "localhost");
    let task_api = || TaskApi::serve_on(&format!("{url}?sslmode=verify-full"));

    let line = GaveUp::refusal(&task_api());
    assert!(line.contains("invalid peer certificate"), "{line}");
    let authority = authority.display().to_string();
    let binary = task_api().env("SSL_CERT_FILE", &authority).start().await;
    assert_eq!(binary.entries("database connected")[0]["tls"], true);
}
