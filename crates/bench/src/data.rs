//! A throwaway PostgreSQL, and the same rows in it for each server.

use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use test_postgres::{Cluster, ClusterOptions};
use tokio_postgres::{Client, NoTls, Row};

use crate::Fallible;
use crate::machine::cores;
use crate::spread::Spread;

/// How many users send requests.
pub const USERS: usize = 500;
/// How many tasks each has at first. They lie scattered, as they do where many users create them at the same time.
const TASKS_PER_USER: i64 = 200;
/// How many tasks the requests are about.
const KNOWN_TASKS: i64 = 20_000;
/// The creation of the first task: 2025-10-09, in milliseconds since 1970.
const FIRST_MILLISECOND: i64 = 1_760_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The name of a user.
#[must_use]
pub fn user(number: usize) -> String {
    format!("user-{number}")
}

/// A task that is there, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTask {
    /// The user.
    pub user: Rc<str>,
    /// The id of the task.
    pub id: String,
}

/// When a commit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
pub enum Commits {
    /// As soon as this machine's disk has it (`synchronous_commit=on`).
    #[value(name = "local")]
    #[serde(rename = "local")]
    Local,
    /// After 5 ms more, as if the log were replicated to another machine, as Neon's is.
    #[value(name = "5ms")]
    #[serde(rename = "5ms")]
    FiveMilliseconds,
}

impl Commits {
    /// Its name, as a heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Local => "Commits to the local disk",
            Self::FiveMilliseconds => "Commits that take 5 ms",
        }
    }

    fn delay_in_microseconds(self) -> u32 {
        match self {
            Self::Local => 0,
            Self::FiveMilliseconds => 5_000,
        }
    }
}

/// Signs tokens as the front end's Better Auth does.
#[derive(Debug, Clone)]
pub struct Tokens {
    secret: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    user_id: &'a str,
    iat: u64,
    exp: u64,
}

