//! A server that starts, and what it says about it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Binary, Storage, TaskApi};

/// A database that was never used. It is removed with the value.
struct Empty {
    url: String,
    storage: Storage,
    _kept: Box<dyn Send + Sync>,
}

impl Empty {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            url: format!("sqlite:{}", folder.path().join("tasks.db").display()),
            storage: Storage::Sqlite,
            _kept: Box::new(folder),
        }
    }

    async fn postgres() -> Self {
        let database = test_postgres::fresh_database().await;
        Self {
            url: database.url().to_owned(),
            storage: Storage::Postgres,
            _kept: Box::new(database),
        }
    }
}

#[tokio::test]
async fn sc_001_the_server_is_ready_within_5_seconds_on_a_new_sqlite_file() {
    is_ready_within_5_seconds(&Empty::sqlite()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn sc_001_the_server_is_ready_within_5_seconds_on_an_empty_postgresql_database() {
    is_ready_within_5_seconds(&Empty::postgres().await).await;
}

async fn is_ready_within_5_seconds(database: &Empty) {
    let started = Instant::now();
    let binary = TaskApi::serve_on(&database.url).start().await;
    let api = binary.api(database.storage);
    let answer = api.anonymous().get("/readyz").await;
    let took = started.elapsed();
    assert_eq!(answer.status, 200, "{answer:?}");
    let startup_ms = binary.entries("listening")[0]["startup_ms"].clone();
    println!(
        "{:?}: ready after {took:?}; startup_ms {startup_ms}",
        database.storage
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    let startup_ms = Duration::from_millis(startup_ms.as_u64().expect("a number"));
    assert!(startup_ms <= binary.startup(), "{startup_ms:?}");
    // Migrations included: a task can be stored.
    api.user("alice").has_task("the first one").await;
}

#[tokio::test]
async fn us2_1_the_log_says_which_sqlite_file_is_used() {
    let database = Empty::sqlite();
    let binary = TaskApi::serve_on(&database.url).start().await;
    let entry = the_only(binary.entries("database connected"));
    assert_eq!(entry["kind"], "sqlite");
    assert_eq!(entry["database"], database.url["sqlite:".len()..]);
    assert!(
        entry["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.")),
        "{entry}"
    );
}

#[tokio::test]
async fn edge_case_a_short_secret_is_warned_about_once_and_the_server_starts() {
    let secret = "only-31-bytes-long-0123456789-a";
    for (variable, value) in [
        ("BETTER_AUTH_SECRET", secret),
        ("BETTER_AUTH_SECRETS", &format!("1:{secret}")),
    ] {
        let database = Empty::sqlite();
        let binary = TaskApi::serve_on(&database.url)
            .env(variable, value)
            .start()
            .await;
        let log = binary.log();
        let warnings: Vec<_> = log
            .lines()
            .filter(|line| line.contains("less than 32 bytes"))
            .collect();
        assert_eq!(warnings.len(), 1, "{log}");
        assert!(
            warnings[0].contains(variable) && warnings[0].contains("WARN"),
            "{log}"
        );
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_secret_of_32_bytes_is_not_warned_about() {
    let database = Empty::sqlite();
    let secret = "exactly-32-bytes-long-0123456789";
    let binary = TaskApi::serve_on(&database.url)
        .env("BETTER_AUTH_SECRET", secret)
        .start()
        .await;
    assert!(!binary.log().contains("WARN"), "{}", binary.log());
}

/// A load balancer that keeps connections for longer would else send requests on closed ones.
#[tokio::test]
async fn a_connection_without_a_request_stays_open_for_as_long_as_keep_alive_says() {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Instant;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    for (keep_alive, is_closed) in [("1s", true), ("1h", false)] {
        let server = TaskApi::serve_on(&url)
            .env("KEEP_ALIVE", keep_alive)
            .start()
            .await;
        let address = server.url().strip_prefix("http://").expect("a URL").to_owned();
        let mut connection = std::net::TcpStream::connect(address).expect("a connection");
        connection
            .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("a request");
        let limit = Duration::from_secs(if is_closed { 5 } else { 3 });
        connection.set_read_timeout(Some(limit)).expect("a time limit");
        let mut answer = [0; 4_096];
        assert!(connection.read(&mut answer).expect("an answer") > 0);
        let answered = Instant::now();
        // The rest of the answer, if there is any, and the end.
        let end = loop {
            match connection.read(&mut answer) {
                Ok(length) if length > 0 => {}
                end => break end,
            }
        };
        if is_closed {
            assert_eq!(end.expect("an end"), 0);
            assert!(
                answered.elapsed() >= Duration::from_millis(900),
                "{:?}",
                answered.elapsed()
            );
        } else {
            let kind = end.expect_err("no end").kind();
            assert!(
                matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn port_0_is_any_free_port_and_the_log_says_which() {
    let database = Empty::sqlite();
    let binary = TaskApi::serve_on(&database.url).env("PORT", "0").start().await;
    let entry = the_only(binary.entries("listening"));
    let port: u16 = entry["url"]
        .as_str()
        .and_then(|url| url.strip_prefix("http://127.0.0.1:"))
        .and_then(|port| port.parse().ok())
        .expect("a port of the loopback address, which is the default");
    assert_ne!(port, 0);
    assert_eq!(
        binary
            .api(database.storage)
            .anonymous()
            .get("/livez")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn servers_started_at_once_on_one_new_sqlite_file_all_come_up_and_share_it() {
    share_a_new_database(&Empty::sqlite()).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn servers_started_at_once_on_one_empty_postgresql_database_all_come_up_and_share_it() {
    share_a_new_database(&Empty::postgres().await).await;
}

async fn share_a_new_database(database: &Empty) {
    let start = || TaskApi::serve_on(&database.url).start();
    let (one, two, three) = tokio::join!(start(), start(), start());
    let migrated = [&one, &two, &three].map(|binary| binary.entries("schema brought up to date").len());
    assert_eq!(
        migrated.iter().sum::<usize>(),
        1,
        "one migrates, the others wait: {migrated:?}"
    );
    let user = |binary: &Binary| binary.api(database.storage).user("alice");
    let id = user(&one).has_task("written through the first").await["id"].clone();
    let path = format!("/api/tasks/{}", id.as_str().expect("an id"));
    for binary in [&two, &three] {
        assert_eq!(user(binary).get(&path).await.status, 200);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn without_migrate_on_start_nothing_is_created_until_migrate_runs() {
    let database = test_postgres::fresh_database().await;
    let task_api = TaskApi::serve_on(database.url()).env("MIGRATE_ON_START", "false");
    let binary = task_api.clone().start().await;
    let warning = the_only(binary.entries("the schema is older than this program: run `task-api migrate`"));
    assert!(
        warning["migrations"]
            .as_str()
            .is_some_and(|names| names.contains("create_tasks")),
        "{warning}"
    );
    let client = database.client().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0);
    let api = binary.api(Storage::Postgres);
    let refused = api
        .user("alice")
        .post("/api/tasks", &json!({ "title": "too early" }))
        .await;
    assert_eq!(refused.problem(), "internal_error");
    let unready = api.anonymous().get("/readyz").await;
    assert_eq!(unready.status, 503);
    assert_eq!(unready.problem(), "database_unavailable");
    let log = binary.logs("run `task-api migrate`): SQLSTATE 42P01").await;
    assert!(log.contains("the table of tasks cannot be used"), "{log}");

    let (output, _) = TaskApi::with(&["migrate"])
        .env("DATABASE_URL", database.url())
        .output();
    assert!(output.status.success(), "{output:?}");
    // The server that was there all the time can go to work.
    let deadline = Instant::now() + Duration::from_secs(5);
    while api.anonymous().get("/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "the verdict stands for a second only");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    api.user("alice").has_task("after the migration").await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_schema_of_a_newer_program_is_served_with_a_warning() {
    let database = test_postgres::fresh_database().await;
    let (output, _) = TaskApi::with(&["migrate"])
        .env("DATABASE_URL", database.url())
        .output();
    assert!(output.status.success(), "{output:?}");
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000000')";
    database.client().await.batch_execute(newer).await.unwrap();
    let binary = TaskApi::serve_on(database.url()).start().await;
    let warning = the_only(
        binary.entries("the schema is newer than this program: migrations have run that it does not know"),
    );
    assert_eq!(warning["versions"], "29991231000000");
    let api = binary.api(Storage::Postgres);
    assert_eq!(api.anonymous().get("/readyz").await.status, 200);
    api.user("alice").has_task("all the same").await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn fr_003_unknown_parameters_of_the_url_are_dropped_with_one_warning_that_counts_them() {
    let database = test_postgres::fresh_database().await;
    let separator = if database.url().contains('?') { '&' } else { '?' };
    let url = format!(
        "{}{separator}pgbouncer=true&pool_mode=seventh-heaven",
        database.url()
    );
    let binary = TaskApi::serve_on(&url).start().await;
    let log = binary.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    let warning: Value = serde_json::from_str(warnings[0]).unwrap();
    assert_eq!(warning["parameters"], 2);
    assert!(
        warning["message"].as_str().unwrap().starts_with("DATABASE_URL "),
        "{warning}"
    );
    for part in ["seventh-heaven", "pgbouncer", "pool_mode"] {
        assert!(!log.contains(part), "{log}");
    }
}

fn the_only(entries: Vec<Value>) -> Value {
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.into_iter().next().expect("one entry")
}
