//! Every statement is prepared once per connection, names the owner (but for the one that finds owners), and finds its
//! rows through a key.
//!
//! One test, because diesel's default instrumentation belongs to the whole process.

#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use adapters_sqlite::{SqliteSettings, SqliteTaskArchive, SqliteTaskRepository};
use chrono::TimeDelta;
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use domain::health::StorageHealth;
use domain::task::{
    ArchivedTask, Cursor, Direction, Edit, Expected, Fingerprint, IdempotencyKey, PageLimit, SearchTerm,
    Sort, SortKey, Status, StatusSet, Task, TaskArchive, TaskChange, TaskFilter, TaskQuery, TaskRepository,
    Title,
};
use domain::testing::{a_task, an_owner, noon};
use support::Fixture;

static PREPARED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static RUN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(list: &Mutex<Vec<String>>, sql: &str) {
    list.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(sql.to_owned());
}

fn take(list: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is diesel's")]
fn listener() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| match event {
        InstrumentationEvent::CacheQuery { sql, .. } => note(&PREPARED, sql.trim()),
        InstrumentationEvent::StartQuery { query, .. } => {
            let text = query.to_string();
            note(&RUN, text.split(" -- binds").next().unwrap_or_default().trim());
        }
        _ => {}
    }))
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

/// Lists of every shape, and the counts that go with them.
async fn every_list(tasks: &SqliteTaskRepository, behind: &Task, round: usize) {
    let owner = an_owner();
    let limit = PageLimit::new(i64::try_from(round).expect("a small number")).expect("a valid limit");
    for filter in every_filter(round) {
        tasks.count(&owner, &filter).await.expect("a count");
        for key in SortKey::ALL {
            for direction in [Direction::Ascending, Direction::Descending] {
                let sort = Sort { key, direction };
                for after in [None, Some(Cursor::behind(behind, key))] {
                    let query = TaskQuery::new(filter.clone(), sort, limit, after).expect("a fitting cursor");
                    tasks.list(&owner, &query).await.expect("a page");
                }
            }
        }
    }
}

/// Everything that the port can do, every way it can go.
async fn everything(tasks: &SqliteTaskRepository, round: usize) {
    let owner = an_owner();
    let key = |fingerprint| IdempotencyKey::new("k-1", Fingerprint([fingerprint; 32])).expect("a valid key");
    let first = a_task(&owner, "first");
    let second = a_task(&owner, "second");
    let mut bare = a_task(&owner, "bare").into_parts();
    bare.description = None;
    let bare = Task::restore(bare).expect("consistent facts");
    tasks.insert(&first, Some(key(1))).await.expect("an insertion");
    tasks.insert(&second, None).await.expect("an insertion");
    tasks.insert(&bare, None).await.expect("an insertion");
    tasks.insert(&first, None).await.expect_err("a taken id");
    tasks.insert(&first, Some(key(1))).await.expect("a replay");
    tasks.insert(&first, Some(key(2))).await.expect_err("a used key");
    tasks.find(&owner, first.id()).await.expect("a look-up");
    every_list(tasks, &second, round).await;
    tasks.summary(&owner).await.expect("a summary");
    for description in [Edit::Keep, Edit::Set(None)] {
        let change = TaskChange {
            title: Edit::Set(Title::parse("changed").expect("a valid title")),
            description,
            ..TaskChange::default()
        };
        let now = noon() + TimeDelta::hours(1);
        tasks
            .update(&owner, first.id(), &change, &Expected::Any, now)
            .await
            .expect("an update");
    }
    for task in [&first, &second, &bare] {
        tasks
            .delete(&owner, task.id(), &Expected::Any)
            .await
            .expect("a deletion");
    }
    let statuses = StatusSet::new(Status::ALL.into_iter().take(round)).expect("a status or more");
    tasks
        .delete_with_status(&owner, &statuses)
        .await
        .expect("a deletion");
    tasks.check().await.expect("health");
}

