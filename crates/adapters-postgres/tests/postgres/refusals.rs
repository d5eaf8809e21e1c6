//! Not being let in: which refusals are final, what they say, and poolers that refuse our start-up options.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::support::proxy::{Detour, connect, fatal};
use crate::support::scene::{locked, sessions, waiting_for_locks};
use crate::support::{
    eventually, migrated, migrated_with, read, renamed, settings, stored, timed, timed_out, unavailable,
};
use adapters_postgres::{ConnectError, DatabaseUrl, PostgresDatabase, PostgresSettings, Reload};
use domain::health::StorageHealth;
use domain::task::{SearchTerm, TaskFilter, TaskRepository};
use domain::testing::an_owner;
use test_postgres::{Cluster, ClusterOptions, a_free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
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

/// The URL of a database for this user, through TCP.
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
            "app:r1ght@",
            &format!("{name}?channel_binding=require"),
            "authentication error: ",
        ),
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

/// An address that changes while the process runs.
fn changing(text: &str) -> (Arc<Mutex<String>>, Reload) {
    let address = Arc::new(Mutex::new(text.to_owned()));
    let read = Arc::clone(&address);
    let reload = Reload::with(move || Ok(DatabaseUrl::parse(&read.lock().expect("an address"))?));
    (address, reload)
}

