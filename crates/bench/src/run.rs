//! The whole measurement, from nothing to results.

use std::time::Duration;

use tempfile::TempDir;

use crate::Fallible;
use crate::behaviour;
use crate::data::{Commits, Storage, Tokens};
use crate::large_user;
use crate::load::{self, Measurement, Turn};
use crate::machine::{Machine, resident_mebibytes};
use crate::operations::{Operation, Requests};
use crate::options::Plan;
use crate::programs::{Kind, Programs};
use crate::progress::tell;
use crate::results::{Cell, Results, ServerFigures};
use crate::servers::{Server, copy_to_sqlite, migrate};

const SECRET: &str = "a secret that signs the tokens of this measurement";
/// The database that the servers get copies of.
const FILLED: &str = "filled";
/// More deletions in a second than servers do. Should one do more, its turn ends early.
const DELETIONS_PER_SECOND: u64 = 12_000;

/// Measures what is planned, telling on standard error how far it is.
///
/// # Errors
/// The product or PostgreSQL cannot be had, or a server does something that it must not.
pub async fn run(plan: &Plan) -> Fallible<Results> {
    let machine = Machine::this();
    let programs = Programs::beside_this_one()?;
    let kinds = prepare(&programs, &plan.servers)?;
    tell("starting PostgreSQL and filling a database for each server");
    let tokens = Tokens::new(SECRET);
    let storage = Storage::start().await?;
    storage.create(FILLED).await?;
    migrate(&programs, &storage.url(FILLED))?;
    storage.fill_for_load(FILLED).await?;
    let requests = Requests::new(storage.known_tasks(FILLED).await?, &tokens)?;
    let folder = TempDir::new()?;
    for kind in &kinds {
        match kind {
            Kind::Sqlite => copy_to_sqlite(&programs, &storage.url(FILLED), &sqlite_url(&folder))?,
            kind => storage.copy(FILLED, kind.database()).await?,
        }
    }
    let bench = Bench {
        programs,
        storage,
        tokens,
        requests,
        folder,
        plan,
    };
    bench.measure(machine, &kinds).await
}

/// Those servers that can be had. Without Python there is one peer less; everything else must be there.
fn prepare(programs: &Programs, wanted: &[Kind]) -> Fallible<Vec<Kind>> {
    // Whatever is measured: its command brings the schema.
    programs.prepare(Kind::TaskApi)?;
    let mut kinds = Vec::new();
    for kind in wanted {
        tell(&format!("preparing {}", kind.name()));
        match programs.prepare(*kind) {
            Ok(()) => kinds.push(*kind),
            Err(reason) if *kind == Kind::Fastapi => tell(&format!("!!! FastAPI IS SKIPPED: {reason}")),
            Err(reason) => return Err(reason),
        }
    }
    Ok(kinds)
}

struct Bench<'a> {
    programs: Programs,
    storage: Storage,
    tokens: Tokens,
    requests: Requests,
    /// Where the file of SQLite lies.
    folder: TempDir,
    plan: &'a Plan,
}

