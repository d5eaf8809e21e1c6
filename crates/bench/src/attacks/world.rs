//! The targets: servers of the real program on throwaway databases with the same users in them.

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use super::attack::{Attack, Database};
use super::attackers::Attacker;
use super::network::Network;
use super::options::{Binary, Plan};
use super::pooler::Pooler;
use super::victims::Victim;
use crate::Fallible;
use crate::data::{Storage, Tokens, user};
use crate::programs::{Kind, Programs};
use crate::progress::tell;
use crate::servers::{Server, copy_to_sqlite, migrate};

const SECRET: &str = "a secret that signs the tokens of this measurement";
/// The database that the others are copies of.
const FILLED: &str = "filled";
const LONG_TASKS: &str = "long-tasks";
const WIDE_TASKS: &str = "wide-tasks";
const ORDINARY: &str = "ordinary";
const VICTIMS: usize = 4;
const TASKS_OF_VICTIMS: i64 = 200;
const ORDINARY_TASKS: usize = 100;

/// How many threads of each server handle requests, whatever the machine has: what an attack does to them depends on
/// it.
pub const WORKERS: usize = 2;
/// How many connections it may have for writes and unbounded reads.
pub const POOL_SIZE: usize = 16;

/// One program with its databases.
struct Subject {
    name: String,
    programs: Programs,
    postgres: String,
    sqlite: PathBuf,
}

/// Everything that the attacks need.
pub struct World {
    /// The cluster of all programs.
    pub storage: Storage,
    tokens: Tokens,
    subjects: Vec<Subject>,
    ordinary_tasks: Vec<String>,
    victims: Vec<Victim>,
    // Where the files of SQLite lie.
    _folder: TempDir,
}

/// A server, and the way to its database if that is a special one.
pub struct Scene {
    /// The server.
    pub server: Server,
    /// The attacks that fit it.
    pub attacker: Attacker,
    /// The others.
    pub victims: Vec<Victim>,
    /// The name of its database in the cluster.
    pub database: Option<String>,
    /// The network to its database.
    pub network: Option<Network>,
    _pooler: Option<Pooler>,
}

impl World {
    /// Starts a cluster and fills a database of each kind for each program.
    ///
    /// # Errors
    /// A program or PostgreSQL cannot be had.
    pub async fn build(plan: &Plan) -> Fallible<Self> {
        let programs = programs(&plan.binaries)?;
        let (_, first) = programs.first().ok_or("there is nothing to attack")?;
        tell("starting PostgreSQL and filling a database for each program");
        let storage = Storage::start().await?;
        storage.create(FILLED).await?;
        migrate(first, &storage.url(FILLED))?;
        storage.fill(FILLED, 0..VICTIMS, TASKS_OF_VICTIMS).await?;
        for statement in fillings(plan.tasks) {
            storage.run(FILLED, &statement).await?;
        }
        storage.run(FILLED, "VACUUM ANALYZE tasks").await?;
        let tokens = Tokens::new(SECRET);
        let mut victims = Vec::new();
        for number in 0..VICTIMS {
            let user = user(number);
            let tasks = storage.ids_of(FILLED, &user, 1).await?;
            victims.push(Victim {
                bearer: tokens.bearer(&user)?,
                task: tasks.into_iter().next().ok_or("a victim has no task")?,
            });
        }
        let ordinary_tasks = storage.ids_of(FILLED, ORDINARY, ORDINARY_TASKS).await?;
        let folder = TempDir::new()?;
        let mut subjects = Vec::new();
        for (number, (name, programs)) in programs.into_iter().enumerate() {
            let postgres = format!("attacked_{number}");
            let sqlite = folder.path().join(format!("{postgres}.db"));
            if plan.databases.contains(&Database::Sqlite) {
                copy_to_sqlite(&programs, &storage.url(FILLED), &sqlite_url(&sqlite))?;
            }
            storage.copy(FILLED, &postgres).await?;
            migrate(&programs, &storage.url(&postgres))?;
            subjects.push(Subject {
                name,
                programs,
                postgres,
                sqlite,
            });
        }
        Ok(Self {
            storage,
            tokens,
            subjects,
            ordinary_tasks,
            victims,
            _folder: folder,
        })
    }

