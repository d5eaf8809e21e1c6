//! One prepared statement per operation, seen in the server's own log.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{a_page_of, a_title, later, migrated_with, settings, stored};
use adapters_postgres::PostgresTaskRepository;
use chrono::TimeDelta;
use domain::health::StorageHealth;
use domain::identity::Owner;
use domain::task::{
    ArchivedTask, Cursor, Description, Direction, Edit, Expected, Fingerprint, IdempotencyKey, InsertError,
    PageLimit, SearchTerm, Sort, SortKey, Status, StatusSet, Task, TaskArchive, TaskChange, TaskFilter,
    TaskParts, TaskQuery, TaskRepository, UpdateError, Version,
};
use domain::testing::{a_task, an_owner, noon};
use test_postgres::{Cluster, ClusterOptions, TestDatabase};

const TIMES: usize = 100;

/// A repository of one connection per lane on a server that logs everything it is asked for.
struct Logged {
    database: TestDatabase,
    repository: PostgresTaskRepository,
    owner: Owner,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::start(&ClusterOptions {
            settings: vec![
                "log_min_duration_statement = 0".to_owned(),
                "log_line_prefix = '%d|%a|'".to_owned(),
            ],
            ..ClusterOptions::default()
        })
    })
}

impl Logged {
    async fn new() -> Self {
        let database = cluster().fresh_database().await;
        let mut settings = settings(database.url());
        settings.work_lane_size = 1;
        let repository = migrated_with(settings).await.worker();
        Self {
            database,
            repository,
            owner: an_owner(),
        }
    }

    /// The statements that `operation` sends, once the statements have been prepared.
    async fn requests_of(&self, times: usize, operation: impl AsyncFn(&Self)) -> Vec<Request> {
        // Twice: the first use of a key is no replay.
        operation(self).await;
        operation(self).await;
        let before = cluster().log().len();
        for _ in 0..times {
            operation(self).await;
        }
        let prefix = format!("{}|task-api|", self.database.name());
        let log = cluster().log();
        let lines = log.get(before..).unwrap_or_default().lines();
        lines
            .filter_map(|line| line.strip_prefix(&prefix))
            .filter_map(Request::of)
            .collect()
    }

    /// `operation` sends these statements, each once and prepared long ago, and each names the owner.
    async fn sends(&self, name: &str, wanted: &[&str], operation: impl AsyncFn(&Self)) {
        let times = TIMES.div_ceil(wanted.len());
        let requests = self.requests_of(times, operation).await;
        let texts: Vec<_> = requests
            .iter()
            .filter(|request| request.kind == "execute")
            .map(|request| request.text.as_str())
            .collect();
        let other = requests
            .iter()
            .find(|request| request.kind != "execute" && request.kind != "bind");
        assert!(other.is_none(), "{name}: {other:?}");
        assert_eq!(texts.len(), times * wanted.len(), "{name}: {texts:#?}");
        for call in texts.chunks(wanted.len()) {
            for (text, start) in call.iter().zip(wanted) {
                assert!(text.starts_with(start), "{name}: {text}");
                let names_the_owner = text.contains("INTO \"tasks\" (\"user_id\"")
                    || text.contains("INTO tasks (user_id")
                    || text.contains("WHERE user_id = $")
                    || text.contains("(\"tasks\".\"user_id\" = $");
                assert!(names_the_owner, "{name}: {text}");
            }
        }
    }

    fn fresh_task(&self) -> Task {
        a_task(&self.owner, "title")
    }
}

/// One line of the server's log.
#[derive(Debug)]
struct Request {
    /// `parse`, `bind` or `execute`; `statement` if it was not prepared.
    kind: String,
    text: String,
}

impl Request {
    fn of(line: &str) -> Option<Self> {
        // LOG:  duration: 0.025 ms  execute s7: SELECT …
        let (_, request) = line.split_once(" ms  ")?;
        let (kind, text) = request.split_once(": ")?;
        Some(Self {
            kind: kind.split(' ').next()?.to_owned(),
            text: text.to_owned(),
        })
    }
}

/// Every combination of filters. The values, and how many there are, differ from round to round.
fn every_filter(round: usize) -> Vec<TaskFilter> {
    let statuses = StatusSet::new(Status::ALL.into_iter().take(round));
    let search = SearchTerm::parse(&"x".repeat(round)).expect("a search term");
    let since = noon() + TimeDelta::microseconds(i64::try_from(round).expect("a small number"));
    let mut filters = Vec::new();
    for statuses in [None, statuses] {
        for search in [None, Some(&search)] {
            for updated_since in [None, Some(since)] {
                filters.push(TaskFilter {
                    statuses: statuses.clone(),
                    search: search.cloned(),
                    updated_since,
                });
            }
        }
    }
    filters
}

