//! Values that must never be shown: a secret, a token, a claim.

use std::fmt::Debug;

use adapters_jwt::{SharedSecret, VerifierSettings};

use crate::issuer::{development_claims, hs256_token};
use crate::key_pairs;
use crate::support::*;

/// Texts of claims in our tables that are in no setting and in no hint.
const CLAIMED: [&str; 6] = [
    "usr_",
    "alice@",
    "evil.example",
    "oauth-client",
    "session-cache\"",
    "anybody",
];

fn looks(thing: &(impl Debug + ?Sized)) -> String {
    format!("{thing:?} {thing:#?}")
}

#[test]
fn no_refusal_shows_a_token_a_claim_or_a_secret() {
    for case in all_cases().chain(key_pairs::all_cases()) {
        let now = noon_secs();
        let Err(error) = case.judge_at(now) else { continue };
        let refusal = refusal(&error).clone();
        let shown = format!("{} {error} {refusal} {}", looks(&error), looks(&refusal));
        let token = (case.token)(now);
        assert!(!shown.contains(SECRET), "{}: {shown}", case.name);
        for part in token.split('.').filter(|part| part.len() > 12) {
            assert!(!shown.contains(part), "{}: {shown}", case.name);
        }
        for claim in CLAIMED {
            assert!(!shown.contains(claim), "{}: {shown}", case.name);
        }
    }
}

#[test]
fn nothing_of_ours_shows_a_secret() {
    let settings = settings(Rules::Pinned);
    let shown = [
        looks(&secret(SECRET)),
        looks(&settings),
        looks(&verifier_at(settings.clone(), noon_secs())),
    ]
    .concat();
    assert!(!shown.contains(SECRET) && !shown.contains("horse"), "{shown}");
}

#[test]
fn a_list_of_secrets_shows_none_of_them() {
    let secrets = SharedSecret::parse_versioned("2:a-fresh-one,1:a-stale-one").expect("a good list");
    let shown = looks(&VerifierSettings {
        secrets,
        ..VerifierSettings::default()
    });
    assert!(!shown.contains("-one"), "{shown}");
}

#[test]
fn no_error_about_a_secret_shows_it() {
    let default = "better-auth-secret-12345678901234567890";
    let lists = [
        "hunter2",
        "hunter:2",
        "1:hunter2,1:hunter3",
        "1:hunter2,hunter3",
        "1:hunter2,2:",
        default,
    ];
    for list in lists {
        let error = SharedSecret::parse_versioned(list).expect_err("a wrong list");
        let shown = format!("{error} {}", looks(&error));
        assert!(!shown.contains("hunter") && !shown.contains("1234"), "{shown}");
    }
    let error = SharedSecret::new(default.into()).expect_err("a refused secret");
    assert!(!format!("{error} {}", looks(&error)).contains("1234"));
}

#[test]
fn claims_of_a_development_token_hold_no_secret() {
    assert!(!looks(&development_claims()).contains("horse"));
    assert!(!hs256_token().contains(&base64(SECRET)));
}
