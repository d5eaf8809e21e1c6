//! Settings that cannot hold a dangerous choice.

use adapters_jwt::{Algorithms, InvalidSetting, Leeway, Party, UserIdClaims};
use domain::identity::RefusalReason::{AlgorithmNotAllowed, NoUserId};

use crate::support::*;

#[test]
fn by_default_a_user_id_is_in_user_id_or_sub() {
    let claims = UserIdClaims::default();
    assert_eq!(claims.iter().collect::<Vec<_>>(), ["user_id", "sub"]);
}

#[test]
fn user_id_claims_keep_their_order() {
    let claims = UserIdClaims::parse(["sub", "https://app.example/uid"]).expect("good claims");
    assert_eq!(
        claims.iter().collect::<Vec<_>>(),
        ["sub", "https://app.example/uid"]
    );
}

#[test]
fn what_names_the_holder_of_a_mail_or_nobody_is_no_user_id_claim() {
    for name in [
        "id", "userId", "email", "iss", "aud", "exp", "nbf", "iat", "jti", "cnf",
    ] {
        let error = UserIdClaims::parse(["user_id", name]).expect_err("an unsafe claim");
        assert_eq!(error, InvalidSetting::UnsafeUserIdClaim { name });
    }
}

#[test]
fn a_list_of_user_id_claims_has_sound_entries() {
    assert_eq!(
        UserIdClaims::parse(Vec::<String>::new()),
        Err(InvalidSetting::NoUserIdClaim)
    );
    assert_eq!(
        UserIdClaims::parse(["sub", " "]),
        Err(InvalidSetting::BlankUserIdClaim)
    );
    assert_eq!(
        UserIdClaims::parse(["sub", "sub"]),
        Err(InvalidSetting::RepeatedUserIdClaim)
    );
}

#[test]
fn only_the_configured_claims_name_a_user() {
    let mut settings = settings(Rules::Plain);
    settings.user_id_claims = UserIdClaims::parse(["uid"]).expect("good claims");
    let verifier = verifier_at(settings, noon_secs());
    let caller = judge(
        &verifier,
        &with_user(noon_secs(), r#""uid":"a","user_id":"b","sub":"c""#),
    );
    assert_eq!(caller.expect("an accepted token").owner.as_str(), "a");
    let refusal = refused(&verifier, &with_user(noon_secs(), r#""user_id":"b","sub":"c""#));
    assert_eq!(refusal.reason, NoUserId);
}

#[test]
fn the_first_claim_of_the_list_that_is_present_decides() {
    let mut settings = settings(Rules::Plain);
    settings.user_id_claims = UserIdClaims::parse(["sub", "user_id"]).expect("good claims");
    let verifier = verifier_at(settings, noon_secs());
    let caller = judge(&verifier, &with_user(noon_secs(), r#""user_id":"b","sub":"c""#));
    assert_eq!(caller.expect("an accepted token").owner.as_str(), "c");
}

#[test]
fn a_party_is_known_without_its_trailing_slash() {
    assert_eq!(party("https://app.example/").as_str(), "https://app.example");
    assert_eq!(party("https://app.example/").to_string(), "https://app.example");
    assert_eq!(party("https://app.example//").as_str(), "https://app.example/");
}

#[test]
fn a_party_has_a_name() {
    for blank in ["", " ", "/", " /"] {
        assert_eq!(Party::parse(blank), Err(InvalidSetting::BlankParty), "{blank:?}");
    }
}

#[test]
fn a_leeway_has_at_most_60_seconds() {
    assert!(Leeway::from_secs(60).is_ok());
    for secs in [61, 256, 300, u64::MAX] {
        assert_eq!(
            Leeway::from_secs(secs),
            Err(InvalidSetting::LeewayTooLong),
            "{secs}"
        );
    }
}

#[test]
fn by_default_there_is_no_leeway() {
    assert_eq!(Leeway::from_secs(0), Ok(Leeway::default()));
}

#[test]
fn only_the_listed_algorithms_are_accepted() {
    let accepting = |name| {
        let mut settings = settings(Rules::Plain);
        settings.algorithms = Algorithms::parse([name]).expect("a good name");
        verifier_at(settings, noon_secs())
    };
    let of_the_secret = good_token(noon_secs());
    assert!(judge(&accepting("HS256"), &of_the_secret).is_ok());
    assert_eq!(
        refused(&accepting("EdDSA"), &of_the_secret).reason,
        AlgorithmNotAllowed
    );
    let of_a_key = with_header(r#"{"alg":"EdDSA"}"#, noon_secs());
    assert_eq!(
        refused(&accepting("HS256"), &of_a_key).reason,
        AlgorithmNotAllowed
    );
}

#[test]
fn a_list_of_algorithms_says_which_families_it_has() {
    let families = |names: &[&str]| {
        let algorithms = Algorithms::parse(names.iter().copied()).expect("good names");
        (
            algorithms.include_shared_secrets(),
            algorithms.include_key_pairs(),
        )
    };
    assert_eq!(families(&["HS256"]), (true, false));
    assert_eq!(families(&["EdDSA"]), (false, true));
    assert_eq!(
        families(&["Ed25519", "ES256", "ES384", "ES512", "RS256", "PS256"]),
        (false, true)
    );
    assert_eq!(families(&["ES256", "HS256"]), (true, true));
    let all = Algorithms::default();
    assert!(all.include_shared_secrets() && all.include_key_pairs());
}

#[test]
fn a_list_of_algorithms_holds_no_others() {
    for name in [
        "none", "HS384", "HS512", "RS384", "ES256K", "Ed448", "eddsa", "", "*",
    ] {
        assert_eq!(
            Algorithms::parse(["EdDSA", name]),
            Err(InvalidSetting::UnknownAlgorithm),
            "{name}"
        );
    }
    assert_eq!(Algorithms::parse([]), Err(InvalidSetting::NoAlgorithm));
}