/// Lists of every shape.
fn every_list(behind: &Task, round: usize) -> Vec<TaskQuery> {
    let limit = PageLimit::new(i64::try_from(round).expect("a small number")).expect("a valid limit");
    let mut lists = Vec::new();
    for filter in every_filter(round) {
        for key in SortKey::ALL {
            for direction in [Direction::Ascending, Direction::Descending] {
                for after in [None, Some(Cursor::behind(behind, key))] {
                    let sort = Sort { key, direction };
                    let query = TaskQuery::new(filter.clone(), sort, limit, after);
                    lists.push(query.expect("a fitting cursor"));
                }
            }
        }
    }
    lists
}

fn to_completed() -> TaskChange {
    TaskChange {
        status: Edit::Set(Status::Completed),
        ..TaskChange::default()
    }
}

fn a_key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text, Fingerprint([7; 32])).expect("a valid key")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_reads_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    let first = stored(&logged.repository, &logged.owner, "first").await;
    let last = stored(&logged.repository, &logged.owner, "last").await;
    let absent = logged.fresh_task().id();

    logged
        .sends("find", &["SELECT"], async |logged| {
            let found = logged.repository.find(&logged.owner, first.id()).await;
            assert!(found.expect("a look-up").is_some());
        })
        .await;
    logged
        .sends("find what is not there", &["SELECT"], async |logged| {
            let found = logged.repository.find(&logged.owner, absent).await;
            assert!(found.expect("a look-up").is_none());
        })
        .await;
    logged
        .sends("list", &["SELECT", "SELECT"], async |logged| {
            for limit in [1, 500] {
                let page = logged.repository.list(&logged.owner, &a_page_of(limit)).await;
                assert!(!page.expect("a page").items.is_empty());
            }
        })
        .await;
    logged
        .sends("next page", &["SELECT"], async |logged| {
            let behind_last = Cursor::behind(&last, SortKey::CreatedAt);
            let query = a_page_of(20)
                .continued(behind_last)
                .expect("a cursor of this list");
            let page = logged.repository.list(&logged.owner, &query).await;
            assert_eq!(page.expect("a page").items.len(), 1);
        })
        .await;
    let requests = logged
        .requests_of(TIMES, async |logged| {
            logged.repository.check().await.expect("an answer");
        })
        .await;
    assert!(
        requests
            .iter()
            .all(|request| request.kind == "bind" || request.kind == "execute"),
        "{requests:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn lists_and_counts_of_every_shape_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    let task = stored(&logged.repository, &logged.owner, "title").await;
    let round = AtomicUsize::new(0);
    let next_round = || round.fetch_add(1, Ordering::Relaxed) % Status::ALL.len() + 1;
    logged
        .sends(
            "lists",
            &vec!["SELECT"; every_list(&task, 1).len()],
            async |logged| {
                for query in every_list(&task, next_round()) {
                    let page = logged.repository.list(&logged.owner, &query).await;
                    page.expect("a page");
                }
            },
        )
        .await;
    logged
        .sends("counts", &vec!["SELECT"; every_filter(1).len()], async |logged| {
            for filter in every_filter(next_round()) {
                let count = logged.repository.count(&logged.owner, &filter).await;
                count.expect("a count");
            }
        })
        .await;
    logged
        .sends("summary", &["SELECT"], async |logged| {
            let summary = logged.repository.summary(&logged.owner).await;
            summary.expect("a summary");
        })
        .await;
    logged
        .sends("delete with a status", &["DELETE"], async |logged| {
            let statuses = Status::ALL.into_iter().take(next_round());
            let statuses = StatusSet::new(statuses).expect("a status or more");
            let deleted = logged.repository.delete_with_status(&logged.owner, &statuses);
            deleted.await.expect("a deletion");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_insertions_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    for (name, has_description) in [("with a description", true), ("without one", false)] {
        logged
            .sends(name, &["INSERT"], async |logged| {
                let mut parts = logged.fresh_task().into_parts();
                parts.description = parts.description.filter(|_| has_description);
                let task = Task::restore(parts).expect("consistent facts");
                logged.repository.insert(&task, None).await.expect("an insertion");
            })
            .await;
    }
    logged
        .sends("with a key", &["INSERT"], async |logged| {
            let task = logged.fresh_task();
            let key = a_key(&task.id().to_string());
            logged
                .repository
                .insert(&task, Some(key))
                .await
                .expect("an insertion");
        })
        .await;
    logged
        .sends("an id again", &["INSERT", "INSERT"], async |logged| {
            let task = stored(&logged.repository, &logged.owner, "first").await;
            let again = logged.repository.insert(&task, None).await;
            assert!(matches!(again, Err(InsertError::AlreadyExists)), "{again:?}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_replays_of_a_key_are_two_statements_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    logged
        .sends("replay", &["INSERT", "SELECT"], async |logged| {
            let task = logged.fresh_task();
            let again = logged.repository.insert(&task, Some(a_key("key"))).await;
            again.expect("a replay");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_updates_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    let task = stored(&logged.repository, &logged.owner, "title").await;
    let one_of = Expected::OneOf((1..1000).map_while(|number| Version::new(number).ok()).collect());
    let text = Description::parse("other").expect("a valid description");
    let mut cases = Vec::new();
    for title in [Edit::Keep, Edit::Set(a_title("other"))] {
        for description in [Edit::Keep, Edit::Set(None), Edit::Set(Some(text.clone()))] {
            for others in [TaskChange::default(), to_completed()] {
                for expected in [&Expected::Any, &one_of] {
                    let change = TaskChange {
                        title: title.clone(),
                        description: description.clone(),
                        ..others.clone()
                    };
                    cases.push((change, expected));
                }
            }
        }
    }
    logged
        .sends("update", &vec!["UPDATE"; cases.len()], async |logged| {
            for (change, expected) in &cases {
                let updated = logged
                    .repository
                    .update(&logged.owner, task.id(), change, expected, later())
                    .await;
                updated.expect("an update");
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_deletions_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    let TaskParts { version, .. } = logged.fresh_task().into_parts();
    for expected in [Expected::Any, Expected::OneOf(vec![Version::FIRST, version])] {
        logged
            .sends("delete", &["INSERT", "DELETE"], async |logged| {
                let task = stored(&logged.repository, &logged.owner, "title").await;
                let deleted = logged.repository.delete(&logged.owner, task.id(), &expected);
                deleted.await.expect("a deletion");
            })
            .await;
    }
    logged
        .sends("delete what is not there", &["DELETE"], async |logged| {
            let absent = logged.fresh_task().id();
            let deleted = logged.repository.delete(&logged.owner, absent, &Expected::Any);
            assert!(matches!(deleted.await, Err(UpdateError::NotFound)));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_stale_expectation_is_told_apart_by_one_further_read() {
    let logged = Logged::new().await;
    let task = stored(&logged.repository, &logged.owner, "title").await;
    let stale = Expected::OneOf(vec![Version::FIRST]);
    logged
        .sends("stale update", &["UPDATE", "SELECT"], async |logged| {
            let change = TaskChange::default();
            let updated = logged
                .repository
                .update(&logged.owner, task.id(), &change, &stale, noon())
                .await;
            assert!(matches!(updated, Err(UpdateError::VersionMismatch { .. })));
        })
        .await;
    logged
        .sends("stale deletion", &["DELETE", "SELECT"], async |logged| {
            let deleted = logged.repository.delete(&logged.owner, task.id(), &stale).await;
            assert!(matches!(deleted, Err(UpdateError::VersionMismatch { .. })));
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn repeated_batches_of_operators_are_one_statement_each_and_prepare_nothing() {
    let logged = Logged::new().await;
    let archive = migrated_with(settings(logged.database.url()))
        .await
        .archive()
        .await
        .expect("a connection");
    let archived = |_| ArchivedTask {
        task: logged.fresh_task(),
        key: None,
    };
    logged
        .sends("import", &["INSERT", "INSERT"], async |_| {
            for count in [1, 3] {
                archive
                    .import((0..count).map(archived).collect())
                    .await
                    .expect("an import");
            }
        })
        .await;
    logged
        .sends(
            "count and export",
            &["SELECT", "SELECT", "SELECT"],
            async |logged| {
                archive.count(&logged.owner).await.expect("a count");
                for (after, limit) in [(None, 1), (Some(logged.fresh_task().id()), 7)] {
                    archive
                        .export(&logged.owner, after, limit)
                        .await
                        .expect("an export");
                }
            },
        )
        .await;
    logged
        .sends("erase", &["DELETE", "DELETE"], async |logged| {
            for limit in [1, 2] {
                archive.erase(&logged.owner, limit).await.expect("a removal");
            }
        })
        .await;
    let requests = logged
        .requests_of(TIMES, async |logged| {
            for after in [None, Some(&logged.owner)] {
                archive.next_owner(after).await.expect("an owner");
            }
        })
        .await;
    assert!(
        requests
            .iter()
            .all(|request| request.kind == "bind" || request.kind == "execute"),
        "{requests:#?}"
    );
}
