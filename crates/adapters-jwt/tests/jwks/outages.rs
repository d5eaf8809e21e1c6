//! Behaviour while the keys cannot be fetched.

use std::time::Duration;

use adapters_jwt::{FetchFailed, KeySetTiming};
use domain::identity::RefusalReason::BadSignature;
use tokio::time::{Instant, sleep, sleep_until};

use crate::front_end::Verdict::{Accepted, KeysUnavailable, Refused};
use crate::front_end::*;
use crate::issuer::hs256_token;

/// When fetches began, in whole seconds after the first one.
fn seconds(server: &KeyServer) -> Vec<u64> {
    let begun = server.begun();
    begun.iter().map(|begin| (*begin - begun[0]).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn tokens_of_the_shared_secret_do_not_mind() {
    let server = KeyServer::default();
    server.take(secs(3600));
    let verifier = Verifier::of(&server);
    assert_eq!(verifier.judge_timed(&hs256_token()).await, (Accepted, secs(0)));
}

#[tokio::test(start_paused = true)]
async fn fetching_goes_on_with_growing_pauses_while_nobody_waits() {
    let server = KeyServer::default();
    let _verifier = Verifier::of(&server);
    sleep(secs(46)).await;
    assert_eq!(seconds(&server), [0, 1, 3, 7, 15, 25, 35, 45]);
}

#[tokio::test(start_paused = true)]
async fn the_pauses_begin_again_after_a_success() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let _verifier = Verifier::ready(&server).await;
    server.go_away();
    sleep(secs(700)).await;
    server.publish(&[&key]);
    sleep(secs(20)).await;
    server.go_away();
    let before = server.count();
    sleep(UNTIL_THE_NEXT_FETCH).await;
    let later = server.begun();
    assert_eq!((later[before + 1] - later[before]).as_secs(), 1);
    assert_eq!((later[before + 2] - later[before + 1]).as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_yet_nobody_is_refused() {
    let key = Key::new("a");
    let server = KeyServer::default();
    let verifier = Verifier::of(&server);
    let (verdict, took) = verifier.judge_timed(&key.token()).await;
    assert_eq!(verdict, KeysUnavailable);
    assert!(took <= secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_found_within_two_seconds_if_somebody_asks() {
    let key = Key::new("a");
    let server = KeyServer::default();
    let verifier = Verifier::of(&server);
    // Long enough for the longest pause.
    sleep(secs(47)).await;
    server.publish(&[&key]);
    let (verdict, took) = verifier.judge_timed(&key.token()).await;
    assert_eq!(verdict, Accepted);
    assert!(took <= secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_make_a_failing_server_no_busier_than_every_two_seconds() {
    let key = Key::new("a");
    let server = KeyServer::default();
    let verifier = Verifier::of(&server);
    let end = Instant::now() + secs(60);
    while Instant::now() < end {
        assert_eq!(verifier.judge(&key.token()).await, KeysUnavailable);
    }
    let begun = server.begun();
    assert!(begun.len() <= 32, "{}", begun.len());
    for two in begun[2..].windows(2) {
        assert!(two[1] - two[0] >= secs(2), "{begun:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pauses_are_the_long_ones_again_when_nobody_waits_any_more() {
    let key = Key::new("a");
    let server = KeyServer::default();
    let verifier = Verifier::of(&server);
    sleep(secs(46)).await;
    assert_eq!(verifier.judge(&key.token()).await, KeysUnavailable);
    sleep(secs(21)).await;
    assert_eq!(seconds(&server), [0, 1, 3, 7, 15, 25, 35, 45, 47, 57, 67]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_during_a_failing_fetch_brings_the_next_one_forward() {
    let key = Key::new("a");
    let server = KeyServer::default();
    server.take(secs(1));
    let verifier = Verifier::of(&server);
    sleep(Duration::from_millis(41_500)).await;
    assert_eq!(seconds(&server), [0, 2, 5, 10, 19, 30, 41]);
    server.publish(&[&key]);
    assert_eq!(verifier.judge(&key.token()).await, Accepted);
    assert_eq!(seconds(&server).last(), Some(&44));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_not_refused_while_fetching_fails_and_not_held_absent_after_that() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.go_away();
    assert_eq!(verifier.judge(&new.token()).await, KeysUnavailable);
    server.publish(&[&old, &new]);
    assert_eq!(verifier.judge(&new.token()).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_costs_a_request_five_seconds_at_most() {
    let (key, new) = (Key::new("a"), Key::new("new"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.take(secs(3600));
    for _ in 0..5 {
        let (verdict, took) = verifier.judge_timed(&new.token()).await;
        assert_eq!(verdict, KeysUnavailable);
        assert!(took <= secs(5), "{took:?}");
        assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_fetch_takes_three_seconds_at_most() {
    let server = KeyServer::default();
    server.take(secs(3600));
    let _verifier = Verifier::of(&server);
    sleep(secs(10)).await;
    assert_eq!(seconds(&server), [0, 4, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_signature_is_refused_at_once_while_fetching_fails() {
    let (key, forger) = (Key::new("a"), Key::new("a"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.go_away();
    assert_eq!(verifier.judge(&forger.token()).await, Refused(BadSignature));
    assert_eq!(
        verifier.judge_timed(&forger.token()).await,
        (Refused(BadSignature), secs(0))
    );
}

/// Keeps the old keys through whatever the server does now.
async fn the_old_keys_stay(spoil: impl FnOnce(&KeyServer)) {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    spoil(&server);
    sleep(secs(3600)).await;
    assert!(server.count() > 100, "fetching goes on");
    assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(0)));
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_is_away() {
    the_old_keys_stay(KeyServer::go_away).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_hangs() {
    the_old_keys_stay(|server| server.take(secs(60))).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_answers_with_errors() {
    the_old_keys_stay(|server| server.fail(|| FetchFailed::Status(500))).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_talks_rubbish() {
    the_old_keys_stay(|server| server.say("<html>Bad gateway</html>")).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_publishes_no_keys() {
    the_old_keys_stay(|server| server.say(r#"{"keys":[]}"#)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_stay_while_the_server_publishes_no_key_that_can_be_used() {
    the_old_keys_stay(|server| server.say(r#"{"keys":[{"kid":"a","kty":"oct","k":"AAAA"},null]}"#)).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_day_without_a_good_fetch_the_keys_are_too_old() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::of(&server);
    let begin = Instant::now();
    let token = key.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    server.go_away();
    sleep_until(begin + A_DAY - secs(1)).await;
    assert_eq!(verifier.judge(&token).await, Accepted);
    sleep_until(begin + A_DAY).await;
    assert_eq!(
        verifier.judge(&token).await,
        KeysUnavailable,
        "though it was verified before"
    );
    server.publish(&[&key]);
    assert_eq!(verifier.judge(&token).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn the_times_can_be_set() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let timing = KeySetTiming {
        refresh_every: secs(30),
        max_stale: secs(90),
        timeout: Duration::from_millis(500),
    };
    let verifier = Verifier::with_timing(&server, timing);
    assert_eq!(verifier.judge(&key.token()).await, Accepted);
    sleep(secs(34)).await;
    assert_eq!(server.count(), 2);
    server.take(Duration::from_millis(501));
    sleep(secs(80)).await;
    assert_eq!(verifier.judge(&key.token()).await, Accepted);
    sleep(secs(10)).await;
    assert_eq!(verifier.judge(&key.token()).await, KeysUnavailable);
}

fn busy_for(server: &KeyServer, retry_after: Option<Duration>) {
    server.fail(move || FetchFailed::TooManyRequests { retry_after });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_pause_gets_it_whoever_waits() {
    let key = Key::new("a");
    let server = KeyServer::default();
    busy_for(&server, Some(secs(8)));
    let verifier = Verifier::of(&server);
    sleep(secs(1)).await;
    server.publish(&[&key]);
    assert_eq!(
        verifier.judge_timed(&key.token()).await,
        (KeysUnavailable, secs(0))
    );
    sleep(secs(3)).await;
    // Now the pause ends before a request gives up.
    assert_eq!(verifier.judge_timed(&key.token()).await, (Accepted, secs(4)));
    assert_eq!(seconds(&server), [0, 8]);
}

#[tokio::test(start_paused = true)]
async fn a_server_cannot_ask_for_more_than_a_minute() {
    let server = KeyServer::default();
    busy_for(&server, Some(secs(3600)));
    let _verifier = Verifier::of(&server);
    sleep(secs(125)).await;
    assert_eq!(seconds(&server), [0, 60, 120]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_that_names_no_pause_gets_the_usual_ones() {
    let server = KeyServer::default();
    busy_for(&server, None);
    let _verifier = Verifier::of(&server);
    sleep(secs(16)).await;
    assert_eq!(seconds(&server), [0, 1, 3, 7, 15]);
}
