//! The task that fetches begins and ends with its verifier, and serves every runtime.

use std::time::{Duration, Instant};

use domain::identity::TokenVerifier;
use tokio::time::sleep;

use crate::front_end::Verdict::Accepted;
use crate::front_end::*;

#[tokio::test(start_paused = true)]
async fn making_a_verifier_waits_for_nothing() {
    let server = KeyServer::default();
    server.take(secs(3600));
    let begin = tokio::time::Instant::now();
    let _verifier = Verifier::of(&server);
    assert_eq!(begin.elapsed(), secs(0));
}

#[tokio::test(start_paused = true)]
async fn fetching_ends_with_the_verifier() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    assert!(server.is_in_use());
    drop(verifier);
    sleep(secs(3600)).await;
    assert_eq!(server.count(), 1);
    assert!(!server.is_in_use(), "nothing of the task is left");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_under_way_ends_with_the_verifier_too() {
    let server = KeyServer::default();
    server.take(secs(3600));
    let verifier = Verifier::of(&server);
    sleep(secs(1)).await;
    assert_eq!(server.count(), 1);
    drop(verifier);
    sleep(Duration::from_millis(1)).await;
    assert!(!server.is_in_use());
}

/// As in the service: one runtime fetches, and each worker has a runtime of its own.
#[test]
fn other_runtimes_wait_for_what_one_runtime_fetches() {
    let main = tokio::runtime::Runtime::new().expect("a runtime");
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = main.block_on(async { Verifier::of(&server) }).verifier;
    let deadline = Instant::now() + secs(20);
    while server.count() == 0 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    server.publish(&[&old, &new]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let worker = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                let worker = worker.expect("a runtime");
                for key in [&old, &new, &old] {
                    let verdict = worker.block_on(verifier.verify(&key.token()));
                    assert_eq!(Verdict::from(verdict), Accepted);
                }
            });
        }
    });
}
