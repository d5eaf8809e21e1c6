//! OAuth access tokens (RFC 9068), as Better Auth's `@better-auth/oauth-provider` makes them: `iss` is the address of
//! Better Auth, `client_id` and `azp` the client, `sub` the user, or the client if it acts for itself.

use domain::identity::RefusalReason::{
    BadAudience, BadIssuer, BadType, Expired, MissingScope, NoUser, NoUserId, NotYetValid,
};

use adapters_jwt::{InvalidSetting, Scope, VerifierSettings};
use domain::identity::TokenVerifier;

use super::claims::{claims, ed};
use super::*;
use crate::support::*;

/// The claims of a good one, but for these.
fn claims_but(now: i64, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let claims = serde_json::json!({
        "iss": format!("{APP}/api/auth"),
        "aud": [API, format!("{APP}/api/auth/oauth2/userinfo")],
        "sub": "usr_9f2c",
        "client_id": "cli-1",
        "azp": "cli-1",
        "scope": "openid tasks offline_access",
        "sid": "s",
        "jti": "j",
        "iat": now,
        "exp": now + LIFETIME,
    });
    let serde_json::Value::Object(mut claims) = claims else {
        panic!("claims are an object")
    };
    change(&mut claims);
    serde_json::Value::Object(claims).to_string()
}

fn access(now: i64, change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    typed_as("at+jwt", &claims_but(now, change))
}

