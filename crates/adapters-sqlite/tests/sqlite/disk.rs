//! A disk that is full, or that no one may write to. Each test runs itself once more in a process with less room or
//! fewer rights.

#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "in tests a broken set-up should panic, and one process tells the other through its output"
)]

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use adapters_sqlite::{OpenError, SqliteDatabase, SqliteSettings, SqliteTaskRepository};
use domain::health::StorageHealth;
use domain::storage::StorageError;
use domain::task::{InsertError, Task, TaskId, TaskRepository};
use domain::testing::{a_task, a_task_with, an_owner, an_owner_named};

/// Names the folder of the database for the process that runs in a test.
const FOLDER: &str = "DISK_TEST_FOLDER";

/// Where the database is, if this is the process that has been restricted.
fn restricted() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(|folder| Path::new(&folder).join("tasks.db"))
}

/// Runs a test of this file once more, behind these words, and returns what it printed.
fn run_restricted(words: &[&str], test: &str, folder: &Path) -> String {
    let this_program = std::env::current_exe().expect("this program").into_os_string();
    let mut line: Vec<OsString> = words.iter().map(OsString::from).collect();
    line.extend([
        this_program,
        "--exact".into(),
        format!("disk::{test}").into(),
        "--nocapture".into(),
    ]);
    let (program, arguments) = line.split_first().expect("a program");
    let output = Command::new(program)
        .args(arguments)
        .env(FOLDER, folder)
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{complaint}"
    );
    said
}

fn open(path: &Path) -> Result<SqliteDatabase, OpenError> {
    SqliteDatabase::open(path, SqliteSettings::default())
}

async fn is_stored(tasks: &SqliteTaskRepository, id: TaskId) -> bool {
    tasks.find(&an_owner(), id).await.expect("a look-up").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_turns_writes_away_and_loses_nothing_that_was_acknowledged() {
    let Some(path) = restricted() else {
        let folder = tempfile::tempdir().unwrap();
        // A file may grow to one or two megabytes, depending on the shell; without the trap its growth would be fatal.
        let words = ["sh", "-c", r#"trap '' XFSZ; ulimit -f 2000; exec "$0" "$@""#];
        let test = "a_full_disk_turns_writes_away_and_loses_nothing_that_was_acknowledged";
        let said = run_restricted(&words, test, folder.path());
        let acknowledged: Vec<TaskId> = said
            .lines()
            .filter_map(|line| line.split_once("stored: "))
            .map(|(_, id)| TaskId::parse(id).expect("an id"))
            .collect();
        println!("{} tasks fitted in", acknowledged.len());
        assert!(acknowledged.len() > 20);

        // There is room again.
        let database = open(&folder.path().join("tasks.db")).unwrap();
        let tasks = database.tasks();
        for id in acknowledged {
            assert!(is_stored(&tasks, id).await, "{id} is lost");
        }
        // Of another user: the other process has used the ids of this one.
        let task = a_task(&an_owner_named("somebody else"), "late");
        tasks.insert(&task, None).await.unwrap();
        return;
    };
    let database = open(&path).unwrap();
    database.migrate().unwrap();
    let tasks = database.tasks();
    let mut last = None;
    let refused = loop {
        let task = big();
        match tasks.insert(&task, None).await {
            Ok(_) => println!("stored: {}", task.id()),
            Err(refused) => break refused,
        }
        last = Some(task.id());
    };
    for refused in [refused, tasks.insert(&big(), None).await.unwrap_err()] {
        assert!(
            matches!(refused, InsertError::Storage(StorageError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(tasks.is_degraded());
    // What is there can be read all the time.
    tasks.check().await.unwrap();
    assert!(is_stored(&tasks, last.expect("a task")).await);
}

fn big() -> Task {
    let mut parts = a_task(&an_owner(), "big").into_parts();
    let text = "x".repeat(10_000);
    parts.description = Some(domain::task::Description::parse(text).expect("a description"));
    Task::restore(parts).expect("consistent facts")
}

/// The same task in both processes: an id of `a_task` depends on the tests that ran before in its process.
fn first() -> Task {
    let id = TaskId::parse("0190d3c0-0000-7000-8000-000000000001").expect("a task id");
    a_task_with(&an_owner(), "first", |parts| {
        parts.id = id;
        parts.created_at = id.created_at();
        parts.updated_at = id.created_at();
    })
}

/// The words before a program that make it heed permissions, even for root.
fn without_privileges() -> Vec<&'static str> {
    let id = Command::new("id").arg("-u").output().expect("a user id");
    if id.stdout == b"0\n" {
        vec![
            "setpriv",
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
        ]
    } else {
        vec!["env"]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_must_not_be_written_can_be_read() {
    let Some(path) = restricted() else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.db");
        let database = open(&path).unwrap();
        database.migrate().unwrap();
        database.tasks().insert(&first(), None).await.unwrap();
        drop(database);
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        let test = "a_file_that_must_not_be_written_can_be_read";
        run_restricted(&without_privileges(), test, folder.path());
        return;
    };
    let database = open(&path).unwrap();
    let tasks = database.tasks();
    assert!(is_stored(&tasks, first().id()).await);
    let refused = tasks.insert(&big(), None).await;
    let Err(InsertError::Storage(StorageError::Unavailable(cause))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(cause.to_string(), "attempt to write a readonly database");
    assert!(tasks.is_degraded());
    assert_eq!(database.migrate().unwrap(), [""; 0]);
}

#[test]
fn a_folder_that_must_not_be_written_is_refused() {
    if let Some(path) = restricted() {
        let error = open(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot use {} as the database", path.display())
        );
        let cause = std::error::Error::source(&error).expect("a cause");
        assert_eq!(cause.to_string(), "attempt to write a readonly database");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    open(&folder.path().join("tasks.db")).unwrap().migrate().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
    let test = "a_folder_that_must_not_be_written_is_refused";
    run_restricted(&without_privileges(), test, folder.path());
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_database_that_was_closed_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..200 {
        open(&folder.path().join("tasks.db")).unwrap().migrate().unwrap();
        let files: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(files, ["tasks.db"]);
    }
}
