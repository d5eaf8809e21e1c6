//! The cost of unread answers to the process.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Binary, Storage, TaskApi, unread_by};

const MIB: usize = 1 << 20;

/// The most memory that the process has ever had in RAM, in bytes.
fn peak_memory(binary: &Binary) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", binary.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
}

async fn on_sqlite() -> (Binary, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tasks.db").display());
    (TaskApi::serve_on(&url).start().await, folder)
}

/// Two hundred connections that ask for the largest pages there are and read nothing, with and without a coding.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_connections_that_do_not_read_leave_the_process_below_150_mib() {
    let (binary, _folder) = on_sqlite().await;
    let api = binary.api(Storage::Sqlite);
    let mallory = api.user("mallory");
    let task = json!({ "title": "long", "description": "\u{1F95B}".repeat(10_000) });
    for _ in 0..500 {
        assert_eq!(mallory.post("/api/tasks", &task).await.status, 201);
    }
    for lines in ["", "Accept-Encoding: br, gzip\r\n"] {
        // One page each fits into the buffers of the operating system; what comes behind them does not.
        let streams = unread_by("mallory", &api, 200, lines).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        drop(streams);
        let peak = peak_memory(&binary) / MIB;
        assert!(peak < 150, "{lines:?}: {peak} MiB");
    }
}

/// Short requests whose answers are longer and have no body to wait for: actix makes them as fast as it can read.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_whose_answers_no_one_reads_stays_in_the_network() {
    let (binary, _folder) = on_sqlite().await;
    let api = binary.api(Storage::Sqlite);
    let address = api
        .url()
        .strip_prefix("http://")
        .expect("an HTTP address")
        .to_owned();
    let flood = tokio::task::spawn_blocking(move || {
        let part = "OPTIONS /livez HTTP/1.1\r\nHost:\r\n\r\n".repeat(2_000);
        let mut streams: Vec<_> = (0..4)
            .map(|_| {
                let stream = TcpStream::connect(&address).expect("a connection");
                stream
                    .set_nonblocking(true)
                    .expect("a stream that does not block");
                stream
            })
            .collect();
        let started = Instant::now();
        let mut sent = 0;
        while started.elapsed() < Duration::from_secs(3) {
            for stream in &mut streams {
                sent += stream.write(part.as_bytes()).unwrap_or(0);
            }
        }
        sent
    });
    let sent = flood.await.expect("a flood") / MIB;
    let peak = peak_memory(&binary) / MIB;
    assert!(peak < 80, "{peak} MiB after {sent} MiB of requests");
}
