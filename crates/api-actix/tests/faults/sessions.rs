//! Connections end, or there are none to be had.

use std::pin::pin;

use futures_util::future::{join_all, select};
use tokio::time::sleep;

use crate::seconds;
use crate::stage::MAX_CONNECTIONS;
use crate::trial::Trial;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_a_backend_is_killed() {
    let trial = Trial::of("a backend killed");
    trial.strikes(async |stage, _| stage.kill_a_backend().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_one_session_is_terminated() {
    let trial = Trial::of("one session terminated");
    let (_, terminated) = trial
        .strikes(async |stage, _| stage.terminate_backends(1).await)
        .await;
    assert_eq!(terminated, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_all_sessions_are_terminated() {
    let trial = Trial::of("all sessions terminated");
    let (_, terminated) = trial
        .strikes(async |stage, _| stage.terminate_backends(i64::MAX).await)
        .await;
    assert!(terminated > 2, "the server should have had connections to lose");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sc_005_outsiders_take_every_connection() {
    let trial = Trial::of("max_connections reached by outsiders");
    trial
        .strikes(async |stage, _| {
            let elsewhere = stage.another_database().await;
            let eviction = stage.eviction().await;
            // Those who do not get in keep asking.
            let outsiders = join_all((0..MAX_CONNECTIONS + 20).map(|_| elsewhere.client()));
            let siege = async {
                eviction.await;
                sleep(seconds(2, 8)).await;
            };
            // They leave when it is over.
            select(pin!(outsiders), pin!(siege)).await;
        })
        .await;
}
