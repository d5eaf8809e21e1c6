//! `task-api token`

use super::{complaint, printed};
use crate::support::{SECRET, Storage, TaskApi};

fn token(arguments: &[&str]) -> TaskApi {
    TaskApi::with(&[&["token"], arguments].concat()).env("BETTER_AUTH_SECRET", SECRET)
}

/// Starts a server with these settings besides the usual ones, and asks whom it takes the bearer of the token for.
async fn owner_according_to_a_server_with(settings: &[(&str, &str)], token: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let server = settings
        .iter()
        .fold(TaskApi::serve_on(&url), |server, (name, value)| {
            server.env(name, value)
        });
    let binary = server.start().await;
    let api = binary.api(Storage::Sqlite);
    let task = api.bearer(token.trim_end()).has_task("mine").await;
    task["user_id"].as_str().expect("an owner").to_owned()
}

#[tokio::test]
async fn a_token_is_good_for_a_server_with_the_same_secret_and_names_its_user() {
    let token = printed(&token(&["--user", "alice", "--ttl", "15m"]));
    assert_eq!(
        token.lines().count(),
        1,
        "nothing but the token, so that $(task-api token) works"
    );
    assert_eq!(owner_according_to_a_server_with(&[], &token).await, "alice");
}

#[tokio::test]
async fn a_token_follows_every_rule_that_the_server_is_told() {
    let rules = [
        ("JWT_ISSUER", "https://issuer.example,https://other.example"),
        ("JWT_AUDIENCE", "https://api.example"),
        ("JWT_USER_ID_CLAIM", "uid,sub"),
    ];
    let task_api = rules.iter().fold(
        token(&["--user", "bob@example.org"]),
        |task_api, (name, value)| task_api.env(name, value),
    );
    let owner = owner_according_to_a_server_with(&rules, &printed(&task_api)).await;
    assert_eq!(owner, "bob@example.org");
}

#[tokio::test]
async fn while_secrets_are_being_changed_tokens_are_signed_with_one_that_is_good() {
    let secrets = (
        "BETTER_AUTH_SECRETS",
        "2:the-newer-secret-0123456789-0123,1:the-older-secret-0123456789-0123",
    );
    let task_api = token(&["--user", "alice"])
        .without("BETTER_AUTH_SECRET")
        .env(secrets.0, secrets.1);
    let owner = owner_according_to_a_server_with(&[secrets], &printed(&task_api)).await;
    assert_eq!(owner, "alice");
}

#[tokio::test]
async fn a_token_expires_when_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    let binary = TaskApi::serve_on(&url).start().await;
    let token = printed(&token(&["--user", "alice", "--ttl", "1s"]));
    // Times in tokens are whole seconds: after two of them it has expired for certain.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let answer = binary
        .api(Storage::Sqlite)
        .bearer(token.trim_end())
        .get("/api/tasks")
        .await;
    assert_eq!(answer.problem(), "token_expired");
}

#[test]
fn without_any_secret_there_is_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let task_api = token(&["--user", "alice"])
        .without("BETTER_AUTH_SECRET")
        .in_folder(folder.path());
    let complaint = complaint(&task_api, 78);
    assert!(
        complaint.starts_with("task-api: BETTER_AUTH_SECRET is not set"),
        "{complaint}"
    );
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[test]
fn a_bad_user_is_wrong_usage() {
    let too_long = "x".repeat(256);
    for user in ["", "a\nb", &too_long] {
        let complaint = complaint(&token(&["--user", user]), 2);
        assert!(complaint.contains("--user"), "{user:?}: {complaint}");
    }
    complaint(&token(&["--ttl", "15m"]), 2);
}

#[test]
fn a_bad_time_to_live_is_wrong_usage() {
    for ttl in [
        "",
        "0",
        "0s",
        "soon",
        "-1",
        "15 parsecs",
        "367d",
        "99999999999999999999",
    ] {
        let complaint = complaint(&token(&["--user", "alice", &format!("--ttl={ttl}")]), 2);
        assert!(complaint.contains("--ttl"), "{ttl:?}: {complaint}");
    }
}

#[test]
fn without_a_secret_the_folder_of_dev_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for front_end in [None, Some("https://app.example")] {
        let mut task_api = TaskApi::with(&["token", "--user", "alice"]).in_folder(folder.path());
        if let Some(url) = front_end {
            task_api = task_api.env("BETTER_AUTH_URL", url);
        }
        let complaint = complaint(&task_api, 78);
        assert!(
            complaint.contains("in the folder where `task-api dev` was started"),
            "{complaint}"
        );
        assert!(complaint.contains(".task-api"), "{complaint}");
    }
}
