//! Many requests at once.

use adapters_jwt::KeySetTiming;
use domain::identity::RefusalReason::UnknownKey;
use tokio::time::{Instant, sleep};

use crate::front_end::Verdict::{Accepted, KeysUnavailable, Refused};
use crate::front_end::*;

#[tokio::test(start_paused = true)]
async fn a_hundred_tokens_of_a_new_key_cause_one_fetch_and_no_refusal() {
    for delay in [0, 1, 2] {
        let (old, new) = (Key::new("old"), Key::new("new"));
        let server = KeyServer::with(&[&old]);
        let verifier = Verifier::ready(&server).await;
        sleep(A_QUIET_MINUTE).await;
        server.publish(&[&old, &new]);
        server.take(secs(delay));
        let verdicts = verifier.judge_all((0..100).map(|_| new.token())).await;
        assert_eq!(verdicts, [Accepted; 100]);
        sleep(secs(10)).await;
        assert_eq!(server.count(), 2, "{delay}");
    }
}

/// Some of the hundred come while the fetch is under way that brings their key.
#[tokio::test(start_paused = true)]
async fn tokens_that_come_one_after_the_other_cause_one_fetch_too() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.publish(&[&old, &new]);
    server.take(secs(2));
    let first = verifier.judge_all((0..50).map(|_| new.token()));
    let later = async {
        sleep(secs(1)).await;
        verifier.judge_all((0..50).map(|_| new.token())).await
    };
    let (first, later) = tokio::join!(first, later);
    assert_eq!([first, later].concat(), [Accepted; 100]);
    sleep(secs(10)).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn bogus_ids_do_not_keep_the_next_key_from_being_found() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    for number in 0..10 {
        let bogus = Key::new(&format!("bogus-{number}"));
        assert_eq!(verifier.judge(&bogus.token()).await, Refused(UnknownKey));
    }
    server.publish(&[&old, &new]);
    let (verdict, took) = verifier.judge_timed(&new.token()).await;
    assert_eq!(verdict, Accepted);
    assert!(took <= secs(1), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn bogus_ids_cost_the_key_server_one_fetch_a_second_at_most() {
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    let end = Instant::now() + secs(30);
    for number in 0..100 {
        if Instant::now() >= end {
            break;
        }
        let bogus = (0..20).map(|other| Key::new(&format!("bogus-{number}-{other}")).token());
        assert_eq!(verifier.judge_all(bogus).await, [Refused(UnknownKey); 20]);
    }
    let begun = server.begun();
    assert!(begun.len() <= 32, "{}", begun.len());
    for two in begun.windows(2) {
        assert!(two[1] - two[0] >= secs(1), "{begun:?}");
    }
}

/// One bogus id over and over, also while a fetch is under way: it is held absent most of the time.
#[tokio::test(start_paused = true)]
async fn one_bogus_id_costs_the_key_server_a_fetch_or_two_in_five_seconds() {
    let (key, bogus) = (Key::new("a"), Key::new("bogus"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.take(secs(1));
    let token = bogus.token();
    let end = Instant::now() + secs(60);
    while Instant::now() < end {
        let several = verifier.judge_all((0..3).map(|_| token.clone()));
        let later = async {
            sleep(std::time::Duration::from_millis(300)).await;
            verifier.judge(&token).await
        };
        let (several, later) = tokio::join!(several, later);
        assert_eq!(
            (several, later),
            (vec![Refused(UnknownKey); 3], Refused(UnknownKey))
        );
    }
    assert!(server.count() <= 2 + 2 * 60 / 5, "{}", server.count());
}

#[tokio::test(start_paused = true)]
async fn more_bogus_ids_than_are_remembered_do_no_harm() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    for round in 0..3 {
        let bogus = (0..200).map(|number| Key::new(&format!("bogus-{round}-{number}")).token());
        assert_eq!(verifier.judge_all(bogus).await, [Refused(UnknownKey); 200]);
    }
    server.publish(&[&old, &new]);
    assert_eq!(verifier.judge(&new.token()).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_and_fifty_six_requests_wait_and_the_next_is_told_so_at_once() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = KeyServer::with(&[&old]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.publish(&[&old, &new]);
    server.take(secs(2));
    let waiting = verifier.judge_all((0..256).map(|_| new.token()));
    let one_more = async {
        sleep(secs(1)).await;
        verifier.judge_timed(&new.token()).await
    };
    let known = async {
        sleep(secs(1)).await;
        verifier.judge_timed(&old.token()).await
    };
    let (waiting, one_more, known) = tokio::join!(waiting, one_more, known);
    assert_eq!(waiting, [Accepted; 256]);
    assert_eq!(one_more, (KeysUnavailable, secs(0)));
    assert_eq!(known, (Accepted, secs(0)));
    assert_eq!(
        verifier.judge(&new.token()).await,
        Accepted,
        "the places are free again"
    );
}

/// No one waits any more, but the fetch that they waited for goes on.
#[tokio::test(start_paused = true)]
async fn two_hundred_and_fifty_six_ids_are_waited_for_and_the_next_is_told_so_at_once() {
    let server = KeyServer::default();
    server.take(secs(60));
    let timing = KeySetTiming {
        timeout: secs(60),
        ..KeySetTiming::default()
    };
    let verifier = Verifier::with_timing(&server, timing);
    let bogus = |number| Key::new(&format!("bogus-{number}")).token();
    let verdicts = verifier.judge_all((0..256).map(bogus)).await;
    assert_eq!(verdicts, [KeysUnavailable; 256]);
    assert_eq!(
        verifier.judge_timed(&bogus(255)).await,
        (KeysUnavailable, secs(5))
    );
    assert_eq!(
        verifier.judge_timed(&bogus(256)).await,
        (KeysUnavailable, secs(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_gives_its_place_back() {
    let (key, bogus) = (Key::new("a"), Key::new("bogus"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    sleep(A_QUIET_MINUTE).await;
    server.take(secs(2));
    let crowd = verifier.judge_all((0..256).map(|_| bogus.token()));
    let gone = tokio::time::timeout(secs(1), crowd).await;
    assert!(gone.is_err());
    sleep(secs(10)).await;
    assert_eq!(verifier.judge(&bogus.token()).await, Refused(UnknownKey));
}
