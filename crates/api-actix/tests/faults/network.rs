//! The way to the database is cut, blocked, slow, or swallows everything.

use std::time::Duration;

use tokio::time::sleep;

use crate::proxy::Mood;
use crate::trial::Trial;
use crate::{seconds, short_or_long};

/// Lets the network be in that mood for this time.
async fn network_is(mood: Mood, time: Duration, fault: &'static str) {
    let trial = Trial::of(fault);
    trial
        .strikes(async |stage, _| {
            stage.network(mood);
            sleep(time).await;
            stage.network(Mood::Forwarding);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_all_connections_are_cut() {
    network_is(Mood::Refusing, Duration::from_millis(100), "connections cut").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_answers_are_lost_on_the_way() {
    // The server must not take what it has done for what it has not, nor do it twice.
    let trial = Trial::of("answers of the database lost");
    trial
        .strikes(async |stage, load| {
            for _ in 0..short_or_long(5, 50) {
                stage.network(Mood::Swallowing);
                sleep(Duration::from_millis(50)).await;
                stage.network(Mood::Forwarding);
                load.stores(30).await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_connections_are_refused() {
    network_is(Mood::Refusing, seconds(2, 10), "connections refused").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_connections_are_half_open() {
    network_is(Mood::Silent, seconds(3, 10), "connections half-open").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_the_network_stands_still() {
    network_is(Mood::Standing, seconds(1, 10), "network standing still").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_every_round_trip_takes_200_ms_longer() {
    let delay = Mood::Delaying(Duration::from_millis(100));
    network_is(delay, seconds(1, 10), "round trips 200 ms longer").await;
}
