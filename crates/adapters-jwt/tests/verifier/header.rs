//! Step 2: the header, and the attacks that live in it.

use domain::identity::RefusalReason::{
    AlgorithmNotAllowed, BadSignature, BadType, CriticalExtension, Malformed, NoKeySource,
};
use jsonwebtoken::Algorithm;

use crate::support::*;

cases! { Plain;
    algorithm_none => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"none"}"#, now);
    algorithm_none_in_capitals => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"NONE"}"#, now);
    algorithm_hs256_in_small_letters => Some(AlgorithmNotAllowed),
        |now| with_header(r#"{"alg":"hs256"}"#, now);
    algorithm_with_a_space => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"HS256 "}"#, now);
    algorithm_empty => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":""}"#, now);
    algorithm_hs384_with_the_same_secret => Some(AlgorithmNotAllowed),
        |now| signed_with("HS384", Algorithm::HS384, now);
    algorithm_hs512_with_the_same_secret => Some(AlgorithmNotAllowed),
        |now| signed_with("HS512", Algorithm::HS512, now);
    algorithm_hs256_over_an_hs384_signature => Some(BadSignature),
        |now| signed_with("HS256", Algorithm::HS384, now);
    algorithm_rs384 => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"RS384"}"#, now);
    algorithm_es256k => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"ES256K"}"#, now);
    algorithm_ed448 => Some(AlgorithmNotAllowed), |now| with_header(r#"{"alg":"Ed448"}"#, now);
    algorithm_eddsa_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"EdDSA"}"#, now);
    algorithm_ed25519_signed_with_the_secret => Some(NoKeySource),
        |now| with_header(r#"{"alg":"Ed25519"}"#, now);
    algorithm_es256_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"ES256"}"#, now);
    algorithm_es384_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"ES384"}"#, now);
    algorithm_es512_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"ES512"}"#, now);
    algorithm_rs256_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"RS256"}"#, now);
    algorithm_ps256_signed_with_the_secret => Some(NoKeySource), |now| with_header(r#"{"alg":"PS256"}"#, now);
    algorithm_missing => Some(Malformed), |now| with_header(r#"{"typ":"JWT"}"#, now);
    algorithm_null => Some(Malformed), |now| with_header(r#"{"alg":null}"#, now);
    algorithm_a_number => Some(Malformed), |now| with_header(r#"{"alg":256}"#, now);
    algorithm_in_a_list => Some(Malformed), |now| with_header(r#"{"alg":["HS256"]}"#, now);
    algorithm_named_in_capitals => Some(Malformed), |now| with_header(r#"{"ALG":"HS256"}"#, now);
    algorithm_twice => Some(Malformed), |now| with_header(r#"{"alg":"HS256","alg":"HS256"}"#, now);
    algorithm_twice_and_different => Some(Malformed),
        |now| with_header(r#"{"alg":"none","alg":"HS256"}"#, now);
    algorithm_twice_behind_an_escape => Some(Malformed),
        |now| with_header(r#"{"alg":"none","\u0061lg":"HS256"}"#, now);

    a_header_that_is_no_json => Some(Malformed), |now| with_header("HS256", now);
    a_header_that_is_a_text => Some(Malformed), |now| with_header(r#""HS256""#, now);
    a_header_that_is_a_list => Some(Malformed), |now| with_header(r#"["JWT","HS256"]"#, now);
    a_header_that_is_null => Some(Malformed), |now| with_header("null", now);
    a_header_that_is_not_closed => Some(Malformed), |now| with_header(r#"{"alg":"HS256""#, now);
    a_header_with_more_after_it => Some(Malformed), |now| with_header(r#"{"alg":"HS256"}{}"#, now);
    a_header_with_a_byte_order_mark => Some(Malformed), |now| with_header("\u{feff}{\"alg\":\"HS256\"}", now);
    a_header_that_is_not_utf8 => Some(Malformed),
        |now| with_header(b"{\"alg\":\"HS256\",\"x\":\"\xff\"}", now);
    a_header_nested_without_end => Some(Malformed),
        |now| with_header(format!(r#"{{"alg":{}"#, "[".repeat(5_000)), now);

    a_type_of_access_tokens => Some(BadType), |now| with_header(r#"{"alg":"HS256","typ":"at+jwt"}"#, now);
    a_type_of_cookies => Some(BadType),
        |now| with_header(r#"{"alg":"HS256","typ":"better-auth.session-cache+jwt"}"#, now);
    a_type_of_logout_tokens => Some(BadType), |now| with_header(r#"{"alg":"HS256","typ":"logout+jwt"}"#, now);
    a_type_with_another_media_type => Some(BadType),
        |now| with_header(r#"{"alg":"HS256","typ":"text/jwt"}"#, now);
    a_type_with_its_media_type_twice => Some(BadType),
        |now| with_header(r#"{"alg":"HS256","typ":"application/application/jwt"}"#, now);
    a_type_that_is_empty => Some(BadType), |now| with_header(r#"{"alg":"HS256","typ":""}"#, now);
    a_type_that_is_null => Some(BadType), |now| with_header(r#"{"alg":"HS256","typ":null}"#, now);
    a_type_that_is_a_number => Some(BadType), |now| with_header(r#"{"alg":"HS256","typ":1}"#, now);
    a_type_twice => Some(Malformed), |now| with_header(r#"{"alg":"HS256","typ":"at+jwt","typ":"JWT"}"#, now);

    a_critical_extension => Some(CriticalExtension),
        |now| with_header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, now);
    a_critical_list_that_is_empty => Some(CriticalExtension),
        |now| with_header(r#"{"alg":"HS256","crit":[]}"#, now);
    a_critical_null => Some(CriticalExtension), |now| with_header(r#"{"alg":"HS256","crit":null}"#, now);
    claims_that_are_not_encoded => Some(CriticalExtension),
        |now| with_header(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, now);
    b64_without_crit => Some(CriticalExtension), |now| with_header(r#"{"alg":"HS256","b64":false}"#, now);
    b64_that_changes_nothing => Some(CriticalExtension),
        |now| with_header(r#"{"alg":"HS256","b64":true}"#, now);

    a_key_id_that_is_empty => Some(Malformed), |now| with_header(r#"{"alg":"HS256","kid":""}"#, now);
    a_key_id_that_is_null => Some(Malformed), |now| with_header(r#"{"alg":"HS256","kid":null}"#, now);
    a_key_id_that_is_a_number => Some(Malformed), |now| with_header(r#"{"alg":"HS256","kid":1}"#, now);
    a_key_id_of_513_characters => Some(Malformed),
        |now| with_header(format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(513)), now);
    a_key_id_twice => Some(Malformed), |now| with_header(r#"{"alg":"HS256","kid":"a","kid":"a"}"#, now);

    a_key_brought_along => Some(BadSignature), |now| {
        let jwk = base64("the attacker's own secret, 32 bytes");
        let header = format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{jwk}"}}}}"#);
        signed_by_attacker(&header, now)
    };
    a_key_set_named_by_the_token => Some(BadSignature),
        |now| signed_by_attacker(r#"{"alg":"HS256","jku":"https://evil.example/jwks"}"#, now);
    a_certificate_named_by_the_token => Some(BadSignature),
        |now| signed_by_attacker(r#"{"alg":"HS256","x5u":"https://evil.example/cert","x5c":["MIIB"]}"#, now);
    a_key_id_that_is_a_path => Some(BadSignature),
        |now| signed_by_attacker(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#, now);
}

fn signed_with(name: &str, algorithm: Algorithm, now: i64) -> String {
    hmac_token(&format!(r#"{{"alg":"{name}"}}"#), SECRET, algorithm, now)
}

fn signed_by_attacker(header: &str, now: i64) -> String {
    hmac_token(
        header,
        "the attacker's own secret, 32 bytes",
        Algorithm::HS256,
        now,
    )
}

#[test]
fn a_refusal_names_the_algorithm_and_the_key_of_the_header() {
    let token = with_header(r#"{"alg":"EdDSA","kid":"N8z1"}"#, noon_secs());
    let refusal = refused(&verifier(), &token);
    assert_eq!(refusal.algorithm.as_deref(), Some("EdDSA"));
    assert_eq!(refusal.key_id.as_deref(), Some("N8z1"));
}

#[test]
fn an_expired_token_names_its_algorithm_too() {
    let refusal = refused(&verifier(), &with_exp(noon_secs()));
    assert_eq!(refusal.algorithm.as_deref(), Some("HS256"));
}

#[test]
fn a_refusal_without_a_readable_header_names_nothing() {
    let refusal = refused(&verifier(), &with_header("[]", noon_secs()));
    assert_eq!(refusal.algorithm, None);
    assert_eq!(refusal.key_id, None);
}

#[test]
fn a_refusal_shows_64_characters_of_algorithm_and_key_at_most() {
    let header = format!(r#"{{"alg":"{}","kid":"{}"}}"#, "A".repeat(300), "é".repeat(300));
    let refusal = refused(&verifier(), &with_header(header, noon_secs()));
    assert_eq!(refusal.algorithm, Some("A".repeat(64)));
    assert_eq!(refusal.key_id, Some("é".repeat(64)));
}

#[test]
fn a_key_id_cannot_forge_a_line_of_the_log() {
    let token = with_header(r#"{"alg":"EdDSA","kid":"a\nb\u001b[2J\u202e"}"#, noon_secs());
    let key_id = refused(&verifier(), &token).key_id.expect("a key id");
    assert_eq!(key_id, r"a\nb\u{1b}[2J\u{202e}");
}

#[test]
fn a_token_of_a_key_pair_comes_with_a_hint() {
    let refusal = refused(&verifier(), &with_header(r#"{"alg":"EdDSA"}"#, noon_secs()));
    let hint = "the token is signed with a key pair; set BETTER_AUTH_URL or JWKS_URL";
    assert_eq!(refusal.hint, Some(hint));
}