fn write(address: &Mutex<String>, text: &str) {
    text.clone_into(&mut address.lock().expect("an address"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn new_connections_log_in_with_the_password_of_now_and_old_ones_live_on() {
    let database = guarded().fresh_database().await;
    let name = database.name();
    let owner = migrated(database.url()).await.worker();
    let task = stored(&owner, &an_owner(), "title").await;
    let client = database.client().await;
    let roles = "CREATE ROLE rotating LOGIN PASSWORD 'f1rst'; CREATE ROLE renewed LOGIN PASSWORD 'th1rd';
                 GRANT ALL ON tasks TO rotating, renewed";
    client.batch_execute(roles).await.expect("roles");
    let url = |credentials: &str| url_of(credentials, name);
    let (address, reload) = changing(&url("rotating:f1rst@"));
    let repository = PostgresDatabase::new(PostgresSettings {
        reload: Some(reload),
        ..settings(&url("rotating:f1rst@"))
    })
    .worker();
    let repository = &repository;
    let works = async || {
        read(repository, &task).await.expect("a look-up");
        renamed(repository, &task, "other").await.map(drop)
    };
    works().await.expect("an update");

    let rotate = "ALTER ROLE rotating PASSWORD 's3cond'";
    client.batch_execute(rotate).await.expect("a new password");
    works().await.expect("old connections live on");
    let cut = async || {
        let end =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('rotating', 'renewed')";
        client.batch_execute(end).await.expect("an end");
        let left = "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('rotating', 'renewed')";
        eventually("the sessions have ended", async || {
            let row = client.query_one(left, &[]).await.expect("sessions");
            row.get::<_, i64>(0) == 0
        })
        .await;
    };
    cut().await;
    let cause = unavailable(renamed(repository, &task, "other").await);
    assert!(cause.contains("28P01"), "the file is not written yet: {cause}");
    write(&address, &url("rotating:s3cond@"));
    works().await.expect("the password of the file");

    // Garbage, or another place, changes nothing but the log; another user may come in.
    for text in ["", "postgresql://rotating:s3cond@db.example/elsewhere"] {
        write(&address, text);
        cut().await;
        works().await.expect("the password that was read last");
    }
    write(&address, &url("renewed:th1rd@"));
    cut().await;
    works().await.expect("another user");
    let users = "SELECT string_agg(DISTINCT usename, ' ') FROM pg_stat_activity
                 WHERE datname = current_database() AND usename <> 'postgres'";
    let users = client.query_one(users, &[]).await.expect("sessions");
    assert_eq!(users.get::<_, &str>(0), "renewed");
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

/// The error for a server that says this and hangs up.
async fn is_refused_by(said: &'static str) -> bool {
    let says = move |mut client: TcpStream, _| async move {
        let length = client.read_u32().await.expect("a length") as usize - 4;
        client
            .read_exact(&mut vec![0; length])
            .await
            .expect("a start-up message");
        client.write_all(&fatal("08P01", said)).await.expect("a refusal");
    };
    let server = Detour::to("postgresql://u@127.0.0.1:1/d", says).await;
    let error = refusal(server.url()).await;
    assert!(error.to_string().ends_with(said), "{error}");
    error.is_refusal()
}

#[tokio::test(flavor = "multi_thread")]
async fn neon_may_say_for_good_or_for_now_that_there_is_no_endpoint() {
    for said in [
        "Control plane request failed: endpoint is disabled",
        "Control plane request failed: endpoint cannot be found",
        "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support",
    ] {
        assert!(is_refused_by(said).await, "{said}");
    }
    for said in [
        "Couldn't connect to compute node",
        "Control plane request failed: endpoint is temporarily unavailable. Check your quotas",
        "Too many connections attempts",
        "the database system is starting up",
    ] {
        assert!(!is_refused_by(said).await, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_run_is_no_refusal() {
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

/// A port whose line of connections is full: it never replies.
#[cfg(target_os = "linux")]
async fn a_full_port() -> (tokio::net::TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    (listener, waiting)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn an_address_that_never_replies_leaves_time_for_the_next_one() {
    let database = guarded().fresh_database().await;
    let forward = |mut client: TcpStream, config: Config| async move {
        let _ = copy_bidirectional(&mut client, &mut connect(&config).await).await;
    };
    let server = Detour::to(database.url(), forward).await;
    let (full, _waiting) = a_full_port().await;
    let silent = full.local_addr().expect("an address");
    let url = server.url().replacen('@', &format!("@{silent},"), 1);
    let (answer, seconds) = timed(PostgresDatabase::new(settings(&url)).probe()).await;
    assert_eq!(answer.expect("an answer").database, database.name());
    assert!((1.2..2.5).contains(&seconds), "{seconds}");
}

/// A pooler that refuses start-up options with this code and these words; everything else goes to the server.
#[derive(Clone)]
struct Refusing {
    code: &'static str,
    words: &'static str,
    /// After how many refusals it takes options.
    most: u32,
    count: Arc<AtomicU32>,
}

impl Refusing {
    fn with(code: &'static str, words: &'static str) -> Self {
        Self {
            code,
            words,
            most: u32::MAX,
            count: Arc::default(),
        }
    }

    fn refusals(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    async fn before(&self, server: &str) -> Detour {
        let pooler = self.clone();
        Detour::to(server, move |client, config| pooler.clone().carry(client, config)).await
    }

    async fn carry(self, mut client: TcpStream, config: Config) {
        let mut start = vec![0; client.read_u32().await.expect("a length") as usize - 4];
        client.read_exact(&mut start).await.expect("a start-up message");
        let has_options = start.windows(9).any(|bytes| bytes == b"\0options\0");
        if has_options && self.refusals() < self.most {
            self.count.fetch_add(1, Ordering::Relaxed);
            let refusal = fatal(self.code, self.words);
            client.write_all(&refusal).await.expect("a refusal");
            return;
        }
        let mut server = connect(&config).await;
        let length = u32::try_from(start.len() + 4).expect("a length");
        server.write_u32(length).await.expect("a length");
        server.write_all(&start).await.expect("a start-up message");
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// A pooler as PgBouncer is, and its refusals.
async fn a_pooler_before(server: &str) -> (Detour, Arc<AtomicU32>) {
    let pooler = Refusing::with("08P01", "unsupported startup parameter: options");
    (pooler.before(server).await, pooler.count)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn poolers_refuse_our_options_in_words_of_their_own_which_is_found_at_start() {
    let database = test_postgres::fresh_database().await;
    migrated(database.url()).await;
    for (code, words, refusals) in [
        // The proxy of RDS.
        (
            "0A000",
            "Feature not supported: RDS Proxy currently doesn't support command-line options.",
            1,
        ),
        (
            "08P01",
            "unsupported startup parameter in options: statement_timeout",
            1,
        ),
        ("08P01", "options are not allowed here", 2),
        ("XX000", "unexpected packet", 2),
        ("42704", "unrecognized configuration parameter", 2),
    ] {
        let pooler = Refusing::with(code, words);
        let detour = pooler.before(database.url()).await;
        let adapter = PostgresDatabase::new(settings(detour.url()));
        let info = adapter.probe().await;
        let info = info.unwrap_or_else(|error| panic!("{words}: {error}"));
        assert_eq!(info.missing_limits.len(), 2, "{words}");
        assert_eq!(pooler.refusals(), refusals, "{words}");
        adapter.worker().check().await.expect("a healthy database");
        assert_eq!(pooler.refusals(), refusals, "remembered: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_refusal_that_passes_is_not_taken_for_one_of_our_options() {
    let database = test_postgres::fresh_database().await;
    migrated(database.url()).await;
    let pooler = Refusing {
        most: 1,
        ..Refusing::with("08P01", "server login has been failing, try again later")
    };
    let detour = pooler.before(database.url()).await;
    let adapter = PostgresDatabase::new(settings(detour.url()));
    let info = adapter.probe().await.expect("an answer");
    assert_eq!(
        info.missing_limits, [""; 0],
        "the limits are set as start-up options"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_and_a_server_that_starts_are_asked_once() {
    for (code, words) in [
        ("28P01", "password authentication failed for user \"u\""),
        ("28000", "no pg_hba.conf entry"),
        ("53300", "sorry, too many clients already"),
        ("57P03", "the database system is starting up"),
    ] {
        let server = Refusing::with(code, words);
        let detour = server.before("postgresql://u@127.0.0.1:1/d").await;
        refusal(detour.url()).await;
        assert_eq!(server.refusals(), 1, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_role_that_may_not_create_tables_is_told_which_grant_it_lacks() {
    let database = guarded().fresh_database().await;
    let name = database.name();
    let client = database.client().await;
    let roles = "CREATE ROLE tenant LOGIN PASSWORD 'r1ght'; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    client.batch_execute(roles).await.expect("a role");
    let adapter = PostgresDatabase::new(settings(&url_of("tenant:r1ght@", name)));
    let error = adapter.migrate().await.expect_err("no privilege").to_string();
    assert!(error.contains("permission denied for schema public"), "{error}");
    assert!(error.contains("GRANT CREATE ON SCHEMA public TO"), "{error}");
    let grant = "GRANT CREATE ON SCHEMA public TO tenant";
    client.batch_execute(grant).await.expect("a grant");
    adapter.migrate().await.expect("a migration");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn options_of_the_url_that_the_server_does_not_take_are_final() {
    let database = guarded().fresh_database().await;
    let role = "CREATE ROLE modest LOGIN PASSWORD 'r1ght'";
    database.client().await.batch_execute(role).await.expect("a role");
    for (options, wanted) in [
        (
            "no_such_thing%3D1",
            "SQLSTATE 42704: unrecognized configuration parameter",
        ),
        ("work_mem%3Dplenty", "SQLSTATE 22023: invalid value for parameter"),
        ("port%3D1", "SQLSTATE 55P02: parameter \"port\" cannot be changed"),
        (
            "log_statement%3Dall",
            "SQLSTATE 42501: permission denied to set parameter",
        ),
    ] {
        let url = url_of("modest:r1ght@", database.name());
        let error = refusal(&format!("{url}?options=-c%20{options}")).await;
        assert!(error.is_refusal(), "{error:?}");
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_pooler_that_refuses_our_options_is_asked_once_and_then_used_without() {
    let database = test_postgres::fresh_database().await;
    let (pooler, refused) = a_pooler_before(database.url()).await;
    let adapter = migrated(pooler.url()).await;
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn behind_a_pooler_that_refuses_our_limits_the_probe_says_which_the_role_lacks() {
    let database = test_postgres::fresh_database().await;
    let (pooler, _) = a_pooler_before(database.url()).await;
    let missing = async || {
        migrated(pooler.url())
            .await
            .probe()
            .await
            .expect("an answer")
            .missing_limits
    };
    assert_eq!(
        missing().await,
        [
            "ALTER ROLE postgres SET statement_timeout = '5s'",
            "ALTER ROLE postgres SET lock_timeout = '2s'"
        ]
    );
    let client = database.client().await;
    let name = database.name();
    client
        .batch_execute(&format!(
            "ALTER ROLE postgres IN DATABASE {name} SET statement_timeout = '5s'"
        ))
        .await
        .expect("a limit");
    assert_eq!(missing().await, ["ALTER ROLE postgres SET lock_timeout = '2s'"]);
    let direct = migrated(database.url()).await.probe().await.expect("an answer");
    assert_eq!(direct.missing_limits, [""; 0], "we set them ourselves there");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn abandoned_searches_behind_a_pooler_that_refuses_our_limits_do_not_pile_up() {
    let database = test_postgres::fresh_database().await;
    let (pooler, _) = a_pooler_before(database.url()).await;
    let mut settings = settings(pooler.url());
    settings.work_lane_size = 4;
    let repository = migrated_with(settings).await.worker();
    stored(&repository, &an_owner(), "title").await;
    let mut client = database.client().await;
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a lock");
    for _ in 0..8 {
        let filter = TaskFilter {
            search: Some(SearchTerm::parse("nothing").expect("a term")),
            ..TaskFilter::default()
        };
        let owner = an_owner();
        // Its caller waits for a moment only.
        let _ = timeout(Duration::from_millis(60), repository.count(&owner, &filter)).await;
        assert!(waiting_for_locks(&lock).await <= 1, "one at a time for each user");
    }
    eventually("all of them are cancelled", async || {
        waiting_for_locks(&lock).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_long_wait_for_a_lock_behind_a_pooler_that_refuses_our_limits_is_no_silence_of_the_others() {
    let database = test_postgres::fresh_database().await;
    let (pooler, _) = a_pooler_before(database.url()).await;
    let repository = migrated(pooler.url()).await.worker();
    let task = stored(&repository, &an_owner(), "title").await;
    read(&repository, &task).await.expect("a look-up");
    let observer = database.client().await;
    let before = sessions(&observer).await;
    let mut client = database.client().await;
    let lock = locked(&mut client, &task).await;
    assert_eq!(
        timed_out(renamed(&repository, &task, "other").await),
        "no answer within 5.0s"
    );
    read(&repository, &task).await.expect("a look-up");
    assert_eq!(
        sessions(&observer).await,
        before,
        "the connection of the reads was sound"
    );
    lock.rollback().await.expect("an end");
}
