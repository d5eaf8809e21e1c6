//! PostgreSQL restarts, crashes, and is unavailable.

use std::time::Duration;

use test_postgres::StopMode;

use crate::proxy::Mood;
use crate::trial::Trial;
use crate::{seconds, short_or_long};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_postgresql_restarts() {
    let trial = Trial::of("fast restart");
    trial
        .strikes(async |stage, _| stage.restart_database(StopMode::Fast))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_postgresql_crashes() {
    let trial = Trial::of("crash restart");
    trial
        .strikes(async |stage, _| stage.restart_database(StopMode::Immediate))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_postgresql_crashes_and_the_end_of_its_connections_comes_late() {
    // What a crashing backend still says about a commit must not be taken for the commit.
    let trial = Trial::of("crash restarts, connections close late");
    trial
        .strikes(async |stage, load| {
            stage.network(Mood::ClosingLate(Duration::from_millis(500)));
            for _ in 0..short_or_long(3, 20) {
                stage.restart_database(StopMode::Immediate);
                load.stores(50).await;
            }
            stage.network(Mood::Forwarding);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_postgresql_is_away() {
    let trial = Trial::of("database down");
    trial
        .strikes(async |stage, _| stage.take_database_down_for(seconds(3, 10)).await)
        .await;
}
