//! Tokens that are fine. A verifier that refuses everything would pass all other tables.

use chrono::{DateTime, TimeDelta, Utc};
use domain::identity::Caller;
use domain::testing::noon;

use crate::support::*;

cases! { Plain;
    a_good_token => None, |now| good_token(now);
    a_header_with_the_algorithm_alone => None, |now| with_header(r#"{"alg":"HS256"}"#, now);
    a_type_in_small_letters => None, |now| with_header(r#"{"alg":"HS256","typ":"jwt"}"#, now);
    a_key_id_that_nobody_needs => None, |now| with_header(r#"{"alg":"HS256","kid":"whatever"}"#, now);
    a_key_id_of_512_characters => None,
        |now| with_header(format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "é".repeat(512)), now);
    a_foreign_key_that_is_ignored => None,
        |now| with_header(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://evil.example"}"#, now);
    a_certificate_that_is_ignored => None,
        |now| with_header(r#"{"alg":"HS256","x5u":1,"x5c":null,"x5t":"AAAA"}"#, now);
    an_unread_header_member_twice => None, |now| with_header(r#"{"alg":"HS256","zip":"a","zip":"b"}"#, now);
    white_space_inside_the_header => None, |now| with_header("{ \"alg\" :\n\t\"HS256\" } ", now);

    a_subject_instead_of_a_user_id => None, |now| with_user(now, r#""sub":"usr_9f2c""#);
    a_user_id_beside_another_subject => None,
        |now| with_user(now, r#""sub":"alice@app.example","user_id":"usr_9f2c""#);
    a_user_id_beside_a_broken_subject => None, |now| with_user(now, r#""sub":1,"user_id":"usr_9f2c""#);
    a_user_id_of_255_characters => None,
        |now| with_user(now, &format!(r#""user_id":"{}""#, "é".repeat(255)));
    a_serial_user_id_in_text => None, |now| with_user(now, r#""user_id":"1""#);
    a_user_id_with_space_around_it => None, |now| with_user(now, r#""user_id":" usr_9f2c ""#);

    exp_a_second_ahead => None, |now| with_exp(now + 1);
    exp_half_a_second_ahead => None, |now| with_exp(format!("{now}.5"));
    exp_a_microsecond_ahead => None, |now| with_exp(format!("{now}.000001"));
    exp_with_an_exponent => None, |_| with_exp("9e9");
    exp_beyond_every_calendar => None, |_| with_exp("1e308");
    exp_the_largest_signed_integer => None, |_| with_exp(i64::MAX);
    exp_the_largest_integer => None, |_| with_exp(u64::MAX);
    exp_beyond_every_integer => None, |_| with_exp("123456789012345678901234567890");
    nbf_now => None, |now| with_more(now, &format!(r#""nbf":{now}"#));
    nbf_negative => None, |now| with_more(now, r#""nbf":-1e308"#);
    nbf_half_a_second_ago => None, |now| with_more(now, &format!(r#""nbf":{}.5"#, now - 1));

    an_issue_time_in_the_future => None, |now| with_more(now, &format!(r#""iat":{}"#, now + 1_000_000));
    an_issue_time_that_is_a_text => None, |now| with_more(now, r#""iat":"yesterday""#);
    an_issuer_that_nobody_asked_for => None, |now| with_more(now, r#""iss":"https://anybody.example""#);
    an_issuer_of_another_type => None, |now| with_more(now, r#""iss":1"#);
    an_audience_that_nobody_asked_for => None, |now| with_more(now, r#""aud":"https://anybody.example""#);
    an_audience_of_another_type => None, |now| with_more(now, r#""aud":1"#);
    an_unread_claim_twice => None, |now| with_more(now, r#""name":"a","name":"b""#);
    an_unread_claim_beyond_any_float => None, |now| with_more(now, r#""x":1e400"#);
    an_unread_claim_nested_deeply => None,
        |now| with_more(now, &format!(r#""x":{}{}"#, "[".repeat(3_000), "]".repeat(3_000)));
    a_whole_user_of_better_auth => None, |now| with_more(now, &format!(
        r#""iat":{now},"name":"Alice","email":"alice@app.example","emailVerified":false,"image":null,
        "id":"usr_9f2c","sub":"usr_9f2c","iss":"http://localhost:3000","aud":"http://localhost:3000""#));
}

fn accepted(token: &str) -> Caller {
    judge(&verifier(), token).expect("an accepted token")
}

#[test]
fn the_caller_is_the_user_of_the_token() {
    let token = with_user(noon_secs(), r#""sub":"other","user_id":"usr_9f2c""#);
    assert_eq!(accepted(&token).owner.as_str(), "usr_9f2c");
}

#[test]
fn without_a_user_id_the_caller_is_the_subject() {
    let token = with_user(noon_secs(), r#""sub":"alice@app.example""#);
    assert_eq!(accepted(&token).owner.as_str(), "alice@app.example");
}

#[test]
fn a_user_id_is_taken_exactly_as_it_is() {
    let token = with_user(noon_secs(), r#""user_id":" Usr_\u00c9\ud83d\ude00 ""#);
    assert_eq!(accepted(&token).owner.as_str(), " Usr_É😀 ");
}

#[test]
fn the_caller_expires_with_the_token() {
    let token = with_exp(format!("{}.25", noon_secs() + 60));
    assert_eq!(
        accepted(&token).expires_at,
        noon() + TimeDelta::milliseconds(60_250)
    );
}

#[test]
fn a_caller_that_outlives_the_calendar_expires_with_the_calendar() {
    assert_eq!(accepted(&with_exp("1e308")).expires_at, DateTime::<Utc>::MAX_UTC);
    assert_eq!(accepted(&with_exp(u64::MAX)).expires_at, DateTime::<Utc>::MAX_UTC);
}

#[test]
fn the_caller_carries_the_issuer() {
    let token = with_more(noon_secs(), r#""iss":"https://app.example/""#);
    assert_eq!(accepted(&token).issuer.as_deref(), Some("https://app.example/"));
}

#[test]
fn an_issuer_that_is_no_text_is_no_issuer() {
    assert_eq!(accepted(&with_more(noon_secs(), r#""iss":["a"]"#)).issuer, None);
    assert_eq!(accepted(&good_token(noon_secs())).issuer, None);
}
