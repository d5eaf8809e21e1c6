//! New keys, gone keys, and other keys behind the same id.

use std::time::Duration;

use domain::identity::RefusalReason::{AlgorithmNotAllowed, BadSignature, UnknownKey};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::front_end::Verdict::{Accepted, Refused};
use crate::front_end::*;

#[tokio::test(start_paused = true)]
async fn the_first_token_waits_for_the_first_fetch() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    server.take(secs(2));
    let verifier = Verifier::of(&server);
    assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(2)));
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_known_key_waits_for_nothing() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    server.take(secs(2));
    sleep(A_QUIET_MINUTE).await;
    assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(0)));
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_token_of_a_new_key_fetches_it_at_once() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.publish(&[&old, &new]);
    assert_eq!(verifier.judge_timed(&new.token()).await, (Accepted, secs(0)));
    assert_eq!(verifier.judge_timed(&old.token()).await, (Accepted, secs(0)));
    assert_eq!(server.count(), 2);
}

/// Better Auth makes several keys when the first users come all at once, and publishes each with its first token.
#[tokio::test(start_paused = true)]
async fn five_new_keys_within_milliseconds_are_all_found() {
    let keys: Vec<_> = (0..5).map(|number| Key::new(&format!("key-{number}"))).collect();
    let server = KeyServer::with(&[&keys[0]]);
    let verifier = Verifier::ready(&server).await;
    for published in 1..=keys.len() {
        let keys: Vec<_> = keys[..published].iter().collect();
        server.publish(&keys);
        let (verdict, took) = verifier.judge_timed(&keys[published - 1].token()).await;
        assert_eq!(verdict, Accepted, "{published}");
        assert!(took <= secs(1), "{published}: {took:?}");
    }
    let begun = server.begun();
    assert_eq!(begun.len(), 5);
    for two in begun.windows(2) {
        assert!(two[1] - two[0] >= secs(1), "{begun:?}");
    }
}

