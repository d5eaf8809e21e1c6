//! The shared secret: which texts can be one, rotation, several at once.

use adapters_jwt::{InvalidSecret, SharedSecret, VerifierSettings};
use domain::identity::RefusalReason::{BadSignature, NoKeySource};
use jsonwebtoken::Algorithm;

use crate::support::*;

fn signed_by(secret: &str) -> String {
    hmac_token(HEADER, secret, Algorithm::HS256, noon_secs())
}

fn accepts(secrets: Vec<SharedSecret>, token: &str) -> bool {
    let settings = VerifierSettings {
        secrets,
        ..VerifierSettings::default()
    };
    judge(&verifier_at(settings, noon_secs()), token).is_ok()
}

fn error_of(list: &str) -> InvalidSecret {
    SharedSecret::parse_versioned(list).expect_err("a wrong list")
}

#[test]
fn a_blank_secret_is_refused() {
    for blank in ["", " ", "\t\n", "\u{3000}"] {
        assert_eq!(SharedSecret::new(blank.into()).err(), Some(InvalidSecret::Blank));
    }
}

#[test]
fn the_published_default_of_better_auth_is_refused() {
    let default = "better-auth-secret-12345678901234567890";
    assert_eq!(
        SharedSecret::new(default.into()).err(),
        Some(InvalidSecret::PublishedDefault)
    );
    assert_eq!(
        SharedSecret::new(format!("{default}\n").into()).err(),
        Some(InvalidSecret::PublishedDefault)
    );
    assert_eq!(
        error_of(&format!("2:new,1:{default}")),
        InvalidSecret::PublishedDefault
    );
}

#[test]
fn a_secret_is_short_below_32_bytes() {
    assert!(secret(&"a".repeat(31)).is_short());
    assert!(!secret(&"a".repeat(32)).is_short());
    assert!(!secret(&"é".repeat(16)).is_short());
}

#[test]
fn a_short_secret_works() {
    assert!(accepts(vec![secret("s")], &signed_by("s")));
}

#[test]
fn a_secret_is_its_bytes_as_they_are() {
    let text = " c2VjcmV0IGluIGJhc2U2NA== é ";
    assert!(accepts(vec![secret(text)], &signed_by(text)));
    assert!(!accepts(vec![secret(text)], &signed_by(text.trim())));
    assert!(!accepts(vec![secret("c2VjcmV0")], &signed_by("secret")));
}

#[test]
fn any_of_several_secrets_verifies() {
    let secrets = || vec![secret("new"), secret("old"), secret("older")];
    for text in ["new", "old", "older"] {
        assert!(accepts(secrets(), &signed_by(text)), "{text}");
    }
    assert!(!accepts(secrets(), &signed_by("oldest")));
}

#[test]
fn a_secret_that_is_gone_verifies_no_more() {
    assert!(!accepts(vec![secret("new")], &signed_by("old")));
}

#[test]
fn without_any_secret_no_token_is_accepted() {
    let verifier = verifier_at(VerifierSettings::default(), noon_secs());
    let refusal = refused(&verifier, &good_token(noon_secs()));
    assert_eq!(refusal.reason, NoKeySource);
    let hint = "the token is signed with a shared secret; set BETTER_AUTH_SECRET";
    assert_eq!(refusal.hint, Some(hint));
}

#[test]
fn with_several_secrets_a_foreign_signature_is_a_bad_one() {
    let settings = VerifierSettings {
        secrets: vec![secret("new"), secret("old")],
        ..VerifierSettings::default()
    };
    let refusal = refused(&verifier_at(settings, noon_secs()), &signed_by("foreign"));
    assert_eq!(refusal.reason, BadSignature);
}

#[test]
fn a_rotation_list_holds_every_secret() {
    let secrets = SharedSecret::parse_versioned("2:new,1:old").expect("a good list");
    assert_eq!(secrets.len(), 2);
    assert!(accepts(secrets.clone(), &signed_by("new")));
    assert!(accepts(secrets, &signed_by("old")));
}

#[test]
fn a_rotation_list_may_have_space_around_its_parts() {
    let secrets = SharedSecret::parse_versioned(" 2 : new , 1:old\n").expect("a good list");
    assert!(accepts(secrets.clone(), &signed_by("new")));
    assert!(accepts(secrets, &signed_by("old")));
}

#[test]
fn only_the_first_colon_ends_the_version() {
    let secrets = SharedSecret::parse_versioned("0:a:b::c").expect("a good list");
    assert!(accepts(secrets, &signed_by("a:b::c")));
}

#[test]
fn an_entry_without_a_version_is_refused() {
    for list in [
        "",
        ",",
        "secret",
        "2:new,old",
        "2:new,",
        ":new",
        "x:new",
        "-1:new",
        "+1:new",
        "1.5:new",
        "2x:new",
    ] {
        assert_eq!(error_of(list), InvalidSecret::NoVersion, "{list}");
    }
}

#[test]
fn a_version_that_no_counter_reaches_is_refused() {
    assert_eq!(error_of("99999999999999999999:new"), InvalidSecret::NoVersion);
}

#[test]
fn a_version_stands_once() {
    assert_eq!(error_of("1:new,1:old"), InvalidSecret::RepeatedVersion);
    assert_eq!(error_of("1:new,01:old"), InvalidSecret::RepeatedVersion);
}

#[test]
fn an_entry_with_a_blank_secret_is_refused() {
    assert_eq!(error_of("2:,1:old"), InvalidSecret::Blank);
    assert_eq!(error_of("2:new,1: "), InvalidSecret::Blank);
}
