//! Development tokens.

use adapters_jwt::{DevelopmentClaims, UserIdClaims, sign_development_token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::testing::{an_owner_named, noon};
use serde_json::{Value, json};

use crate::support::*;

fn claims() -> DevelopmentClaims {
    DevelopmentClaims {
        user_id: an_owner_named("dev \"user\" é"),
        user_id_claims: UserIdClaims::default(),
        issuer: Some(party(APP)),
        audience: Some(party(APP)),
        issued_at: noon() + TimeDelta::microseconds(999_999),
        expires_at: noon() + TimeDelta::hours(1),
    }
}

fn signed(claims: &DevelopmentClaims) -> String {
    sign_development_token(&secret(SECRET), claims)
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("a part");
    let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

#[test]
fn a_development_token_is_accepted() {
    let verifier = verifier_at(settings(Rules::Pinned), noon_secs());
    let caller = judge(&verifier, &signed(&claims())).expect("an accepted token");
    assert_eq!(caller.owner, claims().user_id);
    assert_eq!(caller.expires_at, claims().expires_at);
    assert_eq!(caller.issuer.as_deref(), Some(APP));
}

#[test]
fn a_development_token_has_the_usual_header() {
    assert_eq!(part(&signed(&claims()), 0), json!({"alg": "HS256", "typ": "JWT"}));
}

#[test]
fn a_development_token_says_what_it_is_told_and_no_more() {
    let said = json!({
        "user_id": "dev \"user\" é", "sub": "dev \"user\" é",
        "iat": noon_secs(), "exp": noon_secs() + 3600,
        "iss": APP, "aud": APP,
    });
    assert_eq!(part(&signed(&claims()), 1), said);
}

#[test]
fn a_development_token_without_parties_has_no_such_claims() {
    let claims = DevelopmentClaims {
        issuer: None,
        audience: None,
        ..claims()
    };
    let said = part(&signed(&claims), 1);
    assert_eq!(said.get("iss"), None);
    assert_eq!(said.get("aud"), None);
}

#[test]
fn a_development_token_names_the_user_in_the_first_configured_claim() {
    let claims = DevelopmentClaims {
        user_id_claims: UserIdClaims::parse(["uid", "user_id"]).expect("good claims"),
        ..claims()
    };
    let said = part(&signed(&claims), 1);
    assert_eq!(said["uid"], "dev \"user\" é");
    assert_eq!(said["sub"], "dev \"user\" é");
    assert_eq!(said.get("user_id"), None);
}

#[test]
fn an_independent_library_agrees_with_the_signature() {
    let token = signed(&claims());
    let (message, signature_of_ours) = token.rsplit_once('.').expect("a signature");
    assert_eq!(
        signature_of_ours,
        signature(message, SECRET, jsonwebtoken::Algorithm::HS256)
    );
}
