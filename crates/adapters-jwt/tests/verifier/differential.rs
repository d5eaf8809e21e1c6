//! Our verdict on every token of the tables beside that of `jsonwebtoken::decode`, set as strictly as its options go.
//! Where the two differ, the reason stands here; a difference without a reason fails, and so does a reason without a
//! difference.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, get_current_timestamp};
use serde_json::Value;

use crate::key_pairs;
use crate::support::*;

/// Reason, and the cases that differ because of it.
pub(crate) type Difference = (&'static str, &'static [&'static str]);

/// They accept it, we do not.
const STRICTER: &[Difference] = &[
    (
        "they leave the user to the application, so that nobody or a malformed user passes",
        &[
            "a_token_of_16_kib",
            "a_user_id_that_is_null",
            "a_user_id_that_is_a_number",
            "a_user_id_that_is_true",
            "a_user_id_that_is_a_list",
            "a_user_id_that_is_an_object",
            "a_user_id_that_is_empty",
            "a_user_id_that_is_blank",
            "a_user_id_of_256_characters",
            "a_user_id_with_a_nul",
            "a_user_id_with_a_line_break",
            "a_null_user_id_beside_a_good_subject",
            "an_empty_user_id_beside_a_good_subject",
            "a_numeric_user_id_after_a_good_subject",
            "a_subject_that_is_null",
            "a_subject_that_is_a_number",
            "a_subject_that_is_empty",
            "a_bad_user_from_us_for_us",
            "nobody",
            "an_id_alone",
            "a_user_id_in_camel_case_alone",
            "a_user_id_in_capitals_alone",
            "an_email_alone",
            "the_token_of_an_email_verification_link",
            "the_token_of_a_cookie_cache",
        ],
    ),
    (
        "they refuse repeats of the registered claims only, not of ours and not of `cnf`",
        &[
            "a_user_id_twice",
            "a_user_id_twice_behind_an_escape",
            "a_binding_twice",
        ],
    ),
    (
        "they do not look at `cnf`",
        &["a_token_bound_to_a_key", "a_token_bound_to_null"],
    ),
    (
        "they do not look at `typ`",
        &[
            "a_type_of_access_tokens",
            "a_type_of_cookies",
            "a_type_of_logout_tokens",
            "a_type_with_another_media_type",
            "a_type_with_its_media_type_twice",
            "a_type_that_is_empty",
            "a_type_that_is_null",
        ],
    ),
    (
        "they do not look at `crit` and `b64`",
        &[
            "a_critical_extension",
            "a_critical_list_that_is_empty",
            "a_critical_null",
            "claims_that_are_not_encoded",
            "b64_without_crit",
            "b64_that_changes_nothing",
        ],
    ),
    (
        "they take any text, and `null`, for a key id",
        &[
            "a_key_id_that_is_empty",
            "a_key_id_that_is_null",
            "a_key_id_of_513_characters",
        ],
    ),
    (
        "they check a configured issuer or audience only if the claim is there and has a type they know",
        &[
            "issuer_missing",
            "issuer_null",
            "issuer_a_number",
            "audience_missing",
            "audience_null",
            "audience_a_number",
            "audience_an_object",
            "audience_a_list_of_us_and_a_number",
            "audience_a_list_in_a_list",
        ],
    ),
    ("they accept a list of issuers", &["issuer_a_list"]),
    ("they accept a token in the second that `exp` names", &["exp_now"]),
    (
        "they round `exp` and `nbf` to whole seconds",
        &[
            "exp_half_a_second_ago",
            "exp_a_microsecond_ago",
            "nbf_a_microsecond_ahead",
        ],
    ),
];

/// We accept it, they do not.
const MILDER: &[Difference] = &[
    (
        "they refuse every audience when none is configured; Better Auth always writes one",
        &["an_audience_that_nobody_asked_for", "a_whole_user_of_better_auth"],
    ),
    (
        "a trailing slash on an origin means nothing to us",
        &["a_trailing_slash_on_both"],
    ),
    (
        "we read only what we use; they read `zip`, `x5u`, `x5c` and, into a `Value`, each claim",
        &[
            "a_certificate_that_is_ignored",
            "an_unread_header_member_twice",
            "an_unread_claim_beyond_any_float",
            "an_unread_claim_nested_deeply",
        ],
    ),
    (
        "RFC 7519 puts no limits on a date; theirs are those of `u64`",
        &[
            "exp_beyond_every_calendar",
            "exp_beyond_every_integer",
            "nbf_negative",
        ],
    ),
];

fn they_accept(token: &str, rules: Rules) -> bool {
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let mut validation = strict(Algorithm::HS256);
    if matches!(rules, Rules::Pinned) {
        validation.set_issuer(&[APP]);
        validation.set_audience(&[APP]);
    }
    decode::<Value>(token, &key, &validation).is_ok()
}

/// The most that the library checks.
pub(crate) fn strict(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation
}

fn seconds_now() -> i64 {
    i64::try_from(get_current_timestamp()).expect("a time before the end of time")
}

/// Whether we and they accept the token. `decode` looks at the real clock, so the token is made for the real time,
/// and made again if a second went by in between.
fn verdicts(case: &Case, they_accept: fn(&str, Rules) -> bool) -> (bool, bool) {
    loop {
        let now = seconds_now();
        let theirs = they_accept(&(case.token)(now), case.rules);
        if seconds_now() == now {
            return (case.judge_at(now).is_ok(), theirs);
        }
    }
}

fn explained(differences: &'static [Difference]) -> BTreeSet<&'static str> {
    differences
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .collect()
}

/// Fails unless our verdicts differ from theirs in exactly these cases.
pub(crate) fn compare(
    cases: impl Iterator<Item = &'static Case>,
    they_accept: fn(&str, Rules) -> bool,
    stricter: &'static [Difference],
    milder: &'static [Difference],
) {
    let mut found_stricter = BTreeSet::new();
    let mut found_milder = BTreeSet::new();
    for case in cases {
        match verdicts(case, they_accept) {
            (false, true) => found_stricter.insert(case.name),
            (true, false) => found_milder.insert(case.name),
            (true, true) | (false, false) => false,
        };
    }
    assert_eq!(found_stricter, explained(stricter));
    assert_eq!(found_milder, explained(milder));
}

#[test]
fn every_difference_from_jsonwebtoken_has_a_reason() {
    compare(all_cases(), they_accept, STRICTER, MILDER);
}

const SOON_AFTER_1970: i64 = 1_000_000;
const YEAR_2100: i64 = 4_102_444_800;

#[test]
fn our_verdict_does_not_depend_on_which_time_it_is() {
    for case in all_cases().chain(key_pairs::all_cases()) {
        for now in [SOON_AFTER_1970, seconds_now(), YEAR_2100] {
            assert_eq!(
                case.judge_at(now).is_ok(),
                case.refused_as.is_none(),
                "{} at {now}",
                case.name
            );
        }
    }
}

#[test]
fn no_name_stands_in_two_tables() {
    let names: Vec<_> = all_cases()
        .chain(key_pairs::all_cases())
        .map(|case| case.name)
        .collect();
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}
