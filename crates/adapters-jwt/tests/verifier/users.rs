//! Step 4: who is asking, and the other tokens that Better Auth signs with the same secret.

use domain::identity::RefusalReason::{BadType, BadUserId, Malformed, NoUserId};

use crate::support::*;

cases! { Plain;
    claims_that_are_no_json => Some(Malformed), |_| with_claims("user_id=usr_9f2c");
    claims_that_are_a_text => Some(Malformed), |_| with_claims(r#""usr_9f2c""#);
    claims_that_are_a_list => Some(Malformed), |now| with_claims(format!("[{}]", good_claims(now)));
    claims_that_are_null => Some(Malformed), |_| with_claims("null");
    claims_that_are_not_closed => Some(Malformed), |now| with_claims(good_claims(now).trim_end_matches('}'));
    claims_with_more_after_them => Some(Malformed), |now| with_claims(format!("{} x", good_claims(now)));
    claims_with_a_comma_too_many => Some(Malformed), |now| with_more(now, "");
    claims_that_are_not_utf8 => Some(Malformed),
        |now| with_claims([good_claims(now).trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat());
    claims_nested_without_end => Some(Malformed),
        |now| with_more(now, &format!(r#""aud":{}"#, "[".repeat(5_000)));

    a_user_id_that_is_null => Some(BadUserId), |now| with_user(now, r#""user_id":null"#);
    a_user_id_that_is_a_number => Some(BadUserId), |now| with_user(now, r#""user_id":1"#);
    a_user_id_that_is_true => Some(BadUserId), |now| with_user(now, r#""user_id":true"#);
    a_user_id_that_is_a_list => Some(BadUserId), |now| with_user(now, r#""user_id":["usr_9f2c"]"#);
    a_user_id_that_is_an_object => Some(BadUserId), |now| with_user(now, r#""user_id":{"id":"usr_9f2c"}"#);
    a_user_id_that_is_empty => Some(BadUserId), |now| with_user(now, r#""user_id":"""#);
    a_user_id_that_is_blank => Some(BadUserId), |now| with_user(now, r#""user_id":" \u3000""#);
    a_user_id_of_256_characters => Some(BadUserId),
        |now| with_user(now, &format!(r#""user_id":"{}""#, "a".repeat(256)));
    a_user_id_with_a_nul => Some(BadUserId), |now| with_user(now, r#""user_id":"usr\u0000""#);
    a_user_id_with_a_line_break => Some(BadUserId), |now| with_user(now, r#""user_id":"usr\n""#);
    a_user_id_with_half_a_surrogate_pair => Some(Malformed), |now| with_user(now, r#""user_id":"\ud800""#);
    a_user_id_twice => Some(Malformed), |now| with_user(now, r#""user_id":"usr_9f2c","user_id":"usr_9f2c""#);
    a_user_id_twice_behind_an_escape => Some(Malformed),
        |now| with_user(now, r#""user_id":"usr_9f2c","user\u005fid":"usr_victim""#);

    a_null_user_id_beside_a_good_subject => Some(BadUserId),
        |now| with_user(now, r#""user_id":null,"sub":"usr_9f2c""#);
    an_empty_user_id_beside_a_good_subject => Some(BadUserId),
        |now| with_user(now, r#""user_id":"","sub":"usr_9f2c""#);
    a_numeric_user_id_after_a_good_subject => Some(BadUserId),
        |now| with_user(now, r#""sub":"usr_9f2c","user_id":7"#);
    a_subject_that_is_null => Some(BadUserId), |now| with_user(now, r#""sub":null"#);
    a_subject_that_is_a_number => Some(BadUserId), |now| with_user(now, r#""sub":1"#);
    a_subject_that_is_empty => Some(BadUserId), |now| with_user(now, r#""sub":"""#);
    a_subject_twice => Some(Malformed), |now| with_user(now, r#""sub":"usr_9f2c","sub":"usr_9f2c""#);
    a_subject_twice_beside_a_good_user_id => Some(Malformed),
        |now| with_user(now, r#""user_id":"usr_9f2c","sub":"a","sub":"b""#);

    nobody => Some(NoUserId), |now| with_claims(format!(r#"{{"exp":{}}}"#, now + LIFETIME));
    an_id_alone => Some(NoUserId), |now| with_user(now, r#""id":"usr_9f2c""#);
    a_user_id_in_camel_case_alone => Some(NoUserId), |now| with_user(now, r#""userId":"usr_9f2c""#);
    a_user_id_in_capitals_alone => Some(NoUserId), |now| with_user(now, r#""USER_ID":"usr_9f2c""#);
    an_email_alone => Some(NoUserId), |now| with_user(now, r#""email":"alice@app.example""#);
    the_token_of_an_email_verification_link => Some(NoUserId), |now| token(r#"{"alg":"HS256"}"#, format!(
        r#"{{"email":"alice@app.example","userId":"usr_9f2c","iat":{now},"exp":{}}}"#, now + 3600));
    the_token_of_a_cookie_cache => Some(NoUserId), |now| token(r#"{"alg":"HS256"}"#, format!(
        r#"{{"session":{{"id":"s","userId":"usr_9f2c"}},
        "user":{{"id":"usr_9f2c","email":"alice@app.example"}},
        "updatedAt":{now},"version":"1","iat":{now},"exp":{}}}"#, now + 300));
    an_expired_token_of_nobody_is_not_called_expired => Some(NoUserId),
        |now| with_claims(format!(r#"{{"exp":{}}}"#, now - 1));
    an_expired_token_of_a_bad_user_is_not_called_expired => Some(BadUserId),
        |now| with_claims(format!(r#"{{"user_id":1,"exp":{}}}"#, now - 1));

    a_token_bound_to_a_key => Some(BadType),
        |now| with_more(now, r#""cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2Hgl"}"#);
    a_token_bound_to_null => Some(BadType), |now| with_more(now, r#""cnf":null"#);
    a_binding_twice => Some(Malformed), |now| with_more(now, r#""cnf":{},"cnf":{}"#);
    an_issuer_twice => Some(Malformed), |now| with_more(now, r#""iss":"a","iss":"a""#);
    an_audience_twice => Some(Malformed), |now| with_more(now, r#""aud":"a","aud":"a""#);
    an_expired_token_bound_to_a_key_is_not_called_expired => Some(BadType),
        |now| with_claims(format!(r#"{{"user_id":"usr_9f2c","exp":{},"cnf":{{}}}}"#, now - 1));
}

#[test]
fn a_token_with_only_an_id_comes_with_a_hint() {
    let refusal = refused(&verifier(), &with_user(noon_secs(), r#""id":"usr_9f2c""#));
    assert_eq!(refusal.hint, Some("add user_id with definePayload or keep sub"));
}

#[test]
fn a_token_of_nobody_comes_without_a_hint() {
    let refusal = refused(
        &verifier(),
        &with_user(noon_secs(), r#""email":"alice@app.example""#),
    );
    assert_eq!(refusal.hint, None);
}
