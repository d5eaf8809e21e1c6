//! Step 4: issuer and audience, where they are configured.

use domain::identity::RefusalReason::{BadAudience, BadIssuer, BadUserId, Expired};

use crate::support::*;

const PROPER: &str = r#""iss":"https://app.example","aud":"https://app.example""#;

cases! { Pinned;
    from_us_for_us => None, |now| with_more(now, PROPER);
    a_trailing_slash_on_both => None,
        |now| with_more(now, r#""iss":"https://app.example/","aud":"https://app.example/""#);
    us_among_several_audiences => None,
        |now| with_more(now, r#""iss":"https://app.example","aud":["https://other.example","https://app.example"]"#);

    issuer_missing => Some(BadIssuer), |now| with_more(now, r#""aud":"https://app.example""#);
    issuer_null => Some(BadIssuer), |now| with_more(now, r#""iss":null,"aud":"https://app.example""#);
    issuer_a_number => Some(BadIssuer), |now| with_more(now, r#""iss":1,"aud":"https://app.example""#);
    issuer_a_list => Some(BadIssuer),
        |now| with_more(now, r#""iss":["https://app.example"],"aud":"https://app.example""#);
    issuer_empty => Some(BadIssuer), |now| with_more(now, r#""iss":"","aud":"https://app.example""#);
    issuer_another => Some(BadIssuer),
        |now| with_more(now, r#""iss":"https://evil.example","aud":"https://app.example""#);
    issuer_with_a_prefix => Some(BadIssuer),
        |now| with_more(now, r#""iss":"https://app.example.evil.example","aud":"https://app.example""#);
    issuer_in_capitals => Some(BadIssuer),
        |now| with_more(now, r#""iss":"HTTPS://APP.EXAMPLE","aud":"https://app.example""#);
    issuer_with_two_trailing_slashes => Some(BadIssuer),
        |now| with_more(now, r#""iss":"https://app.example//","aud":"https://app.example""#);
    issuer_with_a_path => Some(BadIssuer),
        |now| with_more(now, r#""iss":"https://app.example/api/auth","aud":"https://app.example""#);

    audience_missing => Some(BadAudience), |now| with_more(now, r#""iss":"https://app.example""#);
    audience_null => Some(BadAudience), |now| with_more(now, r#""iss":"https://app.example","aud":null"#);
    audience_a_number => Some(BadAudience), |now| with_more(now, r#""iss":"https://app.example","aud":1"#);
    audience_an_object => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":{"https://app.example":1}"#);
    audience_an_empty_list => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":[]"#);
    audience_another => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":"oauth-client-1""#);
    audience_of_a_cookie => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":"better-auth:session-cache""#);
    audience_a_list_of_others => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":["oauth-client-1","oauth-client-2"]"#);
    audience_a_list_of_us_and_a_number => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":["https://app.example",1]"#);
    audience_a_list_in_a_list => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":[["https://app.example"]]"#);
    audience_several_in_one_text => Some(BadAudience),
        |now| with_more(now, r#""iss":"https://app.example","aud":"https://app.example,oauth-client-1""#);

    expired_from_us_for_us => Some(Expired),
        |now| with_claims(format!(r#"{{"user_id":"usr_9f2c","exp":{},{PROPER}}}"#, now - 1));
    expired_for_another_audience_is_not_called_expired => Some(BadAudience), |now| with_claims(format!(
        r#"{{"user_id":"usr_9f2c","exp":{},"iss":"https://app.example","aud":"oauth-client-1"}}"#, now - 1));
    expired_from_another_issuer_is_not_called_expired => Some(BadIssuer), |now| with_claims(format!(
        r#"{{"user_id":"usr_9f2c","exp":{},"iss":"https://evil.example","aud":"https://app.example"}}"#, now - 1));
    a_bad_user_from_us_for_us => Some(BadUserId),
        |now| with_claims(format!(r#"{{"user_id":"","exp":{},{PROPER}}}"#, now + LIFETIME));
}

#[test]
fn a_refused_issuer_comes_with_what_was_wanted() {
    let mut settings = settings(Rules::Pinned);
    settings.issuers.push(party("https://staging.example/"));
    let token = with_more(noon_secs(), r#""iss":"https://evil.example""#);
    let refusal = refused(&verifier_at(settings, noon_secs()), &token);
    assert_eq!(
        refusal.wanted.as_deref(),
        Some("https://app.example, https://staging.example")
    );
}

#[test]
fn a_refused_audience_comes_with_what_was_wanted() {
    let token = with_more(noon_secs(), r#""iss":"https://app.example""#);
    let refusal = refused(&verifier_at(settings(Rules::Pinned), noon_secs()), &token);
    assert_eq!(refusal.wanted.as_deref(), Some(APP));
}

#[test]
fn each_of_several_issuers_is_accepted() {
    let mut settings = settings(Rules::Plain);
    settings.issuers = vec![party("https://app.example/"), party("https://staging.example")];
    let verifier = verifier_at(settings, noon_secs());
    for issuer in ["https://app.example", "https://staging.example/"] {
        let token = with_more(noon_secs(), &format!(r#""iss":"{issuer}""#));
        let caller = judge(&verifier, &token).expect("an accepted token");
        assert_eq!(caller.issuer.as_deref(), Some(issuer));
    }
}

#[test]
fn an_audience_alone_can_be_asked_for() {
    let mut settings = settings(Rules::Plain);
    settings.audiences = vec![party(APP)];
    let verifier = verifier_at(settings, noon_secs());
    assert!(
        judge(
            &verifier,
            &with_more(noon_secs(), r#""aud":"https://app.example""#)
        )
        .is_ok()
    );
    assert_eq!(refused(&verifier, &good_token(noon_secs())).reason, BadAudience);
}