/// The key was made while a fetch was under way that cannot know it: that fetch proves nothing.
#[tokio::test(start_paused = true)]
async fn a_fetch_that_began_before_the_token_came_does_not_make_its_key_absent() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    server.take(secs(2));
    let verifier = Verifier::of(&server);
    sleep(secs(1)).await;
    server.publish(&[&old, &new]);
    let begin = Instant::now();
    let verdicts = verifier.judge_all([new.token(), new.token()]).await;
    assert_eq!(verdicts, [Accepted, Accepted]);
    assert_eq!(
        begin.elapsed(),
        secs(3),
        "the rest of the first fetch, and the second"
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_fetch_under_way_brings_is_used_without_another_one() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    server.take(secs(2));
    let verifier = Verifier::of(&server);
    sleep(secs(1)).await;
    assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(1)));
    sleep(A_QUIET_MINUTE).await;
    assert_eq!(server.count(), 1, "no one waits any more");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_nobody_published_is_refused_after_a_fetch_and_remembered_for_five_seconds() {
    let (key, stranger) = (Key::new("a"), Key::new("stranger"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    for _ in 0..3 {
        assert_eq!(
            verifier.judge_timed(&stranger.token()).await,
            (Refused(UnknownKey), secs(0))
        );
    }
    assert_eq!(server.count(), 2);
    sleep(secs(5)).await;
    assert_eq!(verifier.judge(&stranger.token()).await, Refused(UnknownKey));
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_absent_id_stays_absent_through_a_fetch_for_another_one() {
    let (key, stranger, other) = (Key::new("a"), Key::new("stranger"), Key::new("other"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    for key in [&stranger, &other, &stranger] {
        assert_eq!(verifier.judge(&key.token()).await, Refused(UnknownKey));
    }
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_was_absent_is_known_as_soon_as_another_fetch_brings_it() {
    let (key, late, other) = (Key::new("a"), Key::new("late"), Key::new("other"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    assert_eq!(verifier.judge(&late.token()).await, Refused(UnknownKey));
    server.publish(&[&key, &late, &other]);
    assert_eq!(verifier.judge(&other.token()).await, Accepted);
    assert_eq!(verifier.judge_timed(&late.token()).await, (Accepted, secs(0)));
    assert_eq!(server.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_after_ten_minutes_give_or_take_a_tenth() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let _verifier = Verifier::ready(&server).await;
    sleep(secs(10 * 660)).await;
    let begun = server.begun();
    assert!((11..=13).contains(&begun.len()), "{begun:?}");
    for two in begun.windows(2) {
        let pause = two[1] - two[0];
        assert!(secs(540) <= pause && pause <= UNTIL_THE_NEXT_FETCH, "{pause:?}");
    }
    let pauses: std::collections::BTreeSet<_> = begun.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.len() > 1, "instances of this service do not march in step");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_verifies_nothing_after_the_next_fetch() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old, &new]);
    let verifier = Verifier::ready(&server).await;
    let token = old.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    server.publish(&[&new]);
    sleep(UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(verifier.judge(&token).await, Refused(UnknownKey));
    assert_eq!(verifier.judge(&new.token()).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn another_key_behind_the_same_id_takes_over_with_the_next_fetch() {
    let (old, new) = (Key::new("1"), Key::new("1"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    let token = old.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    server.publish(&[&new]);
    sleep(UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(verifier.judge(&token).await, Refused(BadSignature));
    assert_eq!(verifier.judge(&new.token()).await, Accepted);
}

/// A wiped database of a front end with serial numbers for ids.
#[tokio::test(start_paused = true)]
async fn another_key_behind_the_same_id_is_found_when_its_first_token_comes() {
    let (old, new) = (Key::new("1"), Key::new("1"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    let old_token = old.token();
    assert_eq!(verifier.judge(&old_token).await, Accepted);
    server.publish(&[&new]);
    sleep(secs(10)).await;
    assert_eq!(verifier.judge_timed(&new.token()).await, (Accepted, secs(0)));
    assert_eq!(server.count(), 2);
    assert_eq!(verifier.judge(&old_token).await, Refused(BadSignature));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_comes_during_a_look_behind_its_id_waits_for_the_end_of_it() {
    let (old, new) = (Key::new("1"), Key::new("1"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    server.publish(&[&new]);
    sleep(secs(10)).await;
    server.take(secs(1));
    let token = new.token();
    let later = async {
        sleep(Duration::from_millis(500)).await;
        verifier.judge(&token).await
    };
    assert_eq!(tokio::join!(verifier.judge(&token), later), (Accepted, Accepted));
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_kind_behind_the_same_id_is_found_when_its_first_token_comes() {
    let old = crate::issuer::Signer::p256();
    let new = Key::new("1");
    let jwk = crate::issuer::with_fields(old.jwk(), &json!({ "kid": "1" }));
    let server = KeyServer::default();
    server.say(&json!({ "keys": [jwk] }).to_string());
    let verifier = Verifier::ready(&server).await;
    assert_eq!(verifier.judge(&new.token()).await, Refused(AlgorithmNotAllowed));
    server.publish(&[&new]);
    sleep(secs(10)).await;
    assert_eq!(verifier.judge(&new.token()).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_bad_signature_fetches_once_in_ten_seconds_and_stays_a_bad_signature() {
    let (key, forger) = (Key::new("a"), Key::new("a"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    for _ in 0..3 {
        assert_eq!(
            verifier.judge_timed(&forger.token()).await,
            (Refused(BadSignature), secs(0))
        );
    }
    let fetched_at = server.begun()[0];
    sleep_until(fetched_at + secs(10) - Duration::from_millis(1)).await;
    assert_eq!(verifier.judge(&forger.token()).await, Refused(BadSignature));
    assert_eq!(server.count(), 1, "the set is fresh enough");
    sleep_until(fetched_at + secs(10)).await;
    for _ in 0..3 {
        assert_eq!(verifier.judge(&forger.token()).await, Refused(BadSignature));
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_bad_signatures_at_once_fetch_once() {
    let (key, forger) = (Key::new("a"), Key::new("a"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.take(secs(1));
    let verdicts = verifier.judge_all((0..100).map(|_| forger.token())).await;
    assert_eq!(verdicts, [Refused(BadSignature); 100]);
    sleep(secs(5)).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_an_id_fetches_nothing_once_there_are_keys() {
    let (one, other) = (Key::new("a"), Key::new("b"));
    let server = KeyServer::with(&[&one, &other]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    let token = crate::issuer::Signer::ed25519().token(r#"{"alg":"EdDSA"}"#, "{}");
    assert_eq!(verifier.judge(&token).await, Refused(UnknownKey));
    server.publish(&[&one]);
    assert_eq!(verifier.judge(&token).await, Refused(UnknownKey));
    assert_eq!(server.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_without_an_id_waits_for_the_first_keys() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    server.take(secs(2));
    let verifier = Verifier::of(&server);
    let token = crate::issuer::Signer::ed25519().token(r#"{"alg":"EdDSA"}"#, "{}");
    assert_eq!(
        verifier.judge_timed(&token).await,
        (Refused(BadSignature), secs(2))
    );
}
