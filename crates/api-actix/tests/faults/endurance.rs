//! For longer, and with more users.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use test_postgres::StopMode;
use tokio::time::sleep;

use crate::load::Load;
use crate::proxy::Mood;
use crate::stage::Stage;
use crate::trial::Trial;
use crate::{seconds, seed, short_or_long};

/// How many writes are acknowledged while one crash follows the other.
fn enough_writes() -> usize {
    short_or_long(600, 50_000)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn crash_after_crash_every_acknowledged_write_is_kept() {
    let trial = Trial::of("one crash after the other").may_break();
    let (_, crashes) = trial
        .strikes(async |stage, load| {
            let end = Instant::now() + seconds(60, 1_800);
            let mut dice = StdRng::seed_from_u64(seed());
            let mut crashes = 0;
            while load.acknowledged() < enough_writes() && Instant::now() < end {
                load.stores(dice.random_range(50..=short_or_long(150, 500))).await;
                crash(&mut dice, stage).await;
                crashes += 1;
            }
            assert!(load.acknowledged() >= enough_writes(), "{}", load.acknowledged());
            crashes
        })
        .await;
    println!("  {crashes} crashes");
}

async fn crash(dice: &mut StdRng, stage: &Stage) {
    match dice.random_range(0..6) {
        0 => stage.kill_a_backend().await,
        1 => {
            stage.terminate_backends(i64::MAX).await;
        }
        2 => stage.restart_database(StopMode::Immediate),
        3 => {
            stage.network(Mood::ClosingLate(Duration::from_millis(500)));
            stage.restart_database(StopMode::Immediate);
            stage.network(Mood::Forwarding);
        }
        4 => {
            stage.network(Mood::Swallowing);
            sleep(Duration::from_millis(50)).await;
            stage.network(Mood::Forwarding);
        }
        _ => {
            stage.kill_server().await;
            stage.start_server().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_007_a_hundred_users_at_work_are_all_served() {
    crowd("100 users", 100, seconds(1, 60)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn as_many_connections_as_there_are_users_are_served() {
    // A thousand need more open files than a shell allows by default on some systems.
    let users = short_or_long(300, 1_000);
    crowd("a connection for each of many users", users, seconds(1, 30)).await;
}

async fn crowd(name: &'static str, users: u64, time: Duration) {
    let trial = Trial::of_a_crowd(name, users);
    let (report, ()) = trial.strikes(async |_, _: &Load| sleep(time).await).await;
    let (_, times) = report.times();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "  {users} users, {} requests in {time:?}: p50 {:.1?}, p95 {:.1?}, p99 {:.1?}",
        times.len(),
        at(50),
        at(95),
        at(99)
    );
}
