//! `check-config`: what `serve` would work with.

use std::fs;

use super::{printed, text};
use crate::support::{SECRET, TaskApi};

/// The origin and the value of a setting in what was printed.
fn shown(report: &str, name: &str) -> (String, String) {
    let line = report
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name} is not shown: {report}"));
    let mut words = line.split_whitespace().skip(1).map(str::to_owned);
    (
        words.next().unwrap_or_default(),
        words.collect::<Vec<_>>().join(" "),
    )
}

#[test]
fn every_setting_is_shown_with_its_value_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join(".env"),
        format!("BETTER_AUTH_SECRET={SECRET}\nPORT=1\n"),
    )
    .unwrap();
    fs::write(
        folder.path().join("url"),
        "postgresql://porter:hunter2@db.example/tasks\n",
    )
    .unwrap();
    let report = printed(
        &TaskApi::with(&["check-config"])
            .in_folder(folder.path())
            .env("PORT", "8080")
            .env("DATABASE_URL_FILE", "url")
            .env(
                "DATABASE_MIGRATION_URL",
                "postgresql://porter:hunter2@direct.example/tasks",
            ),
    );
    for (name, origin, value) in [
        ("PORT", "environment", "8080"),
        ("BETTER_AUTH_SECRET", ".env", "***"),
        ("DATABASE_URL", "file", "***"),
        ("DATABASE_URL_FILE", "environment", "url"),
        (
            "DATABASE_MIGRATION_URL",
            "environment",
            "postgresql://***@direct.example/tasks",
        ),
        ("DB_POOL_SIZE", "default", "16"),
        ("DB_STARTUP_TIMEOUT", "default", "10s"),
        ("LOG_FORMAT", "default", "json"),
        ("JWT_ISSUER", "default", "-"),
    ] {
        assert_eq!(
            shown(&report, name),
            (origin.to_owned(), value.to_owned()),
            "{name}"
        );
    }
    assert!(
        !report.contains("hunter2") && !report.contains(SECRET),
        "{report}"
    );
}

#[test]
fn every_setting_of_the_example_is_shown() {
    let url = "sqlite:tasks.db";
    let task_api = TaskApi::with(&["check-config"])
        .env("BETTER_AUTH_SECRET", SECRET)
        .env("DATABASE_URL", url);
    let report = printed(&task_api);
    for line in include_str!("../../../../../.env.example").lines() {
        let name = line.trim_start_matches('#').split('=').next().expect("a name");
        if line.contains('=') && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            shown(&report, name);
        }
    }
}

#[test]
fn all_errors_are_listed_at_once_and_no_wrong_value_is_shown() {
    let task_api = TaskApi::with(&["check-config"])
        .env("DATABASE_URL", "hunter2")
        .env("PORT", "eight-thousand")
        .env("RATE_LIMIT_USER", "very-fast");
    let (output, _) = task_api.output();
    assert_eq!(output.status.code(), Some(78));
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let errors: Vec<_> = stderr.lines().map(str::trim).collect();
    assert_eq!(errors[0], "task-api: 4 settings cannot be used:");
    for (error, variable) in errors[1..].iter().zip([
        "DATABASE_URL ",
        "BETTER_AUTH_SECRET ",
        "RATE_LIMIT_USER ",
        "PORT ",
    ]) {
        assert!(error.starts_with(variable), "{stderr}");
    }
    assert_eq!(
        shown(&stdout, "PORT"),
        ("environment".to_owned(), "cannot be used".to_owned())
    );
    for value in ["hunter2", "eight-thousand", "very-fast"] {
        assert!(
            !stdout.contains(value) && !stderr.contains(value),
            "{stdout}{stderr}"
        );
    }
}

#[test]
fn a_mistyped_name_is_pointed_out_with_the_nearest_one() {
    let task_api = TaskApi::with(&["check-config"])
        .env("BETTER_AUTH_SECRET", SECRET)
        .env("DATABASE_URL", "sqlite:tasks.db")
        .env("DB_POOL_SICE", "4");
    let report = printed(&task_api);
    let warning = "warning: DB_POOL_SICE is no setting of task-api; did you mean DB_POOL_SIZE?";
    assert!(report.lines().any(|line| line == warning), "{report}");
}

/// `docker --env-file` and forms on web pages pass quotation marks on.
#[tokio::test]
async fn a_value_in_quotation_marks_or_with_a_line_break_at_its_end_is_told_once_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    fs::write(&file, format!("{SECRET}\n\n")).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let quoted = format!("\"{SECRET}\"");
    for (name, value, told) in [
        (
            "BETTER_AUTH_SECRET",
            quoted.as_str(),
            "BETTER_AUTH_SECRET is in quotation marks",
        ),
        (
            "BETTER_AUTH_SECRET_FILE",
            file.as_str(),
            "what the file of BETTER_AUTH_SECRET_FILE contains has white space or a line break at an end",
        ),
    ] {
        let given = |task_api: TaskApi| {
            let task_api = task_api.without("BETTER_AUTH_SECRET").in_folder(folder.path());
            task_api.env("DATABASE_URL", "sqlite:tasks.db").env(name, value)
        };
        let report = printed(&given(TaskApi::with(&["check-config"])));
        let log = given(TaskApi::serve_on("sqlite:tasks.db"))
            .start()
            .await
            .logs(told)
            .await;
        for text in [report, log] {
            assert_eq!(text.matches(told).count(), 1, "{text}");
            assert!(!text.contains(SECRET), "{text}");
        }
    }
}
