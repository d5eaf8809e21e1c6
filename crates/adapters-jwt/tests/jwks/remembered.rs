//! Tokens that were verified a moment ago, and need no second look at their signature.

use chrono::TimeDelta;
use domain::identity::RefusalReason::{BadSignature, Expired, NotYetValid, UnknownKey};
use domain::testing::noon;
use serde_json::json;
use tokio::time::sleep;

use crate::front_end::Verdict::{Accepted, Refused};
use crate::front_end::*;
use crate::issuer::{LIFETIME, Signer};

#[tokio::test(start_paused = true)]
async fn a_remembered_token_expires_to_the_microsecond() {
    let key = Key::new("a");
    let verifier = Verifier::ready(&KeyServer::with(&[&key])).await;
    let token = key.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    verifier
        .clock
        .advance(TimeDelta::seconds(LIFETIME) - TimeDelta::microseconds(1));
    assert_eq!(verifier.judge(&token).await, Accepted);
    verifier.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(verifier.judge(&token).await, Refused(Expired));
    assert_eq!(verifier.judge(&token).await, Refused(Expired));
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_is_not_good_before_its_time_if_the_clock_goes_back() {
    let key = Key::new("a");
    let verifier = Verifier::ready(&KeyServer::with(&[&key])).await;
    let token = key.token_saying(&json!({ "nbf": noon().timestamp() }));
    assert_eq!(verifier.judge(&token).await, Accepted);
    verifier.clock.advance(TimeDelta::microseconds(-1));
    assert_eq!(verifier.judge(&token).await, Refused(NotYetValid));
    verifier.clock.advance(TimeDelta::microseconds(1));
    assert_eq!(verifier.judge(&token).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_names_the_same_caller_again() {
    use domain::identity::TokenVerifier;
    let key = Key::new("a");
    let verifier = Verifier::ready(&KeyServer::with(&[&key])).await;
    let one = key.token_saying(&json!({ "sub": "one", "iss": "https://one.example" }));
    let other = key.token_saying(&json!({ "sub": "other" }));
    for token in [&one, &other] {
        let first = verifier.verifier.verify(token).await.expect("an accepted token");
        let second = verifier.verifier.verify(token).await.expect("an accepted token");
        assert_eq!(first, second);
    }
    let caller = verifier.verifier.verify(&one).await.expect("an accepted token");
    assert_eq!(caller.owner.as_str(), "one");
    assert_eq!(caller.issuer.as_deref(), Some("https://one.example"));
}

#[tokio::test(start_paused = true)]
async fn no_refusal_is_remembered() {
    let (key, stranger) = (Key::new("a"), Key::new("stranger"));
    let server = KeyServer::with(&[&key]);
    let verifier = Verifier::ready(&server).await;
    let token = stranger.token();
    assert_eq!(verifier.judge(&token).await, Refused(UnknownKey));
    server.publish(&[&key, &stranger]);
    sleep(secs(5)).await;
    assert_eq!(verifier.judge(&token).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_came_does_not_bring_back_the_tokens_of_one_that_went() {
    let (a, b) = (Key::new("a"), Key::new("b"));
    let server = KeyServer::with(&[&a]);
    let verifier = Verifier::ready(&server).await;
    let token = a.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    // One key more makes nothing void; the next fetch takes the first one away.
    server.publish(&[&a, &b]);
    assert_eq!(verifier.judge(&b.token()).await, Accepted);
    assert_eq!(verifier.judge(&token).await, Accepted);
    server.publish(&[&b]);
    sleep(UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(verifier.judge(&token).await, Refused(UnknownKey));
    assert_eq!(verifier.judge(&b.token()).await, Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_swapped_for_another_and_back_verifies_again() {
    let (a, imposter) = (Key::new("a"), Key::new("a"));
    let server = KeyServer::with(&[&a]);
    let verifier = Verifier::ready(&server).await;
    let token = a.token();
    assert_eq!(verifier.judge(&token).await, Accepted);
    for _ in 0..2 {
        server.publish(&[&imposter]);
        sleep(UNTIL_THE_NEXT_FETCH).await;
        assert_eq!(verifier.judge(&token).await, Refused(BadSignature));
        server.publish(&[&a]);
        sleep(UNTIL_THE_NEXT_FETCH).await;
        assert_eq!(verifier.judge(&token).await, Accepted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_without_an_id_that_is_replaced_makes_its_tokens_void_too() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let server = KeyServer::default();
    let publish = |signer: &Signer| server.say(&json!({ "keys": [signer.jwk()] }).to_string());
    publish(&old);
    let verifier = Verifier::ready(&server).await;
    let claims = json!({ "sub": "usr_9f2c", "exp": noon().timestamp() + LIFETIME }).to_string();
    let token = old.token(r#"{"alg":"EdDSA"}"#, &claims);
    assert_eq!(verifier.judge(&token).await, Accepted);
    publish(&new);
    sleep(UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(verifier.judge(&token).await, Refused(BadSignature));
}

#[tokio::test(start_paused = true)]
async fn more_tokens_than_are_remembered_are_all_accepted() {
    let key = Key::new("a");
    let verifier = Verifier::ready(&KeyServer::with(&[&key])).await;
    let tokens: Vec<_> = (0..9_000)
        .map(|number| key.token_saying(&json!({ "jti": number })))
        .collect();
    for token in tokens.iter().chain(tokens.iter().rev().step_by(100)) {
        assert_eq!(verifier.judge(token).await, Accepted);
    }
}
