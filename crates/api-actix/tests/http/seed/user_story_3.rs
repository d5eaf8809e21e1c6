//! User story 3, seen in the database: the rows hold what the API says.

use serde_json::{Value, json};
use test_postgres::TestDatabase;

use crate::support::{Api, TaskApi};

/// A server of the test's own, and the database to look into past it.
async fn over_postgres() -> (Api, TestDatabase) {
    let database = test_postgres::fresh_database().await;
    let binary = TaskApi::serve_on(database.url()).start().await;
    (binary.into_api(), database)
}

async fn rows(database: &TestDatabase) -> Value {
    let rows = database
        .client()
        .await
        .query_one("SELECT coalesce(json_agg(tasks), '[]')::text FROM tasks", &[])
        .await
        .expect("the rows");
    serde_json::from_str(rows.get(0)).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn us3_1_every_column_of_the_row_holds_what_was_created() {
    let (api, database) = over_postgres().await;
    let sent = json!({ "title": "Buy milk", "description": "2 litres", "status": "in_progress" });
    let task = api.user("alice").post("/api/tasks", &sent).await.json();

    let rows = rows(&database).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    let row = &rows[0];
    let sent_or_made = ["id", "title", "description", "status", "user_id", "version"];
    for name in sent_or_made {
        assert_eq!(row[name], task[name], "{name}");
    }
    let times = ["created_at", "updated_at"];
    for name in times {
        // PostgreSQL leaves out the zeros at the end and names the offset: the same instant.
        let of_row = chrono::DateTime::parse_from_rfc3339(row[name].as_str().expect("a time"));
        let of_task = chrono::DateTime::parse_from_rfc3339(task[name].as_str().expect("a time"));
        assert_eq!(of_row.expect("a time"), of_task.expect("a time"), "{name}");
    }
    // Whatever else a row may hold was not asked for.
    for (name, value) in row.as_object().expect("columns") {
        let is_known = sent_or_made.iter().chain(&times).any(|known| known == name);
        assert!(is_known || value.is_null(), "{name}: {row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn us3_4_no_row_is_left_of_a_deleted_task() {
    let (api, database) = over_postgres().await;
    let alice = api.user("alice");
    let task = alice.has_task("Buy milk").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    assert_eq!(alice.delete(&path).await.status, 204);
    assert_eq!(rows(&database).await, json!([]));
}
