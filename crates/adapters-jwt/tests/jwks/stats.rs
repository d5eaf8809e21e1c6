//! The statistics about the public keys.

use adapters_jwt::{JwtVerifier, KeySetStats, VerifierSettings};
use domain::testing::{FixedClock, noon};
use tokio::time::sleep;

use crate::front_end::*;

fn stats(verifier: &Verifier) -> KeySetStats {
    verifier.verifier.key_set_stats().expect("a key set")
}

#[tokio::test(start_paused = true)]
async fn keys_their_age_and_the_fetches_are_counted() {
    let (one, other) = (Key::new("a"), Key::new("b"));
    let server = KeyServer::with(&[&one, &other]);
    let verifier = Verifier::ready(&server).await;
    sleep(secs(100)).await;
    let first = stats(&verifier);
    assert_eq!((first.keys, first.age.as_secs()), (2, 100));
    assert_eq!((first.fetches, first.failures), (1, 0));

    server.go_away();
    sleep(secs(900)).await;
    let away = stats(&verifier);
    assert_eq!(
        (away.keys, away.age.as_secs()),
        (2, 1000),
        "old keys are still good"
    );
    assert_eq!(away.fetches, 1);
    assert_eq!(away.fetches + away.failures, server.count() as u64);
    sleep(A_DAY).await;
    assert_eq!(stats(&verifier).keys, 0, "and then too old");

    server.publish(&[&one]);
    sleep(secs(11)).await;
    let back = stats(&verifier);
    assert_eq!((back.keys, back.fetches), (1, 2));
    assert!(back.age <= secs(11), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn without_any_fetch_that_succeeded_the_age_is_that_of_the_verifier() {
    let verifier = Verifier::of(&KeyServer::default());
    sleep(secs(30)).await;
    let stats = stats(&verifier);
    assert_eq!((stats.keys, stats.fetches, stats.age.as_secs()), (0, 0, 30));
}

#[test]
fn a_verifier_of_shared_secrets_alone_has_no_key_set() {
    let clock = std::sync::Arc::new(FixedClock::at(noon()));
    let verifier = JwtVerifier::new(VerifierSettings::default(), clock);
    assert_eq!(verifier.key_set_stats(), None);
}
