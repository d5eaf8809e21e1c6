//! Two processes on one database behave as one.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use test_postgres::TestDatabase;
use tokio::task::JoinSet;

use crate::support::{Answer, Api, Binary, Storage, TaskApi, User};

struct Scene {
    servers: [Binary; 2],
    apis: [Api; 2],
    _database: TestDatabase,
}

impl Scene {
    /// Both start at once on an empty database, and each wants to bring its schema up to date.
    async fn new() -> Self {
        let database = test_postgres::fresh_database().await;
        let server = || TaskApi::serve_on(database.url()).start();
        let servers: [Binary; 2] = tokio::join!(server(), server()).into();
        Self {
            apis: servers.each_ref().map(|server| server.api(Storage::Postgres)),
            servers,
            _database: database,
        }
    }

    /// Alice, as a client of each.
    fn alice(&self) -> [User; 2] {
        self.apis.each_ref().map(|api| api.user("alice"))
    }

    /// The answers to twenty requests of Alice, all at once, half of them to each server.
    async fn answers(
        &self,
        method: &Method,
        path: &str,
        header: (&'static str, &str),
        body: impl Fn(usize) -> serde_json::Value,
    ) -> Vec<Answer> {
        let mut requests = JoinSet::new();
        for number in 0..20 {
            let [one, other] = self.alice();
            let user = if number % 2 == 0 { one } else { other };
            let request = user.request(method.clone(), path).header(header.0, header.1);
            requests.spawn(Answer::to(request.json(&body(number))));
        }
        requests.join_all().await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn two_servers_that_start_at_once_bring_the_schema_up_to_date_once() {
    let scene = Scene::new().await;
    let migrations = scene
        .servers
        .each_ref()
        .map(|server| server.entries("schema brought up to date").len());
    assert_eq!(migrations.iter().sum::<usize>(), 1, "{migrations:?}");
    for api in &scene.apis {
        assert_eq!(api.anonymous().get("/readyz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn what_one_server_has_acknowledged_the_other_one_shows_at_once() {
    let scene = Scene::new().await;
    let [here, there] = scene.alice();
    for round in 0..50 {
        let task = here.has_task(&format!("round {round}")).await;
        let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
        assert_eq!(there.get(&path).await.json(), task);
        let changed = there.put(&path, &json!({ "status": "completed" })).await.json();
        assert_eq!(here.get(&path).await.json(), changed);
        assert_eq!(here.delete(&path).await.status, 204);
        assert_eq!(there.get(&path).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn callers_of_both_servers_with_one_idempotency_key_make_one_task() {
    let scene = Scene::new().await;
    let key = ("idempotency-key", "one-creation");
    let answers = scene
        .answers(&Method::POST, "/api/tasks", key, |_| json!({ "title": "once" }))
        .await;
    let ids: BTreeSet<_> = answers
        .iter()
        .map(|answer| answer.json()["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "{answers:?}");
    let [alice, _] = scene.alice();
    assert_eq!(alice.titles().await, ["once"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn of_callers_of_both_servers_who_have_read_one_version_exactly_one_changes_it() {
    let scene = Scene::new().await;
    let [alice, _] = scene.alice();
    let task = alice.has_task("first").await;
    let path = format!("/api/tasks/{}", task["id"].as_str().expect("an id"));
    let version = ("if-match", "\"1\"");
    let answers = scene
        .answers(
            &Method::PATCH,
            &path,
            version,
            |number| json!({ "title": format!("{number}") }),
        )
        .await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    let mut wanted = [412; 20];
    wanted[0] = 200;
    assert_eq!(statuses, wanted);
}
