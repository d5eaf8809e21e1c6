//! The output of the commands of `task-api`, and how they end.
//!
//! | File | What it proves |
//! |---|---|
//! | `commands` | help, version, `check`, `migrate` |
//! | `check_config` | what is effective, where it comes from, what is wrong |
//! | `container` | `healthcheck`, secrets in files and their rotation, completions |
//! | `token` | tokens for development |
//! | `dev` | a server from nothing |
//! | `copy` | from one database to another |
//! | `user_data` | the tasks of one user, exported and deleted |
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

mod check_config;
mod commands;
mod container;
mod copy;
mod dev;
mod folder;
mod token;
mod user_data;

use std::io::Read;
use std::process::Output;

use crate::support::{Process, TaskApi};

/// The output of a command. It must have succeeded, and must have had nothing to complain about.
fn printed(task_api: &TaskApi) -> String {
    let (output, _) = task_api.output();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    text(output.stdout)
}

/// The standard error of a command before it ended with that exit code.
fn complaint(task_api: &TaskApi, exit_code: i32) -> String {
    let (output, _) = task_api.output();
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let stderr = text(stderr);
    assert_eq!(status.code(), Some(exit_code), "{stderr}");
    assert!(stdout.is_empty(), "{}", text(stdout));
    stderr
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

/// Starts a command whose standard output is not read.
fn unread(task_api: &TaskApi) -> Process {
    let mut process = task_api.spawn();
    drop(process.0.stdout.take());
    process
}

/// The standard error of a process until it ends.
fn last_words(process: &mut Process) -> String {
    let mut words = String::new();
    let mut stderr = process.0.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut words).expect("text");
    words
}