impl Bench<'_> {
    async fn measure(&self, machine: Machine, kinds: &[Kind]) -> Fallible<Results> {
        let first_answers = self.starts(kinds).await?;
        let mut servers = Vec::new();
        for kind in kinds {
            servers.push(self.start(*kind).await?);
        }
        let idle: Vec<_> = servers.iter().map(memory).collect();
        for server in &servers {
            let behaves = behaviour::check(server.address, &self.tokens).await;
            behaves.map_err(|wrong| format!("{} is not measured: {wrong}", server.kind.name()))?;
        }
        let (mut cells, mut commit_ms) = (Vec::new(), Vec::new());
        for commits in &self.plan.commits {
            self.storage.set_commits(*commits).await?;
            commit_ms.push((*commits, self.storage.commit_milliseconds().await?));
            for connections in &self.plan.connections {
                for operation in &self.plan.operations {
                    cells.push(self.cell(&servers, *commits, *operation, *connections).await?);
                }
            }
        }
        let loaded: Vec<_> = servers.iter().map(memory).collect();
        drop(servers);
        let large_user = if self.plan.large_user && kinds.contains(&Kind::TaskApi) {
            tell("filling a database with a million tasks, 600,000 of them of one user");
            Some(large_user::measure(&self.storage, &self.programs, &self.tokens).await?)
        } else {
            None
        };
        let figures = kinds.iter().zip(first_answers).zip(idle.into_iter().zip(loaded));
        Ok(Results {
            machine,
            postgres: self.storage.version().await?,
            turn_seconds: self.plan.turn.as_secs_f64(),
            commit_ms,
            servers: figures
                .map(
                    |((server, first_answer_ms), (idle_mib, loaded_mib))| ServerFigures {
                        server: *server,
                        first_answer_ms,
                        idle_mib,
                        loaded_mib,
                    },
                )
                .collect(),
            cells,
            large_user,
        })
    }

    async fn start(&self, kind: Kind) -> Fallible<Server> {
        let database = match kind {
            Kind::Sqlite => sqlite_url(&self.folder),
            kind => self.storage.url(kind.database()),
        };
        Server::start(kind, &self.programs, &database, &self.tokens).await
    }

    /// How long each server took to start, in milliseconds, one figure for each start.
    async fn starts(&self, kinds: &[Kind]) -> Fallible<Vec<Vec<f64>>> {
        let mut times = vec![Vec::new(); kinds.len()];
        for round in 1..=self.plan.starts {
            for (kind, times) in kinds.iter().zip(&mut times) {
                let milliseconds = self.start(*kind).await?.first_answer.as_secs_f64() * 1e3;
                tell(&format!(
                    "start {round}/{}  {:<8}  {milliseconds:.0} ms to the first answer",
                    self.plan.starts,
                    kind.name()
                ));
                times.push(milliseconds);
            }
        }
        Ok(times)
    }

    /// The servers take turns: A B C, C B A, …, so that neither a place in the order nor what the machine does
    /// meanwhile favours one of them.
    async fn cell(
        &self,
        servers: &[Server],
        commits: Commits,
        operation: Operation,
        connections: usize,
    ) -> Fallible<Cell> {
        let servers: Vec<_> = servers
            .iter()
            .filter(|server| server.kind.takes_part(commits, operation))
            .collect();
        let mut turns: Vec<_> = servers.iter().map(|server| (server.kind, Vec::new())).collect();
        for round in 0..self.plan.rounds {
            let mut order: Vec<_> = servers.iter().zip(&mut turns).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for (server, (_, turns)) in order {
                let measured = self.turn(server, operation, connections).await;
                let measured =
                    measured.map_err(|error| format!("{}, {operation}: {error}", server.kind.name()))?;
                tell(&format!(
                    "{:<24}  {operation:<6}  {connections:>3} connections  round {}/{}  {:<8}  {:>6.0}/s  p99 {:.1} ms{}",
                    commits.title(),
                    round + 1,
                    self.plan.rounds,
                    server.kind.name(),
                    measured.per_second,
                    measured.p99_ms,
                    if measured.failures > 0 {
                        "  !!! WRONG ANSWERS"
                    } else {
                        ""
                    },
                ));
                turns.push(measured);
            }
        }
        Ok(Cell {
            commits,
            operation,
            connections,
            turns,
        })
    }

    async fn turn(&self, server: &Server, operation: Operation, connections: usize) -> Fallible<Measurement> {
        let database = server.kind.database();
        let deletes = operation == Operation::Delete;
        if deletes {
            let seconds = (self.plan.turn + Duration::from_secs(1)).as_secs();
            let count = i64::try_from(seconds * DELETIONS_PER_SECOND)?;
            let doomed = self.storage.add_tasks_to_delete(database, count).await?;
            self.requests.will_delete(doomed);
        }
        let measured = load::run(Turn {
            address: server.address,
            operation,
            requests: &self.requests,
            connections,
            duration: self.plan.turn,
            server: &server.processes,
            storage: &self.storage,
            database,
        });
        let measured = measured.await?;
        if deletes {
            self.storage
                .remove(database, &self.requests.will_delete(Vec::new()))
                .await?;
        }
        Ok(measured)
    }
}

fn sqlite_url(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("tasks.db").display())
}

fn memory(server: &Server) -> Option<f64> {
    resident_mebibytes(&server.processes)
}
