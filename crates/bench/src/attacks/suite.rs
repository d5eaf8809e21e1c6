//! All attacks, one after the other, each on a server of its own.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::attack::{Attack, Database};
use super::observation::Observer;
use super::options::Plan;
use super::report::{Recovery, Row};
use super::victims::{self, Request, Seen};
use super::world::{POOL_SIZE, Scene, World};
use crate::Fallible;
use crate::progress::tell;

/// What slow readers need: to read for the first, second and third time.
const LONG_ENOUGH_TO_READ_THRICE: Duration = Duration::from_secs(65);
/// What half-open connections need: until time limits have told of the last of them.
const LONG_ENOUGH_TO_RECOVER: Duration = Duration::from_secs(5);

/// Does what is planned, telling on standard error how far it is.
///
/// # Errors
/// A program or PostgreSQL cannot be had, or a server does not start.
pub async fn run(plan: &Plan) -> Fallible<Vec<Row>> {
    let world = World::build(plan).await?;
    let mut rows = Vec::new();
    let names: Vec<_> = world.subjects().map(str::to_owned).collect();
    let mut undisturbed: Vec<Option<Seen>> = vec![None; names.len() * plan.databases.len()];
    for attack in &plan.attacks {
        let databases = plan.databases.iter().zip(0..);
        for (database, place) in databases.filter(|(database, _)| attack.is_possible_on(**database)) {
            for (subject, name) in names.iter().enumerate() {
                tell(&format!("{} on {}, {name}", attack.name(), database.name()));
                // Once for each database and program, or every time.
                let known = undisturbed.get_mut(place * names.len() + subject);
                let known = known.ok_or("there is a place for each")?;
                if plan.compares_each {
                    *known = None;
                }
                let mut trial = Trial {
                    plan,
                    world: &world,
                    attack: *attack,
                    scene: world.start(subject, *database, *attack).await?,
                };
                let before = match known.take() {
                    Some(seen) => seen,
                    None => trial.watch_victims(plan.undisturbed).await?,
                };
                let row = trial.run(*database, name, before.clone()).await?;
                *known = Some(before);
                trial.end().await?;
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// One attack on one server.
struct Trial<'a> {
    plan: &'a Plan,
    world: &'a World,
    attack: Attack,
    scene: Scene,
}

impl Trial<'_> {
    async fn watch_victims(&self, time: Duration) -> Fallible<Seen> {
        let (server, victims, pace) = (
            self.scene.server.address,
            self.scene.victims.clone(),
            self.plan.pace,
        );
        let watching = on_a_thread(move || victims::watch(server, victims, pace, time));
        watching.await.map_err(Into::into)
    }

    async fn run(&mut self, database: Database, program: &str, undisturbed: Seen) -> Fallible<Row> {
        if self.scene.network.is_some() {
            // So that the server has all the connections that it may have.
            victims::burst(self.scene.server.address, &self.scene.victims, 8 * POOL_SIZE).await;
        }
        let (sender, stop) = watch::channel(false);
        let client = self.scene.attacker.clone();
        let (attack, heard) = (self.attack, stop.clone());
        let started = Instant::now();
        if let Some(network) = &self.scene.network {
            network.fall_silent();
        }
        let attacking = on_a_thread(move || client.run(attack, heard));
        let observer = Observer {
            process: self.scene.server.processes.first().copied().unwrap_or_default(),
            database: self.scene.database.as_deref(),
            storage: &self.world.storage,
        };
        // The attack goes on until the last victim has its answer, or memory runs out.
        let (over, looking) = watch::channel(false);
        let attacked = async {
            let seen = self.watch_victims(self.attack_time()).await;
            sender.send_replace(true);
            over.send_replace(true);
            seen
        };
        let alarm = || {
            sender.send_replace(true);
        };
        let (attacked, mut observation, tally) =
            tokio::join!(attacked, observer.look(looking, alarm), attacking);
        if self.attack == Attack::Pooler {
            observation.cleared = observer.wait_until_cleared(self.plan.time_limit).await;
        }
        let attacked = attacked?;
        let recovery = self.scene.network.is_some().then(|| Recovery {
            first_get: attacked.recovery_from(Request::Get, started),
            first_post: attacked.recovery_from(Request::Post, started),
            last_failure: attacked.last_failure_after(started),
            slowest: attacked.slowest(),
        });
        Ok(Row {
            attack,
            database,
            program: program.to_owned(),
            undisturbed,
            attacked,
            attackers: tally?,
            observation,
            recovery,
            is_dead: !self.scene.server.is_running(),
        })
    }

    fn attack_time(&self) -> Duration {
        let usual = self.plan.attacked;
        match self.attack {
            Attack::SlowReaders => usual.max(LONG_ENOUGH_TO_READ_THRICE),
            Attack::HalfOpen => usual.max(LONG_ENOUGH_TO_RECOVER),
            // Statements pile up once the first of them have been given up.
            Attack::Pooler => usual * 3,
            _ => usual,
        }
    }

    /// What one attack leaves behind must not disturb the next.
    async fn end(self) -> Fallible<()> {
        self.scene.server.end();
        match &self.scene.database {
            Some(database) => self.world.storage.end_sessions(database).await,
            None => Ok(()),
        }
    }
}

/// Does some work on a thread of its own, with a runtime of its own.
fn on_a_thread<T, W>(work: impl FnOnce() -> W + Send + 'static) -> impl Future<Output = Result<T, String>>
where
    T: Send + 'static,
    W: Future<Output = T>,
{
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let done = runtime.map(|runtime| runtime.block_on(work()));
        // A caller who no longer waits needs no result.
        let _ = sender.send(done.map_err(|error| error.to_string()));
    });
    async { receiver.await.map_err(|error| error.to_string())? }
}