    /// The names of the programs.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subjects.iter().map(|subject| subject.name.as_str())
    }

    /// Starts a server of a program for an attack.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, subject: usize, database: Database, attack: Attack) -> Fallible<Scene> {
        let subject = self.subjects.get(subject).ok_or("there is no such program")?;
        let socket = self.storage.socket();
        let (mut pooler, mut network) = (None, None);
        let url = match (database, attack) {
            (Database::Sqlite, _) => sqlite_url(&subject.sqlite),
            (Database::Postgres, Attack::Pooler) => {
                let started = Pooler::before(socket).await?;
                url_through(pooler.insert(started).address, &subject.postgres)
            }
            (Database::Postgres, Attack::HalfOpen) => {
                let started = Network::before(socket).await?;
                url_through(network.insert(started).address, &subject.postgres)
            }
            (Database::Postgres, _) => self.storage.url(&subject.postgres),
        };
        let settings = [
            ("WORKERS", WORKERS.to_string()),
            ("DB_POOL_SIZE", POOL_SIZE.to_string()),
        ];
        let server =
            Server::start_with(Kind::TaskApi, &subject.programs, &url, &self.tokens, &settings).await?;
        Ok(Scene {
            attacker: Attacker {
                server: server.address,
                long_tasks: self.tokens.bearer(LONG_TASKS)?,
                wide_tasks: self.tokens.bearer(WIDE_TASKS)?,
                ordinary: self.tokens.bearer(ORDINARY)?,
                ordinary_tasks: self.ordinary_tasks.clone(),
            },
            victims: self.victims.clone(),
            database: (database == Database::Postgres).then(|| subject.postgres.clone()),
            server,
            network,
            _pooler: pooler,
        })
    }
}

/// The given program, or the one that is built from here. A build for debugging attacks one for debugging, which the
/// tests have built already: only latencies need the other, and no bound is about them.
fn programs(binaries: &[Binary]) -> Fallible<Vec<(String, Programs)>> {
    if binaries.is_empty() {
        tell("building task-api");
        return Ok(vec![("task-api".to_owned(), Programs::task_api_like_this_one()?)]);
    }
    let given = binaries.iter();
    Ok(given
        .map(|binary| (binary.name.clone(), Programs::with_task_api(&binary.path)))
        .collect())
}

fn sqlite_url(file: &std::path::Path) -> String {
    format!("sqlite:{}", file.display())
}

fn url_through(address: SocketAddr, database: &str) -> String {
    format!("postgresql://postgres@{address}/{database}?sslmode=disable")
}

/// Statements that store the tasks of those who attack. Each id is a UUID of version 7 made at its task's `created_at`,
/// as the server makes them.
fn fillings(long_tasks: i64) -> [String; 3] {
    [
        // Texts that do not compress, so that they are read from where they lie: 64 of them in turn.
        filling(
            LONG_TASKS,
            long_tasks,
            "(SELECT text FROM texts WHERE number = n % 64)",
        ),
        filling(WIDE_TASKS, 500, "repeat('😀', 10000)"),
        filling(
            ORDINARY,
            i64::try_from(ORDINARY_TASKS).unwrap_or(0),
            "'A description that says a little more about what is to be done.'",
        ),
    ]
}

fn filling(user: &str, count: i64, description: &str) -> String {
    format!(
        "WITH texts AS MATERIALIZED ( \
             SELECT number, left((SELECT string_agg(md5(number || '-' || word), ' ') \
                                  FROM generate_series(1, 304) AS word), 10000) AS text \
             FROM generate_series(0, 63) AS number) \
         INSERT INTO tasks (user_id, id, created_at, updated_at, status, title, description) \
         SELECT '{user}', \
                (substr(time, 1, 8) || '-' || substr(time, 9) || '-7' || substr(chance, 1, 3) || '-8' \
                 || substr(chance, 4, 3) || '-' || substr(chance, 7, 12))::uuid, \
                timestamptz 'epoch' + ms * interval '1 millisecond', \
                timestamptz 'epoch' + ms * interval '1 millisecond', \
                'pending', 'Title ' || chance, {description} \
         FROM generate_series(1, {count}) AS n, \
              LATERAL (SELECT 1760000000000 + n AS ms, md5(n || random()::text) AS chance) AS made, \
              LATERAL (SELECT lpad(to_hex(ms), 12, '0') AS time) AS written"
    )
}
