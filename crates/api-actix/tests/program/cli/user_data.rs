//! `user`: what one user has, handed out or deleted, while the server goes on.

use serde_json::{Value, json};

use super::folder::Folder;
use super::{complaint, printed};
use crate::support::{Storage, TaskApi};

fn user(arguments: &[&str], url: &str) -> TaskApi {
    TaskApi::with(&[&["user"], arguments].concat()).env("DATABASE_URL", url)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_what_the_api_shows_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    exports(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn an_export_is_what_the_api_shows_on_postgresql() {
    exports(test_postgres::fresh_database().await.url()).await;
}

async fn exports(url: &str) {
    let server = TaskApi::serve_on(url).start().await;
    let api = server.api(Storage::Sqlite);
    let alice = api.user("alice");
    let oldest = alice.has_task("it's \"quoted\" \\n").await;
    for title in ["second", "third 😀"] {
        alice.has_task(title).await;
    }
    let change = json!({ "description": "first line\nsecond line", "status": "completed" });
    let path = format!("/api/tasks/{}", oldest["id"].as_str().expect("an id"));
    alice.put(&path, &change).await;
    api.user("bob").has_task("of Bob").await;

    let exported = printed(&user(&["export", "alice"], url));
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let shown = alice.get("/api/tasks?sort=created_at").await;
    assert_eq!(Value::Array(lines), shown.json());
    assert!(
        shown.body.contains(exported.lines().next().expect("a line")),
        "the fields have their order: {exported}"
    );
    assert_eq!(printed(&user(&["export", "Alice"], url)), "", "no tasks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_wants_consent_and_takes_all_of_one_user_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    deletes(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn a_deletion_wants_consent_and_takes_all_of_one_user_on_postgresql() {
    deletes(test_postgres::fresh_database().await.url()).await;
}

async fn deletes(url: &str) {
    let server = TaskApi::serve_on(url).start().await;
    let api = server.api(Storage::Sqlite);
    let (alice, bob) = (api.user("alice"), api.user("bob"));
    for title in ["first", "second"] {
        alice.has_task(title).await;
        bob.has_task(title).await;
    }
    let complaint = complaint(&user(&["delete", "alice"], url), 2);
    assert_eq!(
        complaint,
        "task-api: user \"alice\" has 2 tasks; with --yes they are deleted for good\n"
    );
    assert_eq!(alice.titles().await.len(), 2);

    let deletion = user(&["delete", "alice", "--yes"], url);
    assert_eq!(printed(&deletion), "deleted 2 tasks\n");
    assert_eq!(alice.titles().await, Vec::<String>::new());
    assert_eq!(bob.titles().await.len(), 2);
    for user_without_tasks in [
        &["delete", "alice"][..],
        &["delete", "alice", "--yes"],
        &["delete", "Bob", "--yes"],
    ] {
        assert_eq!(printed(&user(user_without_tasks, url)), "deleted 0 tasks\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_more_tasks_than_go_at_once_is_exported_and_deleted_to_the_last_one() {
    let folder = Folder::new();
    let url = folder.database("tasks.db", &[("alice", 2_001), ("bob", 1)]).await;
    assert_eq!(printed(&user(&["export", "alice"], &url)).lines().count(), 2_001);
    let deletion = user(&["delete", "alice", "--yes"], &url);
    assert_eq!(printed(&deletion), "deleted 2001 tasks\n");
    for (id, left) in [("alice", 0), ("bob", 1)] {
        assert_eq!(
            printed(&user(&["export", id], &url)).lines().count(),
            left,
            "{id}"
        );
    }
}

#[test]
fn a_user_id_that_no_one_can_have_is_wrong_usage() {
    for id in ["", " ", "a\tb"] {
        let complaint = complaint(&user(&["export", id], "sqlite:tasks.db"), 2);
        assert!(complaint.contains("the user id"), "{complaint}");
    }
}

#[test]
fn a_file_that_does_not_exist_is_named_and_not_made() {
    let folder = Folder::new();
    for arguments in [&["export", "alice"][..], &["delete", "alice", "--yes"]] {
        let complaint = complaint(&user(arguments, &folder.url("taks.db")), 78);
        assert_eq!(
            complaint,
            "task-api: DATABASE_URL names a file that does not exist\n"
        );
        assert!(!folder.path("taks.db").exists());
    }
}

#[test]
fn a_database_without_our_tables_says_what_to_do() {
    let folder = Folder::new();
    let url = folder.url("bare.db");
    std::fs::write(folder.path("bare.db"), "").unwrap();
    for arguments in [&["export", "alice"][..], &["delete", "alice", "--yes"]] {
        let complaint = complaint(&user(arguments, &url), 78);
        assert!(
            complaint.contains("DATABASE_URL leads to a database whose schema is older than this program: run `task-api migrate`"),
            "{complaint}"
        );
    }
}