fn typed_as(typ: &str, claims: &str) -> String {
    ED.token(
        &format!(r#"{{"alg":"EdDSA","kid":"ed-1","typ":"{typ}"}}"#),
        claims,
    )
}

cases! { OAuth;
    of_a_user => None, |now| access(now, |_| {});
    with_its_media_type => None, |now| typed_as("application/at+jwt", &claims_but(now, |_| {}));
    in_capitals => None, |now| typed_as("Application/AT+JWT", &claims_but(now, |_| {}));
    with_the_scope_alone => None, |now| access(now, |claims| { claims.insert("scope".into(), "tasks".into()); });
    with_the_client_in_one_claim => None, |now| access(now, |claims| { claims.remove("azp"); });
    with_the_client_in_the_other_claim => None, |now| access(now, |claims| { claims.remove("client_id"); });
    a_session_token_needs_no_scope => None, |now| ed(&claims(now, r#""sub":"usr_9f2c""#));
    a_session_token_with_its_media_type => None,
        |now| typed_as("application/jwt", &claims(now, r#""sub":"usr_9f2c""#));

    without_a_scope => Some(MissingScope), |now| access(now, |claims| { claims.remove("scope"); });
    with_another_scope => Some(MissingScope),
        |now| access(now, |claims| { claims.insert("scope".into(), "openid tasks:read mytasks".into()); });
    with_a_scope_in_a_list => Some(MissingScope),
        |now| access(now, |claims| { claims.insert("scope".into(), vec!["tasks"].into()); });
    with_a_scope_in_capitals => Some(MissingScope),
        |now| access(now, |claims| { claims.insert("scope".into(), "TASKS".into()); });
    of_a_client_that_acts_for_itself => Some(NoUser),
        |now| access(now, |claims| { claims.insert("sub".into(), "cli-1".into()); });
    of_a_client_that_acts_for_itself_and_names_a_user => Some(NoUser), |now| access(now, |claims| {
        claims.insert("sub".into(), "cli-1".into());
        claims.insert("user_id".into(), "usr_9f2c".into());
    });
    of_a_client_in_one_claim => Some(NoUser), |now| access(now, |claims| {
        claims.insert("sub".into(), "cli-1".into());
        claims.insert("azp".into(), "cli-2".into());
    });
    without_a_client => Some(NoUser), |now| access(now, |claims| {
        claims.remove("client_id");
        claims.remove("azp");
    });
    without_a_subject => Some(NoUser), |now| access(now, |claims| { claims.remove("sub"); });
    bound_to_a_key => Some(BadType),
        |now| access(now, |claims| { claims.insert("cnf".into(), serde_json::json!({"jkt": "0Zc"})); });
    bound_to_nothing => Some(BadType), |now| access(now, |claims| { claims.insert("cnf".into(), ().into()); });
    for_another_audience => Some(BadAudience),
        |now| access(now, |claims| { claims.insert("aud".into(), "https://other.example".into()); });
    of_another_issuer => Some(BadIssuer),
        |now| access(now, |claims| { claims.insert("iss".into(), "https://other.example".into()); });
    expired => Some(Expired), |now| access(now, |claims| { claims.insert("exp".into(), now.into()); });
    expired_without_a_scope => Some(MissingScope), |now| access(now, |claims| {
        claims.insert("exp".into(), now.into());
        claims.remove("scope");
    });
    not_valid_yet => Some(NotYetValid), |now| access(now, |claims| { claims.insert("nbf".into(), (now + 1).into()); });
    signed_with_the_secret => Some(BadType),
        |now| token(r#"{"alg":"HS256","typ":"at+jwt"}"#, claims_but(now, |_| {}));
    an_id_token => Some(BadAudience), |now| ed(&claims_but(now, |claims| { claims.insert("aud".into(), "cli-1".into()); }));
    a_session_token_without_a_user => Some(NoUserId), |now| ed(&claims(now, r#""client_id":"cli-1""#));
}

#[test]
fn the_refusal_of_an_access_token_names_the_settings_or_the_scope() {
    let now = noon_secs();
    let refusal_of = |rules, token: &str| {
        let error = judged(rules, now, token).expect_err("a refusal");
        refusal(&error).clone()
    };
    let refused = refusal_of(Rules::Origin, &access(now, |_| {}));
    assert_eq!(refused.reason, BadType);
    assert!(
        refused
            .hint
            .is_some_and(|hint| hint.contains("JWT_REQUIRED_SCOPE")),
        "{refused:?}"
    );
    let refused = refusal_of(
        Rules::OAuth,
        &access(now, |claims| {
            claims.remove("scope");
        }),
    );
    assert_eq!(refused.wanted.as_deref(), Some("tasks"));
}

#[test]
fn without_an_audience_no_access_token_is_accepted() {
    let now = noon_secs();
    let mut rules = settings(Rules::OAuth);
    rules.audiences.clear();
    runtime().block_on(async {
        let verifier = with_keys_of(verifier_at(rules, now), None);
        let error = verifier.verify(&access(now, |_| {})).await;
        assert_eq!(refusal(&error.expect_err("a refusal")).reason, BadType);
    });
}

#[test]
fn a_scope_is_one_word() {
    for text in ["tasks", "tasks:write", "https://api.example/tasks", "!#[]~"] {
        assert_eq!(Scope::parse(text).expect("a scope").as_str(), text);
    }
    for text in ["", " ", "tasks read", "ta\u{e4}sks", "a\"b", "a\\b", "a\tb"] {
        assert_eq!(Scope::parse(text), Err(InvalidSetting::BadScope), "{text}");
    }
}

/// Tokens that version 1.7.5 of the npm package made: for a user by the authorization code with PKCE, and for a client
/// by `client_credentials`; with the keys of its jwt plugin.
const REAL: &str = include_str!("fixtures/oauth-provider-1.7.5.json");
/// When they were made.
const MADE_AT: i64 = 1_796_140_838;

#[test]
fn the_tokens_of_the_real_package_are_accepted_for_users_and_refused_for_clients() {
    let real: serde_json::Value = serde_json::from_str(REAL).expect("JSON");
    let text = |name: &str| real[name].as_str().expect("a token").to_owned();
    let settings = VerifierSettings {
        issuers: vec![party("http://localhost:3000/api/auth")],
        audiences: vec![party(API)],
        required_scope: Some(Scope::parse("tasks").expect("a scope")),
        ..VerifierSettings::default()
    };
    runtime().block_on(async {
        let keys = real["jwks"].to_string();
        let verifier = with_key_set(verifier_at(settings, MADE_AT), keys, None);
        let caller = verifier.verify(&text("user")).await.expect("a user");
        assert_eq!(caller.owner.as_str(), "uit28oJZtAHa8jspaCk3Zm9vYNTzpXUM");
        let error = verifier.verify(&text("machine")).await.expect_err("a client");
        assert_eq!(refusal(&error).reason, NoUser);
    });
}
