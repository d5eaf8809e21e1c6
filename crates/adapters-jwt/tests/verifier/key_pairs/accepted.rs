//! Tokens of key pairs that are fine.

use domain::testing::an_owner;

use super::*;
use crate::support::*;

cases! { Published;
    a_token_of_eddsa => None, |now| by(&ED, "EdDSA", "ed-1", now);
    a_token_of_es256 => None, |now| by(&P256, "ES256", "es256-1", now);
    a_token_of_es384 => None, |now| by(&P384, "ES384", "es384-1", now);
    a_token_of_es512 => None, |now| by(&P521, "ES512", "es512-1", now);
    a_token_of_rs256 => None, |now| by(&RSA, "RS256", "rs256-1", now);
    a_token_of_ps256 => None, |now| by_pss(&RSA, "PS256", "ps256-1", now);
    the_newer_name_of_eddsa_with_a_key_of_the_older => None, |now| by(&ED, "Ed25519", "ed-1", now);
    the_older_name_of_eddsa_with_a_key_of_the_newer => None, |now| by(&ED, "EdDSA", "ed-rfc9864", now);
    the_newer_name_of_eddsa_on_both => None, |now| by(&ED, "Ed25519", "ed-rfc9864", now);
    an_ed25519_key_without_algorithm => None, |now| by(&ED, "EdDSA", "ed-plain", now);
    a_p256_key_without_algorithm => None, |now| by(&P256, "ES256", "p256-plain", now);
    an_rsa_key_without_algorithm_with_rs256 => None, |now| by(&RSA, "RS256", "rsa-plain", now);
    an_rsa_key_without_algorithm_with_ps256 => None, |now| by_pss(&RSA, "PS256", "rsa-plain", now);
    a_serial_number_for_an_id => None, |now| by(&ED_2, "EdDSA", "1", now);
    the_first_of_two_keys_with_one_id => None, |now| by(&ED_2, "EdDSA", "shared", now);
    the_second_of_two_keys_with_one_id => None, |now| by(&P256, "ES256", "shared", now);
    no_id_and_the_only_key_of_es384 => None, |now| P384.token(r#"{"alg":"ES384"}"#, &good_claims(now));
    no_id_and_the_only_key_of_es512 => None, |now| P521.token(r#"{"alg":"ES512"}"#, &good_claims(now));
    a_type_beside_an_id => None,
        |now| ED.token(r#"{"alg":"EdDSA","kid":"ed-1","typ":"JWT"}"#, &good_claims(now));
    an_embedded_key_of_somebody_else_that_nobody_looks_at => None, |now| {
        let header = format!(r#"{{"alg":"EdDSA","kid":"ed-1","jwk":{}}}"#, STRANGE_ED.jwk());
        ED.token(&header, &good_claims(now))
    };
    an_address_of_keys_that_nobody_asks => None, |now| ED.token(
        r#"{"alg":"EdDSA","kid":"ed-1","jku":"https://evil.example/jwks","x5u":"https://evil.example/cert"}"#,
        &good_claims(now));
    the_shared_secret_beside_the_key_set => None, |now| good_token(now);
    the_shared_secret_with_the_id_of_a_key => None, |now| with_header(header("HS256", "ed-1"), now);
    the_shared_secret_with_an_id_that_nobody_published => None,
        |now| with_header(header("HS256", "nobody-published-this"), now);
    a_whole_user_of_better_auth_signed_with_eddsa => None, |now| ED.token(&header("EdDSA", "ed-1"), &format!(
        r#"{{"iat":{now},"name":"Alice","email":"alice@app.example","emailVerified":false,"image":null,
        "createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z","id":"usr_9f2c",
        "sub":"usr_9f2c","exp":{},"iss":"http://localhost:3000","aud":"http://localhost:3000"}}"#, now + LIFETIME));
}

#[test]
fn the_caller_of_a_key_pair_is_the_user_of_the_token() {
    for (algorithm, token) in good_tokens(noon_secs()) {
        let caller = judged(Rules::Published, noon_secs(), &token).expect("an accepted token");
        assert_eq!(caller.owner, an_owner(), "{algorithm}");
    }
}
