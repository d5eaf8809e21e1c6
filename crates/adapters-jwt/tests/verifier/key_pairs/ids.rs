//! The id of the key: which one a token means, and what cannot be made of it.

use domain::identity::RefusalReason::{BadSignature, Malformed, UnknownKey};

use super::*;
use crate::support::*;

cases! { Published;
    an_id_of_eddsa_that_nobody_published => Some(UnknownKey), |now| by(&ED, "EdDSA", "ed-2", now);
    an_id_of_es256_that_nobody_published => Some(UnknownKey), |now| by(&P256, "ES256", "es256-2", now);
    an_id_of_es384_that_nobody_published => Some(UnknownKey), |now| by(&P384, "ES384", "es384-2", now);
    an_id_of_es512_that_nobody_published => Some(UnknownKey), |now| by(&P521, "ES512", "es512-2", now);
    an_id_of_rs256_that_nobody_published => Some(UnknownKey), |now| by(&RSA, "RS256", "rs256-2", now);
    an_id_of_ps256_that_nobody_published => Some(UnknownKey), |now| by_pss(&RSA, "PS256", "ps256-2", now);
    an_id_with_a_space_after_it => Some(UnknownKey), |now| by(&ED, "EdDSA", "ed-1 ", now);
    an_id_with_a_space_before_it => Some(UnknownKey), |now| by(&ED, "EdDSA", " ed-1", now);
    an_id_with_a_nul_after_it => Some(UnknownKey), |now| by(&ED, "EdDSA", "ed-1\0", now);
    an_id_in_capitals => Some(UnknownKey), |now| by(&ED, "EdDSA", "ED-1", now);
    an_id_that_looks_the_same => Some(UnknownKey), |now| by(&ED, "EdDSA", "еd-1", now);
    an_id_in_percent_encoding => Some(UnknownKey), |now| by(&ED, "EdDSA", "ed%2D1", now);
    an_id_that_begins_like_another => Some(UnknownKey), |now| by(&ED, "EdDSA", "ed", now);
    an_id_for_a_path => Some(UnknownKey), |now| by(&ED, "EdDSA", "../../../../dev/null", now);
    an_id_for_an_address => Some(UnknownKey), |now| by(&ED, "EdDSA", "https://keys.example/jwks", now);
    an_id_for_a_database => Some(UnknownKey), |now| by(&ED, "EdDSA", "x' UNION SELECT 'key' --", now);
    an_id_for_a_shell => Some(UnknownKey), |now| by(&ED, "EdDSA", "|curl keys.example", now);
    an_id_for_a_prototype => Some(UnknownKey), |now| by(&ED, "EdDSA", "__proto__", now);
    an_id_for_the_first_of_a_list => Some(UnknownKey), |now| by(&ED, "EdDSA", "0", now);
    an_id_that_is_a_list => Some(Malformed),
        |now| ED.token(r#"{"alg":"EdDSA","kid":["ed-1"]}"#, &good_claims(now));
    an_id_that_is_an_object => Some(Malformed),
        |now| ED.token(r#"{"alg":"EdDSA","kid":{"kid":"ed-1"}}"#, &good_claims(now));
    an_id_that_is_a_number => Some(Malformed), |now| ED_2.token(r#"{"alg":"EdDSA","kid":1}"#, &good_claims(now));
    an_id_that_is_null => Some(Malformed), |now| ED.token(r#"{"alg":"EdDSA","kid":null}"#, &good_claims(now));
    an_empty_id => Some(Malformed), |now| by(&ED, "EdDSA", "", now);
    two_ids => Some(Malformed),
        |now| ED.token(r#"{"alg":"EdDSA","kid":"mine","kid":"ed-1"}"#, &good_claims(now));
    an_endless_id => Some(Malformed), |now| by(&ED, "EdDSA", &"e".repeat(513), now);
    an_id_as_long_as_can_be => Some(UnknownKey), |now| by(&ED, "EdDSA", &"e".repeat(512), now);
    the_id_of_a_key_for_encryption => Some(UnknownKey), |now| by(&P256, "ES256", "enc-1", now);
    the_id_of_a_key_for_deriving => Some(UnknownKey), |now| by(&P256, "ES256", "derive-1", now);
    the_id_of_a_key_of_an_algorithm_that_is_not_accepted => Some(UnknownKey),
        |now| by(&RSA, "RS256", "rs384-1", now);
    the_id_of_another_key_of_the_same_kind => Some(BadSignature), |now| by(&ED, "EdDSA", "1", now);
    the_other_key_of_the_two_with_one_id => Some(BadSignature), |now| by(&ED, "EdDSA", "shared", now);
    no_id_where_several_ed25519_keys_fit => Some(UnknownKey),
        |now| ED.token(r#"{"alg":"EdDSA"}"#, &good_claims(now));
    no_id_where_several_p256_keys_fit => Some(UnknownKey),
        |now| P256.token(r#"{"alg":"ES256"}"#, &good_claims(now));
    no_id_where_several_rsa_keys_fit => Some(UnknownKey),
        |now| RSA.token(r#"{"alg":"RS256"}"#, &good_claims(now));
    no_id_and_another_key_than_the_only_one => Some(BadSignature),
        |now| STRANGE_P384.token(r#"{"alg":"ES384"}"#, &good_claims(now));
}
