//! Other tokens of Better Auth and its plug-ins that are signed with the same keys; issuers and audiences.

use domain::identity::RefusalReason::{
    BadAudience, BadIssuer, BadSignature, BadType, BadUserId, Expired, Malformed, NoExpiry, NoUserId,
    NotYetValid,
};
use domain::identity::TokenVerifier;

use super::*;
use crate::support::*;

cases! { Origin;
    from_the_origin_for_the_origin => None, |now| ed(&claims(now, r#""sub":"usr_9f2c""#));
    the_origin_with_a_trailing_slash => None, |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}/","aud":["{APP}/"]}}"#, now + LIFETIME));
    a_token_of_the_secret_needs_no_parties => None, |now| good_token(now);
    a_token_of_the_secret_with_other_parties => None,
        |now| with_more(now, r#""iss":"https://evil.example","aud":"oauth-client-1""#);

    a_session_cookie_signed_with_the_key => Some(BadType), |now| ED.token(
        r#"{"alg":"EdDSA","kid":"ed-1","typ":"better-auth.session-cache+jwt"}"#, &format!(
        r#"{{"sub":"usr_9f2c","sid":"s","exp":{},"iss":"{APP}","aud":"better-auth:session-cache"}}"#, now + 300));
    a_session_cookie_without_its_type => Some(BadAudience), |now| ed(&format!(
        r#"{{"sub":"usr_9f2c","sid":"s","exp":{},"iss":"{APP}","aud":"better-auth:session-cache"}}"#, now + 300));
    an_access_token => Some(BadType), |now| typed("at+jwt", now);
    an_access_token_with_its_media_type => Some(BadType), |now| typed("application/at+jwt", now);
    an_access_token_in_capitals => Some(BadType), |now| typed("AT+JWT", now);
    a_logout_token => Some(BadType), |now| typed("logout+jwt", now);
    a_proof_of_possession => Some(BadType), |now| typed("dpop+jwt", now);
    a_security_event => Some(BadType), |now| typed("secevent+jwt", now);
    a_verifiable_credential => Some(BadType), |now| typed("vc+sd-jwt", now);
    an_id_token => Some(BadIssuer), |now| ed(&format!(
        r#"{{"sub":"usr_9f2c","exp":{},"iss":"{APP}/api/auth","aud":"oauth-client-1"}}"#, now + LIFETIME));
    an_id_token_of_the_same_issuer => Some(BadAudience), |now| ed(&format!(
        r#"{{"sub":"usr_9f2c","exp":{},"iss":"{APP}","aud":"oauth-client-1"}}"#, now + LIFETIME));
    an_id_token_with_its_client_in_a_list => Some(BadAudience), |now| ed(&format!(
        r#"{{"sub":"usr_9f2c","exp":{},"iss":"{APP}","aud":["oauth-client-1"],"azp":"{APP}"}}"#, now + LIFETIME));
    a_token_bound_to_a_proof => Some(BadType), |now| ed(&claims(now, r#""sub":"usr_9f2c","cnf":{"jkt":"0Zc"}"#));
    a_token_bound_to_a_certificate => Some(BadType),
        |now| ed(&claims(now, r#""sub":"usr_9f2c","cnf":{"x5t#S256":"bwcK"}"#));
    a_mailed_link_signed_with_the_key => Some(NoUserId),
        |now| ed(&claims(now, r#""email":"alice@app.example","userId":"usr_9f2c""#));
    a_row_without_a_subject => Some(NoUserId),
        |now| ed(&claims(now, r#""id":"usr_9f2c","email":"alice@app.example""#));
    anything_that_the_server_was_asked_to_sign => Some(NoUserId), |now| ed(&claims(now, r#""hello":"world""#));

    no_issuer => Some(BadIssuer),
        |now| ed(&format!(r#"{{"exp":{},"sub":"usr_9f2c","aud":"{APP}"}}"#, now + LIFETIME));
    another_issuer => Some(BadIssuer), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"https://evil.example","aud":"{APP}"}}"#, now + LIFETIME));
    the_issuer_over_plain_http => Some(BadIssuer), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"http://app.example","aud":"{APP}"}}"#, now + LIFETIME));
    the_issuer_with_a_port => Some(BadIssuer), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}:443","aud":"{APP}"}}"#, now + LIFETIME));
    the_issuer_in_a_list => Some(BadIssuer), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":["{APP}"],"aud":"{APP}"}}"#, now + LIFETIME));
    no_audience => Some(BadAudience),
        |now| ed(&format!(r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}"}}"#, now + LIFETIME));
    no_audience_in_a_list => Some(BadAudience), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}","aud":[]}}"#, now + LIFETIME));
    an_audience_that_is_null => Some(BadAudience), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}","aud":null}}"#, now + LIFETIME));
    an_audience_beside_a_number => Some(BadAudience), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}","aud":["{APP}",7]}}"#, now + LIFETIME));
    an_audience_below_the_origin => Some(BadAudience), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}","aud":"{APP}/admin"}}"#, now + LIFETIME));
    two_audiences_one_after_the_other => Some(Malformed), |now| ed(&format!(
        r#"{{"exp":{},"sub":"usr_9f2c","iss":"{APP}","aud":"x","aud":"{APP}"}}"#, now + LIFETIME));

    an_expired_token_of_a_key_pair => Some(Expired), |now| ed(&format!(
        r#"{{"exp":{now},"sub":"usr_9f2c","iss":"{APP}","aud":"{APP}"}}"#));
    an_expired_id_token_is_not_called_expired => Some(BadAudience), |now| ed(&format!(
        r#"{{"exp":{now},"sub":"usr_9f2c","iss":"{APP}","aud":"oauth-client-1"}}"#));
    an_expired_token_with_a_bad_signature_is_not_called_expired => Some(BadSignature), |now| STRANGE_ED.token(
        &header("EdDSA", "ed-1"), &format!(r#"{{"exp":{now},"sub":"usr_9f2c","iss":"{APP}","aud":"{APP}"}}"#));
    a_token_of_a_key_pair_that_never_expires => Some(NoExpiry),
        |_| ed(&format!(r#"{{"sub":"usr_9f2c","iss":"{APP}","aud":"{APP}"}}"#));
    a_token_of_a_key_pair_from_the_future => Some(NotYetValid),
        |now| ed(&claims(now, &format!(r#""sub":"usr_9f2c","nbf":{}"#, now + 1)));
    a_client_instead_of_a_user => Some(BadUserId), |now| ed(&claims(now, r#""sub":null,"client_id":"c""#));
    a_user_of_a_number => Some(BadUserId), |now| ed(&claims(now, r#""sub":1"#));
    an_empty_user_beside_a_good_one => Some(BadUserId), |now| ed(&claims(now, r#""user_id":"","sub":"usr_9f2c""#));
    two_users => Some(Malformed), |now| ed(&claims(now, r#""sub":"usr_9f2c","sub":"usr_victim""#));
}

/// Claims from the origin for the origin, with some more.
pub(super) fn claims(now: i64, more: &str) -> String {
    format!(
        r#"{{"exp":{},"iss":"{APP}","aud":"{APP}",{more}}}"#,
        now + LIFETIME
    )
}

pub(super) fn ed(claims: &str) -> String {
    ED.token(&header("EdDSA", "ed-1"), claims)
}

fn typed(typ: &str, now: i64) -> String {
    let header = format!(r#"{{"alg":"EdDSA","kid":"ed-1","typ":"{typ}"}}"#);
    ED.token(&header, &claims(now, r#""sub":"usr_9f2c""#))
}

#[test]
fn what_the_settings_ask_for_counts_before_the_origin() {
    let mut settings = settings(Rules::Origin);
    settings.audiences = vec![party("https://api.example")];
    let now = noon_secs();
    let verdict_on = |audience: &str| {
        let claims = format!(
            r#"{{"exp":{},"iss":"{APP}","aud":"{audience}","sub":"usr_9f2c"}}"#,
            now + LIFETIME
        );
        runtime().block_on(async {
            let verifier = with_keys_of(verifier_at(settings.clone(), now), Some(party(APP)));
            verifier.verify(&ed(&claims)).await
        })
    };
    assert!(verdict_on("https://api.example").is_ok());
    let error = verdict_on(APP).expect_err("the audience of the origin");
    assert_eq!(refusal(&error).reason, BadAudience);
}
