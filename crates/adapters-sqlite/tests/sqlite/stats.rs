//! The statistics of the database about its own use.

use std::time::Duration;

use crate::support::Fixture;
use adapters_sqlite::{LaneStats, SqliteSettings};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use domain::task::TaskRepository;
use domain::testing::{a_task, an_owner};
use futures_util::FutureExt;

#[test]
fn a_database_at_rest_has_its_connections_and_nobody_waits() {
    let fixture = Fixture::with(SqliteSettings {
        readers: 3,
        ..SqliteSettings::default()
    });
    let at_rest = |connections| LaneStats {
        connections,
        waiting: 0,
        timeouts: 0,
    };
    let stats = fixture.database.stats();
    assert_eq!((stats.writes, stats.reads), (at_rest(1), at_rest(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_and_who_has_waited_in_vain_is_counted() {
    let fixture = Fixture::with(SqliteSettings {
        call_timeout: Duration::from_millis(100),
        ..SqliteSettings::default()
    });
    let path = fixture.path.to_str().expect("a path in UTF-8");
    let mut stranger = SqliteConnection::establish(path).expect("a connection");
    stranger.batch_execute("BEGIN IMMEDIATE").expect("a lock");
    let tasks = fixture.database.tasks();
    let task = a_task(&an_owner(), "one");
    // The first one is being done and stands in the way of the second.
    tasks.insert(&task, None).await.expect_err("a lock is in the way");
    let mut second = tasks.insert(&task, None);
    assert!(second.as_mut().now_or_never().is_none());
    let stats = fixture.database.stats();
    assert_eq!((stats.writes.waiting, stats.writes.timeouts), (1, 1));
    assert_eq!(stats.in_flight, 1, "the first one counts no more");
    second.await.expect_err("a lock is in the way");
    let stats = fixture.database.stats();
    assert_eq!((stats.writes.waiting, stats.writes.timeouts), (0, 2));
    assert_eq!((stats.in_flight, stats.reads.timeouts), (0, 0));
}
