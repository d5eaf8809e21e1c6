//! The server itself ends, in order or not.

use crate::short_or_long;
use crate::trial::Trial;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn sigterm_loses_no_request_that_is_under_way() {
    let rounds = short_or_long(3, 50);
    let trial = Trial::of("SIGTERM of the server, and a new one");
    trial
        .strikes(async |stage, load| {
            for _ in 0..rounds {
                // The part of the load balancer: it asks, and sends nothing more to a server that is not ready.
                let stopping = stage.stop_server();
                stage.is_not_ready().await;
                load.hold();
                stopping.await;
                stage.start_server().await;
                load.release();
                load.stores(50).await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL"]
async fn kill_9_of_the_server_loses_no_acknowledged_write() {
    let rounds = short_or_long(3, 50);
    let trial = Trial::of("kill -9 of the server, and a new one").may_break();
    trial
        .strikes(async |stage, load| {
            for _ in 0..rounds {
                stage.kill_server().await;
                stage.start_server().await;
                load.stores(50).await;
            }
        })
        .await;
}