impl Tokens {
    /// Tokens signed with this secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
        }
    }

    /// The secret, for the servers.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The `Authorization` of a user, good for a day.
    ///
    /// # Errors
    /// The token cannot be signed.
    pub fn bearer(&self, user: &str) -> Fallible<String> {
        self.bearer_until(user, seconds_since_1970() + 24 * 60 * 60)
    }

    /// The `Authorization` of a user, expired a minute ago.
    ///
    /// # Errors
    /// The token cannot be signed.
    pub fn expired_bearer(&self, user: &str) -> Fallible<String> {
        self.bearer_until(user, seconds_since_1970() - 60)
    }

    fn bearer_until(&self, user: &str, exp: u64) -> Fallible<String> {
        let claims = Claims {
            sub: user,
            user_id: user,
            iat: exp - 24 * 60 * 60,
            exp,
        };
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
        Ok(format!("Bearer {token}"))
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// A PostgreSQL of our own; it goes away with this value or with the process.
pub struct Storage {
    cluster: Cluster,
    admin: Client,
}

impl Storage {
    /// Starts a server that keeps what it has confirmed.
    ///
    /// # Errors
    /// It does not answer.
    ///
    /// # Panics
    /// There are no programs of PostgreSQL; the message says what to install.
    pub async fn start() -> Fallible<Self> {
        // A cluster for tests may lose data; this one may not.
        let settings = [
            "fsync = on",
            "full_page_writes = on",
            "synchronous_commit = on",
            "commit_siblings = 0",
            "shared_buffers = '512MB'",
            "max_wal_size = '8GB'", // no checkpoint in the middle of somebody's turn
            "checkpoint_timeout = '1h'",
            "timezone = 'UTC'",
            "jit = off",
        ];
        // For all servers at once, most of them for the 40 threads of each worker of FastAPI.
        let connections = format!("max_connections = {}", 100 + 60 * cores());
        let settings = settings.map(str::to_owned).into_iter().chain([connections]);
        let cluster = Cluster::start(&ClusterOptions {
            settings: settings.collect(),
            ..ClusterOptions::default()
        });
        let admin = connect(&cluster.url("postgres")).await?;
        Ok(Self { cluster, admin })
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(database)
    }

    /// The version of the server.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn version(&self) -> Fallible<String> {
        let row = self.admin.query_one("SHOW server_version", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// An empty database.
    ///
    /// # Errors
    /// There is one of this name.
    pub async fn create(&self, database: &str) -> Fallible<()> {
        Ok(self
            .admin
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .await?)
    }

    /// A database that is equal to another, which no one may be using.
    ///
    /// # Errors
    /// Someone uses it, or there is one of this name.
    pub async fn copy(&self, from: &str, to: &str) -> Fallible<()> {
        let statement = format!("CREATE DATABASE {to} TEMPLATE {from}");
        Ok(self.admin.batch_execute(&statement).await?)
    }

    /// Fills a database that has the schema with so many tasks of these users.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn fill(&self, database: &str, users: Range<usize>, tasks: i64) -> Fallible<()> {
        let client = connect(&self.url(database)).await?;
        let (first, count) = (i64::try_from(users.start)?, i64::try_from(users.len())?);
        client
            .execute(INSERT_TASKS, &[&count, &tasks, &FIRST_MILLISECOND, &first])
            .await?;
        // What autovacuum would do sooner or later, in the middle of a measurement.
        client.batch_execute("VACUUM ANALYZE tasks").await?;
        Ok(client.batch_execute("CHECKPOINT").await?)
    }

    /// Fills a database for the load.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn fill_for_load(&self, database: &str) -> Fallible<()> {
        let users = i64::try_from(USERS)?;
        self.fill(database, 0..USERS, users * TASKS_PER_USER).await
    }

    /// Some tasks that [`Storage::fill`] has stored, in no order.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn known_tasks(&self, database: &str) -> Fallible<Vec<KnownTask>> {
        let client = connect(&self.url(database)).await?;
        let statement = "SELECT user_id, id::text FROM tasks ORDER BY random() LIMIT $1";
        let rows = client.query(statement, &[&KNOWN_TASKS]).await?;
        rows.iter().map(known_task).collect()
    }

    /// Stores tasks to be deleted, as old as the first ones, so that no one's newest tasks change.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn add_tasks_to_delete(&self, database: &str, count: i64) -> Fallible<Vec<KnownTask>> {
        let client = connect(&self.url(database)).await?;
        let statement = format!("{INSERT_TASKS} RETURNING user_id, id::text");
        let rows = client
            .query(
                &statement,
                &[&i64::try_from(USERS)?, &count, &FIRST_MILLISECOND, &0_i64],
            )
            .await?;
        rows.iter().map(known_task).collect()
    }

    /// Removes tasks that were to be deleted and were not.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn remove(&self, database: &str, tasks: &[KnownTask]) -> Fallible<()> {
        let client = connect(&self.url(database)).await?;
        let users: Vec<&str> = tasks.iter().map(|task| &*task.user).collect();
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let statement = "DELETE FROM tasks USING unnest($1::text[], $2::text[]) AS gone (owner, gone_id) \
                         WHERE user_id = owner AND id = gone_id::uuid";
        client.execute(statement, &[&users, &ids]).await?;
        Ok(())
    }

    /// The processes that serve connections to a database.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn backends(&self, database: &str) -> Fallible<Vec<u32>> {
        let statement =
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'";
        let rows = self.admin.query(statement, &[&database]).await?;
        rows.iter()
            .map(|row| Ok(row.try_get::<_, i32>(0)?.try_into()?))
            .collect()
    }

    /// The Unix socket of the server.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.cluster.socket()
    }

    /// Runs a statement in a database.
    ///
    /// # Errors
    /// It fails.
    pub async fn run(&self, database: &str, statement: &str) -> Fallible<()> {
        let client = connect(&self.url(database)).await?;
        Ok(client.batch_execute(statement).await?)
    }

    /// The ids of a user's first tasks.
    ///
    /// # Errors
    /// The statement fails.
    pub async fn ids_of(&self, database: &str, user: &str, count: usize) -> Fallible<Vec<String>> {
        let client = connect(&self.url(database)).await?;
        let statement = "SELECT id::text FROM tasks WHERE user_id = $1 ORDER BY id LIMIT $2";
        let rows = client.query(statement, &[&user, &i64::try_from(count)?]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// How many statements about tasks have been running for a tenth of a second: those that no one has stopped.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn long_statements(&self, database: &str) -> Fallible<i64> {
        let statement = "SELECT count(*) FROM pg_stat_activity \
                         WHERE datname = $1 AND state = 'active' AND query LIKE '%tasks%' \
                           AND clock_timestamp() - query_start > interval '100 ms'";
        let row = self.admin.query_one(statement, &[&database]).await?;
        Ok(row.try_get(0)?)
    }

    /// Ends every session in a database, whatever it does.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn end_sessions(&self, database: &str) -> Fallible<()> {
        let statement = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        self.admin.query(statement, &[&database]).await?;
        Ok(())
    }

    /// From now on a commit takes that long.
    ///
    /// # Errors
    /// The server does not take the setting.
    pub async fn set_commits(&self, commits: Commits) -> Fallible<()> {
        let delay = commits.delay_in_microseconds().to_string();
        let statement = format!("ALTER SYSTEM SET commit_delay = {delay}");
        self.admin.batch_execute(&statement).await?;
        self.admin.batch_execute("SELECT pg_reload_conf()").await?;
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            let row = self.admin.query_one("SHOW commit_delay", &[]).await?;
            if row.try_get::<_, &str>(0)? == delay {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("PostgreSQL does not take another commit_delay".into())
    }

    /// How long a commit takes now, in milliseconds: the median of some.
    ///
    /// # Errors
    /// A statement fails.
    pub async fn commit_milliseconds(&self) -> Fallible<f64> {
        self.admin
            .batch_execute("CREATE TABLE IF NOT EXISTS commits (n integer)")
            .await?;
        let mut times = Vec::new();
        for _ in 0..100 {
            let started = Instant::now();
            self.admin.batch_execute("INSERT INTO commits VALUES (1)").await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Spread::of(times).ok_or("no commit was timed")?.median)
    }
}

/// Stores tasks of consecutive users in turn. Each id is a UUID of version 7, made at its task's
/// `created_at`, as the server makes them.
const INSERT_TASKS: &str = "\
    INSERT INTO tasks (user_id, id, created_at, updated_at, status, title, description) \
    SELECT 'user-' || $4::bigint + n % $1::bigint, \
           (substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(chance, 1, 3) || '-8' \
            || substr(chance, 4, 3) || '-' || substr(chance, 7, 12))::uuid, \
           timestamptz 'epoch' + ms * interval '1 millisecond', \
           timestamptz 'epoch' + ms * interval '1 millisecond', \
           'pending', \
           'A title of an ordinary length, ' || n, \
           'A description that says a little more about what is to be done.' \
    FROM generate_series(1, $2::bigint) AS n, \
         LATERAL (SELECT $3::bigint + n AS ms, md5(n || random()::text) AS chance) AS made, \
         LATERAL (SELECT lpad(to_hex(ms), 12, '0') AS time) AS written";

fn known_task(row: &Row) -> Fallible<KnownTask> {
    Ok(KnownTask {
        user: Rc::from(row.try_get::<_, &str>(0)?),
        id: row.try_get(1)?,
    })
}

async fn connect(url: &str) -> Fallible<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
