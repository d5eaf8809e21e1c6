//! A crash of the server on SQLite: what was answered with 201 is there afterwards. Crashes over PostgreSQL are among
//! the faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::until;
use crate::support::{Storage, TaskApi, User};

/// The paths of tasks that were answered with 201, each with its user.
type Acknowledged = Arc<Mutex<Vec<(String, String)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_server_loses_no_acknowledged_task_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let all = Acknowledged::default();
    for round in 0..10 {
        let binary = TaskApi::serve_on(&url).start().await;
        let api = binary.api(Storage::Sqlite);
        let stored = || all.lock().unwrap().len();
        // Another moment each time.
        let enough = stored() + 8 + round;
        let mut users = JoinSet::new();
        for number in 0..8 {
            let name = format!("user-{number}");
            users.spawn(creates_tasks(api.user(&name), name, Arc::clone(&all)));
        }
        until("tasks are stored", async || stored() >= enough).await;
        binary.signal("KILL");
        assert_eq!(
            binary.exit_code(Duration::from_secs(5)).await,
            None,
            "a signal ended it"
        );
        users.join_all().await;
    }
    let binary = TaskApi::serve_on(&url).start().await;
    let api = binary.api(Storage::Sqlite);
    let all = all.lock().unwrap().clone();
    println!("{} tasks acknowledged in 10 lives", all.len());
    for (name, path) in all {
        let status = api.user(&name).get(&path).await.status;
        assert_eq!(status, 200, "{path} was acknowledged and is lost");
    }
}

/// Creates one task after the other until the server is gone.
async fn creates_tasks(user: User, name: String, acknowledged: Acknowledged) {
    let create = || {
        user.request(Method::POST, "/api/tasks")
            .json(&json!({ "title": "kept" }))
    };
    while let Ok(response) = create().send().await {
        if response.status() == 201 {
            let path = response.headers()["location"]
                .to_str()
                .expect("a path")
                .to_owned();
            acknowledged.lock().expect("the paths").push((name.clone(), path));
        }
        // The body ends the use of the connection.
        let _ = response.bytes().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
