//! How the server runs the statements of the API over many rows.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use crate::support::{a_page_of, eventually, migrated, renamed, stored};
use adapters_postgres::PostgresTaskRepository;
use domain::identity::Owner;
use domain::task::{
    Cursor, Edit, Expected, Fingerprint, IdempotencyKey, Status, TaskArchive, TaskChange, TaskRepository,
};
use domain::testing::{a_task, an_owner_named};
use test_postgres::{Cluster, ClusterOptions, TestDatabase};

/// 20,000 tasks of 50 owners, in the order in which they were created.
const MANY: &str = "INSERT INTO tasks (user_id, id, created_at, updated_at, title)
    SELECT 'owner ' || number % 50, encode(substring(int8send(millis) FROM 3) || '\\x70008000000000000000', 'hex')::uuid,
           to_timestamp(millis / 1000.0), to_timestamp(millis / 1000.0), 'task ' || number
    FROM generate_series(1, 20000) AS number, LATERAL (SELECT 1700000000000 + number * 1000) AS times (millis)";

async fn with_many_tasks(cluster: &Cluster) -> TestDatabase {
    let database = cluster.fresh_database().await;
    migrated(database.url()).await;
    let client = database.client().await;
    client.batch_execute(MANY).await.expect("many tasks");
    client
        .batch_execute("VACUUM ANALYZE tasks")
        .await
        .expect("statistics");
    database
}

/// The plans that `auto_explain` wrote about the statements of the API, each beginning with its text.
fn plans(log: &str) -> Vec<&str> {
    log.split("|task-api|")
        .filter_map(|entry| entry.split_once("Query Text: "))
        .map(|(_, plan)| plan.split("\n|").next().unwrap_or(plan))
        .collect()
}

/// A server that explains everything it does.
fn explaining() -> Cluster {
    Cluster::start(&ClusterOptions {
        settings: vec![
            "session_preload_libraries = 'auto_explain'".to_owned(),
            "auto_explain.log_min_duration = 0".to_owned(),
            "log_line_prefix = '|%a|'".to_owned(),
        ],
        ..ClusterOptions::default()
    })
}

/// Every statement of requests: two pages, a task read, changed twice and deleted, creations with a key and without.
async fn use_everything(repository: &PostgresTaskRepository, owner: &Owner) {
    let page = repository.list(owner, &a_page_of(20)).await.expect("a page");
    let next = a_page_of(20)
        .continued(page.next.expect("a next page"))
        .expect("a cursor of this list");
    let page = repository.list(owner, &next).await.expect("a page");
    assert_eq!(page.items.len(), 20);
    let Some(Cursor { id, .. }) = page.next else {
        return;
    };
    let task = repository
        .find(owner, id)
        .await
        .expect("a look-up")
        .expect("a task");
    renamed(repository, &task, "other").await.expect("an update");
    let change = TaskChange {
        status: Edit::Set(Status::Completed),
        ..TaskChange::default()
    };
    let expected = Expected::OneOf(vec![task.version().next()]);
    let updated = repository.update(owner, id, &change, &expected, task.parts().updated_at);
    let version = updated.await.expect("an update").version();
    let fresh = a_task(owner, "keyed");
    let key = IdempotencyKey::new("key", Fingerprint([7; 32])).expect("a valid key");
    repository.insert(&fresh, Some(key)).await.expect("an insertion");
    let expected = Expected::OneOf(vec![version]);
    repository.delete(owner, id, &expected).await.expect("a deletion");
    let task = stored(repository, owner, "title").await;
    repository
        .delete(owner, task.id(), &Expected::Any)
        .await
        .expect("a deletion");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn every_statement_walks_one_index_and_sorts_and_scans_nothing() {
    let cluster = explaining();
    let database = with_many_tasks(&cluster).await;
    let repository = migrated(database.url()).await.worker();
    let owner = an_owner_named("owner 7");
    let before = cluster.log().len();

    // The server plans a statement five times for its values before it may settle for one plan for all values.
    for _ in 0..8 {
        use_everything(&repository, &owner).await;
    }

    let log = cluster.log();
    let plans = plans(log.get(before..).unwrap_or_default());
    for (statement, index, count) in [
        ("SELECT", "tasks_pkey", 24),
        ("UPDATE", "tasks_pkey", 16),
        ("DELETE", "tasks_pkey", 16),
        ("SELECT", "tasks_idempotency_key", 7),
    ] {
        let by_key = index == "tasks_idempotency_key";
        let of_it: Vec<_> = plans
            .iter()
            .filter(|plan| plan.starts_with(statement) && plan.contains("\"idempotency_key\" = $2") == by_key)
            .collect();
        assert_eq!(of_it.len(), count, "{statement} by {index}: {of_it:#?}");
        for plan in of_it {
            let scans: Vec<_> = plan.lines().filter(|line| line.contains("Scan")).collect();
            let walks_the_index =
                matches!(scans[..], [scan] if scan.contains("Index Scan") && scan.contains(index));
            assert!(walks_the_index && !plan.contains("Sort"), "{plan}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn every_batch_of_operators_walks_the_primary_key() {
    let cluster = explaining();
    let database = with_many_tasks(&cluster).await;
    let archive = migrated(database.url()).await.archive().await;
    let archive = archive.expect("a connection");
    let before = cluster.log().len();
    // As often as above, and more often than there are owners.
    let mut owner = None;
    for _ in 0..50 {
        owner = archive.next_owner(owner.as_ref()).await.expect("an owner");
        let owner = owner.as_ref().expect("one of 50 owners");
        let batch = archive.export(owner, None, 100).await.expect("a batch");
        let last = batch.last().expect("a task").task.id();
        archive.export(owner, Some(last), 100).await.expect("a batch");
        assert_eq!(archive.erase(owner, 10).await.expect("a removal"), 10);
    }
    let log = cluster.log();
    let plans = plans(log.get(before..).unwrap_or_default());
    assert_eq!(plans.len(), 4 * 50, "{plans:#?}");
    for plan in plans {
        let mut scans = plan.lines().filter(|line| line.contains(" on tasks"));
        // What is deleted is no scan, and what a subquery finds is one of its own.
        let walks_the_key =
            scans.all(|line| line.contains("using tasks_pkey") || line.contains("Delete on tasks"));
        assert!(walks_the_key && !plan.contains("Sort"), "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn an_update_touches_no_index() {
    let cluster = Cluster::start(&ClusterOptions::default());
    let database = with_many_tasks(&cluster).await;
    let repository = migrated(database.url()).await.worker();
    for number in 0..50 {
        let owner = an_owner_named(&format!("owner {number}"));
        let page = repository.list(&owner, &a_page_of(1)).await.expect("a page");
        let task = page.items.first().expect("a task");
        renamed(&repository, task, "other").await.expect("an update");
    }
    // A session counts when it ends.
    drop(repository);
    let client = database.client().await;
    eventually("the updates are counted", async || {
        let counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tasks'";
        let row = client.query_one(counts, &[]).await.expect("statistics");
        let (all, in_place): (i64, i64) = (row.get(0), row.get(1));
        assert_eq!(all, in_place, "updates that changed an index as well");
        all == 50
    })
    .await;
}
