//! Our verdict on every token of the tables of this module beside that of `jsonwebtoken::decode`, used as strictly as
//! its options go: the key is the first of the key set with the id of the token, the algorithm is the key's where the
//! key names one, and the shared secret is asked for HS256 alone.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, decode, decode_header};
use serde_json::Value;

use super::*;
use crate::differential::{Difference, compare, strict};
use crate::support::*;

/// They accept it, we do not.
const STRICTER: &[Difference] = &[
    (
        "they leave the user to the application, so that nobody or a malformed user passes",
        &[
            "a_client_instead_of_a_user",
            "a_mailed_link_signed_with_the_key",
            "a_row_without_a_subject",
            "a_user_of_a_number",
            "an_empty_user_beside_a_good_one",
            "anything_that_the_server_was_asked_to_sign",
        ],
    ),
    (
        "they do not look at `typ`, so that other kinds of tokens of the same key pass",
        &[
            "a_logout_token",
            "a_proof_of_possession",
            "a_security_event",
            "a_verifiable_credential",
            "an_access_token",
            "an_access_token_in_capitals",
            "an_access_token_with_its_media_type",
        ],
    ),
    (
        "they do not look at `cnf`",
        &["a_token_bound_to_a_certificate", "a_token_bound_to_a_proof"],
    ),
    (
        "they do not look at `crit` and `b64`",
        &[
            "a_critical_extension_beside_a_good_signature",
            "claims_not_encoded_beside_a_good_signature",
        ],
    ),
    (
        "they check a configured issuer or audience only if the claim is there and has a type they know",
        &[
            "an_audience_beside_a_number",
            "an_audience_that_is_null",
            "no_audience",
            "no_issuer",
        ],
    ),
    ("they accept a list of issuers", &["the_issuer_in_a_list"]),
    (
        "they accept a token in the second that `exp` names",
        &["an_expired_token_of_a_key_pair"],
    ),
    (
        "they leave it to the application what a key is for",
        &["the_id_of_a_key_for_deriving", "the_id_of_a_key_for_encryption"],
    ),
    (
        "they know RS384, which Better Auth does not offer",
        &[
            "rs384_well_signed_with_a_key_of_rs384",
            "rs384_well_signed_with_a_key_without_algorithm",
        ],
    ),
];

/// We accept it, they do not.
const MILDER: &[Difference] = &[
    (
        "they have no ES512",
        &["a_token_of_es512", "no_id_and_the_only_key_of_es512"],
    ),
    (
        "they do not know the name that RFC 9864 gives to EdDSA",
        &[
            "the_newer_name_of_eddsa_on_both",
            "the_newer_name_of_eddsa_with_a_key_of_the_older",
            "the_older_name_of_eddsa_with_a_key_of_the_newer",
        ],
    ),
    (
        "they leave it to the application to find the key, which here takes the first with the id",
        &[
            "no_id_and_the_only_key_of_es384",
            "the_second_of_two_keys_with_one_id",
        ],
    ),
    (
        "a trailing slash on an origin means nothing to us",
        &["the_origin_with_a_trailing_slash"],
    ),
];

/// The keys that the library can read.
fn their_keys() -> Vec<Jwk> {
    let document: Value = serde_json::from_str(&PUBLISHED).expect("JSON");
    let entries = document["keys"].as_array().expect("keys");
    entries
        .iter()
        .filter_map(|entry| serde_json::from_value(entry.clone()).ok())
        .collect()
}

fn they_accept(token: &str, rules: Rules) -> bool {
    let Ok(header) = decode_header(token) else {
        return false;
    };
    let (key, algorithm) = if header.alg == Algorithm::HS256 {
        (DecodingKey::from_secret(SECRET.as_bytes()), Algorithm::HS256)
    } else {
        let keys = their_keys();
        let Some(jwk) = keys.iter().find(|jwk| jwk.common.key_id == header.kid) else {
            return false;
        };
        let named = jwk
            .common
            .key_algorithm
            .map(|algorithm| algorithm.to_string().parse());
        let Ok(algorithm) = named.unwrap_or(Ok(header.alg)) else {
            return false;
        };
        let Ok(key) = DecodingKey::from_jwk(jwk) else {
            return false;
        };
        (key, algorithm)
    };
    let mut validation = strict(algorithm);
    validation.validate_aud = false;
    if matches!(rules, Rules::Origin) && algorithm != Algorithm::HS256 {
        validation.validate_aud = true;
        validation.set_issuer(&[APP]);
        validation.set_audience(&[APP]);
    }
    decode::<Value>(token, &key, &validation).is_ok()
}

#[test]
fn every_difference_from_jsonwebtoken_over_a_key_set_has_a_reason() {
    compare(super::all_cases(), they_accept, STRICTER, MILDER);
}
