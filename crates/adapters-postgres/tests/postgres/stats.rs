//! The statistics of the database about the use of its connections.

use std::time::Duration;

use crate::support::scene::locked;
use crate::support::{eventually, migrated_with, read, renamed, settings, stored};
use adapters_postgres::{DatabaseStats, LaneStats, RepeatStats};
use domain::testing::an_owner;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn connections_waiters_and_time_outs_are_counted_by_lane() {
    let server = test_postgres::fresh_database().await;
    let mut settings = settings(server.url());
    settings.work_lane_size = 1;
    settings.acquire_timeout = Duration::from_millis(500);
    settings.max_in_flight = 7;
    let database = migrated_with(settings).await;
    let repository = database.worker();
    let lane = |idle, used, waiting, timeouts| LaneStats {
        idle,
        used,
        max: 1,
        waiting,
        timeouts,
    };
    let stats = |read, work, in_flight| DatabaseStats {
        read,
        work,
        in_flight,
        max_in_flight: 7,
        repeats: RepeatStats {
            done: 0,
            denied: 0,
            left: 100,
        },
    };
    assert_eq!(
        database.stats(),
        stats(lane(0, 0, 0, 0), lane(0, 0, 0, 0), 0),
        "nothing connects before the first operation"
    );

    let task = stored(&repository, &an_owner(), "task").await;
    read(&repository, &task).await.expect("a look-up");
    assert_eq!(
        database.stats(),
        stats(lane(1, 0, 0, 0), lane(1, 0, 0, 0), 0),
        "both are at rest"
    );

    let mut client = server.client().await;
    let lock = locked(&mut client, &task).await;
    let renaming = || {
        let (repository, task) = (repository.clone(), task.clone());
        tokio::spawn(async move { renamed(&repository, &task, "new title").await })
    };
    let first = renaming();
    eventually("the first one has the connection", async || {
        database.stats().work.used == 1
    })
    .await;
    let second = renaming();
    let while_waiting = stats(lane(1, 0, 0, 0), lane(0, 1, 1, 0), 2);
    eventually("the second one waits for it", async || {
        database.stats() == while_waiting
    })
    .await;
    second.await.expect("no panic").expect_err("it waited in vain");
    assert_eq!(database.stats(), stats(lane(1, 0, 0, 0), lane(0, 1, 0, 1), 1));
    lock.rollback().await.expect("an end");
    first.await.expect("no panic").expect("an update");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn the_connections_of_all_workers_that_live_are_added_up() {
    let server = test_postgres::fresh_database().await;
    let database = migrated_with(settings(server.url())).await;
    let one = database.worker();
    let other = database.worker();
    let alone = database.stats().work.max / 2;
    assert_eq!(database.stats().read.max, 2);
    drop(one);
    assert_eq!((database.stats().read.max, database.stats().work.max), (1, alone));
    drop(other);
    assert_eq!(database.stats().read.max, 0);
}