/// Everything that operators can do.
async fn every_batch(archive: &SqliteTaskArchive, round: usize) {
    let owner = an_owner();
    let archived = |_| ArchivedTask {
        task: a_task(&owner, "title"),
        key: None,
    };
    let tasks: Vec<_> = (0..round).map(archived).collect();
    let limit = u16::try_from(round).expect("a small number");
    archive.import(tasks.clone()).await.expect("an import");
    archive.count(&owner).await.expect("a count");
    for after in [None, Some(&owner)] {
        archive.next_owner(after).await.expect("an owner");
    }
    for after in [None, tasks.last().map(|last| last.task.id())] {
        archive.export(&owner, after, limit).await.expect("an export");
    }
    archive.erase(&owner, limit).await.expect("a removal");
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

diesel::define_sql_function! {
    /// What it answers does not matter to a plan.
    fn fold(text: Nullable<Text>) -> Nullable<Text>;
}

diesel::define_sql_function! {
    /// Nor does this.
    fn is_wanted() -> Bool;
}

fn plan_of(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
        .load::<Step>(connection)
        .expect(sql)
        .into_iter()
        .map(|step| step.detail)
        .collect()
}

/// Whether the rows have to be put in an order that no key has.
fn has_to_sort(sql: &str) -> bool {
    let keys = ["`tasks`.`id`", "`tasks`.`user_id`", "`oldest`.`id`"];
    let by_key = keys.iter().any(|key| sql.contains(&format!("ORDER BY {key}")));
    sql.contains("GROUP BY") || (sql.contains("ORDER BY") && !by_key)
}

fn names_the_owner(sql: &str) -> bool {
    let ways = [
        "`tasks`.`user_id` = ?",
        "user_id = ?",
        "user_id = ''",
        "INSERT INTO `tasks` (`user_id`",
    ];
    ways.iter().any(|way| sql.contains(way))
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_prepared_once_name_the_owner_and_use_a_key() {
    set_default_instrumentation(listener).expect("the instrumentation");
    let fixture = Fixture::with(SqliteSettings {
        readers: 1,
        ..SqliteSettings::default()
    });
    set_default_instrumentation(|| None).expect("the instrumentation");
    let (tasks, archive) = (fixture.database.tasks(), fixture.database.archive());
    drop((take(&PREPARED), take(&RUN)));

    everything(&tasks, 1).await;
    every_batch(&archive, 1).await;
    let prepared = take(&PREPARED);
    drop(take(&RUN));
    for round in [2, 3] {
        everything(&tasks, round).await;
        every_batch(&archive, round).await;
    }
    assert_eq!(take(&PREPARED), Vec::<String>::new(), "prepared again");
    let run: BTreeSet<_> = take(&RUN).into_iter().collect();
    // Around the statements: transactions, and the look at the file that comes before them.
    let of_transactions = [
        "BEGIN",
        "SAVEPOINT",
        "RELEASE",
        "ROLLBACK",
        "COMMIT",
        "PRAGMA data_version",
    ];
    let run: Vec<_> = run
        .into_iter()
        .filter(|sql| !of_transactions.iter().any(|word| sql.starts_with(word)))
        .collect();

    let path = fixture.path.to_str().expect("a path in UTF-8");
    let mut connection = SqliteConnection::establish(path).expect("a connection");
    fold_utils::register_impl(&mut connection, |text: Option<String>| text).expect("a function");
    is_wanted_utils::register_nondeterministic_impl(&connection, || true).expect("a function");
    let mut plans = BTreeSet::new();
    for sql in &run {
        assert!(prepared.contains(sql), "never cached: {sql}");
        let plan = plan_of(&mut connection, sql);
        let sorts = plan.iter().any(|step| step.starts_with("USE TEMP B-TREE"));
        assert_eq!(sorts, has_to_sort(sql), "{sql}: {plan:?}");
        plans.extend(plan);
    }
    let of_nobody: Vec<_> = run.iter().filter(|sql| !names_the_owner(sql)).collect();
    assert!(
        matches!(of_nobody.as_slice(), [next_owner] if next_owner.starts_with("SELECT `tasks`.`user_id` FROM")),
        "{of_nobody:#?}"
    );
    let (filters, lists) = (8, 8 * 8 * 2); // by filters, orders, and with a cursor or without
    let of_operators = 3; // one count is a filter's, the insertion a request's
    assert_eq!(run.len(), 8 + filters + lists + of_operators, "{run:#?}");
    let wanted = [
        "LIST SUBQUERY 1",
        "SEARCH oldest USING PRIMARY KEY (user_id=?)",
        "SEARCH tasks USING INDEX tasks_idempotency_key (user_id=? AND idempotency_key=?)",
        "SEARCH tasks USING PRIMARY KEY (user_id=? AND id<?)",
        "SEARCH tasks USING PRIMARY KEY (user_id=? AND id=?)",
        "SEARCH tasks USING PRIMARY KEY (user_id=? AND id>?)",
        "SEARCH tasks USING PRIMARY KEY (user_id=?)",
        "SEARCH tasks USING PRIMARY KEY (user_id>?)",
        "USE TEMP B-TREE FOR GROUP BY",
        "USE TEMP B-TREE FOR ORDER BY",
    ];
    assert_eq!(plans, BTreeSet::from(wanted.map(str::to_owned)));
}
