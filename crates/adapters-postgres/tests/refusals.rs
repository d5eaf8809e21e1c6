//! Not being let in: which refusals are final, what they say, and poolers that refuse our start-up options.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod support;

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use adapters_postgres::{ConnectError, PostgresDatabase};
use domain::health::StorageHealth;
use domain::testing::an_owner;
use support::proxy::{connect, fatal};
use support::{a_free_port, migrated, read, renamed, settings, stored, timed, unavailable};
use test_postgres::{Cluster, ClusterOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Config;

/// Over TCP a password is asked for, through the socket none is.
fn guarded() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let rules = [
            "local all all trust",
            "host all outsider 127.0.0.1/32 reject",
            "host all all 127.0.0.1/32 scram-sha-256\n",
        ];
        Cluster::start(&ClusterOptions {
            settings: vec!["password_encryption = 'scram-sha-256'".to_owned()],
            files: vec![("pg_hba.conf".to_owned(), rules.join("\n"))],
            tcp_port: Some(a_free_port()),
        })
    })
}

/// The URL of a database for somebody, through TCP.
fn url_of(who: &str, database: &str) -> String {
    guarded().tcp_url(database).replacen("postgres@", who, 1)
}

async fn refusal(url: &str) -> ConnectError {
    let database = PostgresDatabase::new(settings(url));
    database.probe().await.expect_err("a refusal")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn refusals_that_waiting_cannot_cure_are_told_apart_and_quote_no_password() {
    let database = guarded().fresh_database().await;
    let name = database.name();
    database
        .client()
        .await
        .batch_execute("CREATE ROLE app LOGIN PASSWORD 'r1ght'; CREATE ROLE outsider LOGIN PASSWORD 'r1ght'")
        .await
        .expect("roles");

    let right = PostgresDatabase::new(settings(&url_of("app:r1ght@", name)));
    let info = right.probe().await;
    let info = info.expect("the right password");
    assert_eq!((info.hosts.as_str(), info.database.as_str()), ("127.0.0.1", name));
    assert!(info.version.starts_with(char::is_numeric), "{info:?}");
    assert!(!info.tls);

    for (who, database, wanted) in [
        (
            "app:wr0ng@",
            name,
            "SQLSTATE 28P01: password authentication failed for user \"app\"",
        ),
        (
            "nobody:wr0ng@",
            name,
            "SQLSTATE 28P01: password authentication failed for user \"nobody\"",
        ),
        ("app@", name, "invalid configuration: password missing"),
        (
            "outsider:r1ght@",
            name,
            "SQLSTATE 28000: pg_hba.conf rejects connection",
        ),
        (
            "app:r1ght@",
            "absent",
            "SQLSTATE 3D000: database \"absent\" does not exist",
        ),
    ] {
        let url = url_of(who, database);
        let error = refusal(&url).await;
        assert!(error.is_refusal(), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.starts_with(wanted), "{text}");
        assert!(!text.contains("wr0ng") && !text.contains("r1ght"), "{text}");
    }
    let wrong = PostgresDatabase::new(settings(&url_of("app:wr0ng@", name)));
    let cause = unavailable(wrong.worker().check().await);
    assert_eq!(
        cause,
        "SQLSTATE 28P01: password authentication failed for user \"app\""
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn connections_that_the_server_has_no_room_for_are_an_outage_and_the_others_are_used() {
    let database = guarded().fresh_database().await;
    let owner = migrated(database.url()).await.worker();
    let task = stored(&owner, &an_owner(), "title").await;
    let narrow = "CREATE ROLE narrow LOGIN PASSWORD 'r1ght' CONNECTION LIMIT 1; GRANT ALL ON tasks TO narrow";
    let client = database.client().await;
    client.batch_execute(narrow).await.expect("a role");
    let url = url_of("narrow:r1ght@", database.name());
    let repository = PostgresDatabase::new(settings(&url)).worker();
    read(&repository, &task).await.expect("the one connection");
    let cause = unavailable(renamed(&repository, &task, "other").await);
    assert_eq!(cause, "SQLSTATE 53300: too many connections for role \"narrow\"");
    read(&repository, &task).await.expect("the one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_runs_is_no_refusal() {
    let port = a_free_port();
    let (error, seconds) = timed(refusal(&format!("postgresql://u:s3cret@127.0.0.1:{port}/d"))).await;
    assert!(!error.is_refusal(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    assert!(seconds < 1.0, "{seconds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_and_says_nothing_is_given_up_in_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut settings = settings(&format!("postgresql://u@127.0.0.1:{port}/d"));
    settings.connect_timeout = Some(Duration::from_millis(200));
    let (error, seconds) = timed(PostgresDatabase::new(settings).probe()).await;
    let error = error.expect_err("silence");
    assert_eq!(error.to_string(), "connecting took longer than 200ms");
    assert!(!error.is_refusal());
    assert!(seconds < 0.5, "{seconds}");
}

/// Refuses start-up options as poolers do, and counts; everything else goes to the server.
async fn a_pooler_before(server: &str) -> (String, Arc<AtomicU32>) {
    let config = Config::from_str(server).expect("a URL");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let database = config.get_dbname().expect("a database");
    let user = config.get_user().expect("a user");
    let url = format!("postgresql://{user}@127.0.0.1:{port}/{database}");
    let refused = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&refused);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pool(client, config.clone(), Arc::clone(&counter)));
        }
    });
    (url, refused)
}

async fn pool(mut client: TcpStream, config: Config, refused: Arc<AtomicU32>) {
    let mut start = vec![0; client.read_u32().await.expect("a length") as usize - 4];
    client.read_exact(&mut start).await.expect("a start-up message");
    if start.windows(9).any(|bytes| bytes == b"\0options\0") {
        refused.fetch_add(1, Ordering::Relaxed);
        let refusal = fatal("unsupported startup parameter: options");
        client.write_all(&refusal).await.expect("a refusal");
        return;
    }
    let mut server = connect(&config).await;
    let length = u32::try_from(start.len() + 4).expect("a length");
    server.write_u32(length).await.expect("a length");
    server.write_all(&start).await.expect("a start-up message");
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_pooler_that_refuses_our_options_is_asked_once_and_then_used_without() {
    let database = test_postgres::fresh_database().await;
    let (url, refused) = a_pooler_before(database.url()).await;
    let adapter = migrated(&url).await;
    assert_eq!(refused.load(Ordering::Relaxed), 0, "migrations need no options");
    let repository = adapter.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    read(&repository, &task).await.expect("a look-up");
    let another = adapter.worker();
    read(&another, &task).await.expect("a look-up");
    assert_eq!(
        refused.load(Ordering::Relaxed),
        1,
        "it is remembered for the process"
    );
}
