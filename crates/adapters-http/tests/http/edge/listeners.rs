//! One server on several addresses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapters_http::policy::time_limits::TimeLimits;
use adapters_http::server::{listeners, serve};
use test_api::Parts;

/// A name such as `localhost` may have two addresses. An application for each would have twice the connections to the
/// database that the settings allow.
#[tokio::test]
async fn a_worker_that_listens_on_two_addresses_has_one_application() {
    let mut addresses = listeners(("127.0.0.1", 0)).expect("a free port");
    addresses.extend(listeners(("127.0.0.1", 0)).expect("another free port"));
    let built = Arc::new(AtomicUsize::new(0));
    let (parts, count) = (Parts::default(), Arc::clone(&built));
    let app = move || {
        count.fetch_add(1, Ordering::Relaxed);
        parts.app()
    };
    let running = serve(addresses, 1, TimeLimits::default(), app).expect("a server");
    drop(running.handle().stop(false));
    running.await.expect("a server that stops when told");
    assert_eq!(built.load(Ordering::Relaxed), 1);
}
