//! Help, version, `check` and `migrate`.

use serde_json::Value;

use super::{complaint, last_words, printed, text, unread};
use crate::support::{SECRET, TaskApi};

#[test]
fn help_lists_every_command_and_every_exit_code() {
    let help = printed(&TaskApi::with(&["--help"]));
    for command in [
        "serve",
        "dev",
        "migrate",
        "check",
        "check-config",
        "copy",
        "user",
        "healthcheck",
        "token",
        "openapi",
        "completions",
    ] {
        let is_explained = help
            .lines()
            .filter_map(|line| line.trim_start().split_once("  "))
            .any(|(name, words)| name == command && !words.trim().is_empty());
        assert!(is_explained, "{command}: {help}");
    }
    let codes = help
        .lines()
        .find(|line| line.starts_with("Exit codes: "))
        .expect("a line about exit codes");
    for code in [
        "0 success",
        "1 not healthy",
        "2 wrong usage",
        "65 what is stored",
        "69 the database",
        "78 a setting",
    ] {
        assert!(codes.contains(code), "{code}: {codes}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let wanted = concat!("task-api ", env!("CARGO_PKG_VERSION"), "\n");
    for argument in ["--version", "-V"] {
        assert_eq!(printed(&TaskApi::with(&[argument])), wanted, "{argument}");
    }
}

#[test]
fn wrong_usage_ends_with_exit_code_2() {
    for arguments in [&["sirve"][..], &["--port", "1"], &["token"], &["migrate", "now"]] {
        let complaint = complaint(&TaskApi::with(arguments), 2);
        assert!(complaint.contains("--help"), "{arguments:?}: {complaint}");
    }
}

fn command_on(command: &str, url: &str) -> TaskApi {
    TaskApi::with(&[command]).env("DATABASE_URL", url)
}

#[test]
fn migrate_says_what_it_applied_and_then_that_there_is_nothing_to_do_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    migrates_once(&format!("sqlite:{}", folder.path().join("tasks.db").display()));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn migrate_says_what_it_applied_and_then_that_there_is_nothing_to_do_on_postgresql() {
    let database = test_postgres::fresh_database().await;
    migrates_once(database.url());
}

fn migrates_once(url: &str) {
    let first = printed(&command_on("migrate", url));
    assert!(first.lines().count() > 0, "{first:?}");
    assert!(
        first.lines().all(|line| line.starts_with("applied 20")),
        "{first:?}"
    );
    assert!(first.contains("create_tasks"), "{first:?}");
    assert_eq!(printed(&command_on("migrate", url)), "the schema is up to date\n");
}

#[test]
fn us2_3_check_runs_a_query_and_prints_json_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    printed(&command_on("migrate", &url));
    let report = report(&url);
    assert_eq!(report["database"]["kind"], "sqlite");
    assert_eq!(report["database"]["name"], url["sqlite:".len()..]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn us2_3_check_runs_a_query_and_prints_json_on_postgresql() {
    let database = test_postgres::fresh_database().await;
    printed(&command_on("migrate", database.url()));
    let report = report(database.url());
    assert_eq!(report["database"]["kind"], "postgresql");
    assert_eq!(report["database"]["name"], database.name());
    assert!(report["database"]["tls"].is_boolean(), "{report}");
}

/// The output of `check` about a database that replies.
fn report(url: &str) -> Value {
    let report: Value = serde_json::from_str(&printed(&command_on("check", url))).expect("JSON");
    assert_eq!(report["ok"], true, "{report}");
    for metric in ["connect_ms", "query_ms"] {
        assert!(
            report[metric].as_f64().is_some_and(|ms| ms > 0.0),
            "{metric}: {report}"
        );
    }
    assert_eq!(report["database"]["pending_migrations"], Value::Array(vec![]));
    let version = report["database"]["version"].as_str().expect("a version");
    assert!(
        version.starts_with(|first: char| first.is_ascii_digit()),
        "{report}"
    );
    report
}

#[test]
fn us2_3_check_of_a_database_without_our_tables_says_what_to_do_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    // An empty file is an empty database.
    std::fs::File::create(&file).unwrap();
    wants_migrations(&format!("sqlite:{}", file.display()));
}

#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn us2_3_check_of_a_database_without_our_tables_says_what_to_do_on_postgresql() {
    wants_migrations(test_postgres::fresh_database().await.url());
}

fn wants_migrations(url: &str) {
    let (output, _) = command_on("check", url).output();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let report: Value = serde_json::from_str(&text(output.stdout)).expect("JSON");
    assert_eq!(report["ok"], false, "{report}");
    let reason = report["error"].as_str().expect("a reason");
    assert!(
        reason.contains("the table of tasks cannot be used (run `task-api migrate`)"),
        "{report}"
    );
}

#[test]
fn us2_3_check_of_a_database_out_of_reach_prints_json_and_ends_with_exit_code_69() {
    // Nothing listens on port 1.
    let url = "postgresql://porter:hunter2@127.0.0.1:1/tasks";
    let (output, _) = command_on("check", url)
        .env("DB_STARTUP_TIMEOUT", "300ms")
        .output();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["ok"], false, "{report}");
    let reason = report["error"].as_str().expect("a reason");
    assert!(reason.contains("could not be reached for 300ms"), "{report}");
    assert_eq!(
        stderr.lines().last(),
        Some(format!("task-api: {reason}").as_str())
    );
    assert!(
        !stdout.contains("hunter2") && !stderr.contains("hunter2"),
        "{stderr}"
    );
}

#[test]
fn commands_on_the_database_need_its_url_and_no_secret() {
    for command in ["migrate", "check"] {
        let complaint = complaint(&TaskApi::with(&[command]).env("BETTER_AUTH_SECRET", SECRET), 78);
        assert!(
            complaint.starts_with("task-api: DATABASE_URL is not set"),
            "{complaint}"
        );
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    for arguments in [
        &["--version"][..],
        &["--help"],
        &["openapi"],
        &["token", "--user", "alice"],
    ] {
        let task_api = TaskApi::with(arguments).env("BETTER_AUTH_SECRET", SECRET);
        let mut process = unread(&task_api);
        assert_eq!(last_words(&mut process), "", "{arguments:?}");
        assert!(process.0.wait().unwrap().success(), "{arguments:?}");
    }
}

#[test]
fn check_of_a_file_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.db");
    let (output, _) = command_on("check", &format!("sqlite:{}", file.display())).output();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let report: Value = serde_json::from_str(&text(output.stdout)).expect("JSON");
    assert_eq!(report["error"], "DATABASE_URL names a file that does not exist");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_command_openapi_prints_it_and_needs_no_setting() {
    let (output, _) = TaskApi::with(&["openapi"]).output();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert!(printed == format!("{}\n", adapters_http::openapi::json()));
}
