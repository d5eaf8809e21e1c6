//! Which entries count as keys: entry by entry, and one odd entry spoils no other.

use adapters_jwt::{JwtVerifier, KeySetTiming, VerifierSettings};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::identity::RefusalReason::{BadSignature, UnknownKey};
use domain::identity::TokenVerifier;
use domain::testing::{FixedClock, noon};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::front_end::Verdict::{Accepted, KeysUnavailable, Refused};
use crate::front_end::{Key, Verdict};
use crate::issuer::{FixedKeySet, LIFETIME, Signer, key_set_settings, with_fields};

/// The verdict on a token by the keys of a document.
fn judge(document: impl Into<String>, token: &str) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(async {
        let verifier = JwtVerifier::new(VerifierSettings::default(), Arc::new(FixedClock::at(noon())));
        let settings = key_set_settings(None, KeySetTiming::default());
        let verifier = verifier.with_key_set(settings, FixedKeySet(document.into()));
        verifier.verify(token).await.into()
    })
}

fn token(signer: &Signer, algorithm: &str) -> String {
    let header = json!({ "alg": algorithm, "kid": "k" }).to_string();
    let claims = json!({ "sub": "usr_9f2c", "exp": noon().timestamp() + LIFETIME }).to_string();
    if algorithm == "PS256" {
        signer.ps256_token(&header, &claims)
    } else {
        signer.token(&header, &claims)
    }
}

/// The verdict on a token of a key that stands in its set like this, beside another that is fine.
fn verdict_on(signer: &Signer, algorithm: &str, entry: impl FnOnce(Value) -> Value) -> Verdict {
    let entry = entry(with_fields(
        signer.jwk(),
        &json!({ "kid": "k", "alg": algorithm }),
    ));
    let other = Key::new("other");
    let document = json!({ "keys": [entry, other.jwk()] }).to_string();
    assert_eq!(judge(document.clone(), &other.token()), Accepted, "{document}");
    judge(document, &token(signer, algorithm))
}

/// Makes a test of each way to write a key.
macro_rules! entries {
    ($signer:expr, $algorithm:literal, $verdict:expr; $($name:ident => $entry:expr;)+) => {
        $(#[test]
        fn $name() {
            assert_eq!(verdict_on(&$signer, $algorithm, $entry), $verdict);
        })+
    };
}

/// Other fields, or fields with other values.
fn and(fields: Value) -> impl FnOnce(Value) -> Value {
    move |jwk| with_fields(jwk, &fields)
}

fn without(field: &'static str) -> impl FnOnce(Value) -> Value {
    move |mut jwk| {
        jwk.as_object_mut().expect("an object").remove(field);
        jwk
    }
}

/// A number of the key, changed.
fn bytes(field: &'static str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> impl FnOnce(Value) -> Value {
    move |mut jwk| {
        let bytes = URL_SAFE_NO_PAD
            .decode(jwk[field].as_str().expect("a text"))
            .expect("base64url");
        jwk[field] = URL_SAFE_NO_PAD.encode(change(bytes)).into();
        jwk
    }
}

entries! { Signer::ed25519(), "EdDSA", Accepted;
    an_ed25519_key => |jwk| jwk;
    an_ed25519_key_without_alg => without("alg");
    an_ed25519_key_by_its_newer_name => and(json!({ "alg": "Ed25519" }));
    an_ed25519_key_for_signatures => and(json!({ "use": "sig" }));
    an_ed25519_key_for_verifying => and(json!({ "key_ops": ["verify"] }));
    an_ed25519_key_for_signing_and_verifying => and(json!({ "key_ops": ["sign", "verify"] }));
    an_ed25519_key_with_its_private_half => and(json!({ "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" }));
    an_ed25519_key_with_members_of_others => and(json!({ "expiresAt": null, "x5c": 7, "n": {}, "ext": true }));
}

entries! { Signer::ed25519(), "EdDSA", Refused(UnknownKey);
    an_ed25519_key_of_31_bytes => bytes("x", |x| x[..31].to_vec());
    an_ed25519_key_of_33_bytes => bytes("x", |x| [x, vec![0]].concat());
    an_ed25519_key_of_44_bytes_in_der => bytes("x", |x| [
        vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], x].concat());
    an_ed25519_key_of_no_bytes => and(json!({ "x": "" }));
    an_ed25519_key_in_padded_base64 => |jwk| {
        let x = format!("{}=", jwk["x"].as_str().expect("a text"));
        with_fields(jwk, &json!({ "x": x }))
    };
    an_ed25519_key_of_no_base64 => and(json!({ "x": "ä".repeat(22) }));
    an_ed25519_key_of_a_number => and(json!({ "x": 7 }));
    an_ed25519_key_of_null => and(json!({ "x": null }));
    an_ed25519_key_without_x => without("x");
    an_ed25519_key_without_kty => without("kty");
    an_ed25519_key_without_crv => without("crv");
    an_ed25519_key_with_kty_in_small_letters => and(json!({ "kty": "okp" }));
    an_ed25519_key_called_ed448 => and(json!({ "crv": "Ed448" }));
    an_ed25519_key_called_x25519 => and(json!({ "crv": "X25519" }));
    an_ed25519_key_called_a_secret => and(json!({ "kty": "oct", "k": "AAAA" }));
    an_ed25519_key_for_es256 => and(json!({ "alg": "ES256" }));
    an_ed25519_key_for_hs256 => and(json!({ "alg": "HS256" }));
    an_ed25519_key_for_no_algorithm => and(json!({ "alg": "none" }));
    an_ed25519_key_for_agreement => and(json!({ "alg": "ECDH-ES" }));
    an_ed25519_key_for_null => and(json!({ "alg": null }));
    an_ed25519_key_for_several_algorithms => and(json!({ "alg": ["EdDSA"] }));
    an_ed25519_key_for_encryption => and(json!({ "use": "enc" }));
    an_ed25519_key_for_null_use => and(json!({ "use": null }));
    an_ed25519_key_for_signing_alone => and(json!({ "key_ops": ["sign"] }));
    an_ed25519_key_for_nothing => and(json!({ "key_ops": [] }));
    an_ed25519_key_with_operations_in_text => and(json!({ "key_ops": "verify" }));
    a_key_with_an_id_of_null => and(json!({ "kid": null }));
    a_key_with_an_id_of_a_number => and(json!({ "kid": 1 }));
    a_key_with_an_empty_id => and(json!({ "kid": "" }));
    a_key_with_an_endless_id => and(json!({ "kid": "k".repeat(513) }));
    a_key_in_a_list => |jwk| json!([jwk]);
    a_key_in_a_text => |jwk| json!(jwk.to_string());
    no_key_but_null => |_| json!(null);
    no_key_but_an_empty_object => |_| json!({});
}

entries! { Signer::p256(), "ES256", Accepted;
    a_p256_key => |jwk| jwk;
    a_p256_key_without_alg => without("alg");
}

entries! { Signer::p256(), "ES256", Refused(UnknownKey);
    a_p256_key_off_the_curve => bytes("y", |mut y| { y[31] ^= 1; y });
    a_p256_key_at_zero => and(json!({ "x": "A".repeat(43), "y": "A".repeat(43) }));
    a_p256_key_beyond_the_field => and(json!({ "x": URL_SAFE_NO_PAD.encode([0xff; 32]) }));
    a_p256_key_with_a_short_x => bytes("x", |x| x[1..].to_vec());
    a_p256_key_with_a_long_y => bytes("y", |y| [vec![0], y].concat());
    a_p256_key_without_y => without("y");
    a_p256_key_with_x_and_y_in_one => |jwk| {
        let both = bytes("x", |x| [x, vec![0; 32]].concat())(jwk);
        with_fields(both, &json!({ "y": "" }))
    };
    a_p256_key_called_p384 => and(json!({ "crv": "P-384", "alg": "ES384" }));
    a_p256_key_called_secp256k1 => and(json!({ "crv": "secp256k1" }));
    a_p256_key_called_p256 => and(json!({ "crv": "P256" }));
    a_p256_key_for_es384 => and(json!({ "alg": "ES384" }));
    a_p256_key_for_eddsa => and(json!({ "alg": "EdDSA" }));
    a_p256_key_called_okp => and(json!({ "kty": "OKP" }));
}

entries! { Signer::p384(), "ES384", Accepted;
    a_p384_key => |jwk| jwk;
    a_p384_key_without_alg => without("alg");
}

entries! { Signer::p384(), "ES384", Refused(UnknownKey);
    a_p384_key_off_the_curve => bytes("y", |mut y| { y[47] ^= 1; y });
    a_p384_key_with_a_short_x => bytes("x", |x| x[1..].to_vec());
    a_p384_key_for_es256 => and(json!({ "alg": "ES256" }));
}

entries! { Signer::p521(), "ES512", Accepted;
    a_p521_key => |jwk| jwk;
    a_p521_key_without_alg => without("alg");
}

entries! { Signer::p521(), "ES512", Refused(UnknownKey);
    a_p521_key_off_the_curve => bytes("y", |mut y| { y[65] ^= 1; y });
    a_p521_key_of_64_bytes => bytes("x", |x| x[2..].to_vec());
    a_p521_key_for_es256 => and(json!({ "alg": "ES256" }));
}

entries! { Signer::rsa(), "RS256", Accepted;
    an_rsa_key => |jwk| jwk;
    an_rsa_key_without_alg => without("alg");
    an_rsa_key_with_a_zero_before_its_modulus => bytes("n", |n| [vec![0], n].concat());
    an_rsa_key_with_a_zero_before_its_exponent => bytes("e", |e| [vec![0], e].concat());
}

entries! { Signer::rsa(), "PS256", Accepted;
    an_rsa_key_for_ps256 => |jwk| jwk;
    an_rsa_key_without_alg_for_ps256 => without("alg");
}

entries! { Signer::rsa(), "RS256", Refused(UnknownKey);
    an_rsa_key_of_1024_bits => bytes("n", |n| n[128..].to_vec());
    an_rsa_key_of_2047_bits => bytes("n", |mut n| { n[0] = 0x7f; n });
    an_rsa_key_of_8193_bits => bytes("n", |n| [vec![1], n.repeat(4)].concat());
    an_rsa_key_with_an_even_modulus => bytes("n", |mut n| { n[255] &= 0xfe; n });
    an_rsa_key_without_a_modulus => without("n");
    an_rsa_key_with_an_empty_modulus => and(json!({ "n": "" }));
    an_rsa_key_with_the_exponent_1 => bytes("e", |_| vec![1]);
    an_rsa_key_with_the_exponent_1_after_a_zero => bytes("e", |_| vec![0, 1]);
    an_rsa_key_with_the_exponent_2 => bytes("e", |_| vec![2]);
    an_rsa_key_with_an_even_exponent => bytes("e", |_| vec![1, 0, 0]);
    an_rsa_key_with_the_exponent_0 => bytes("e", |_| vec![0]);
    an_rsa_key_without_an_exponent => without("e");
    an_rsa_key_with_an_exponent_of_34_bits => bytes("e", |_| vec![2, 0, 0, 0, 1]);
    an_rsa_key_with_an_exponent_as_long_as_its_modulus => bytes("e", |_| vec![0xff; 256]);
    an_rsa_key_with_an_exponent_in_decimal => and(json!({ "e": "65537" }));
    an_rsa_key_for_rs384 => and(json!({ "alg": "RS384" }));
    an_rsa_key_for_encryption => and(json!({ "alg": "RSA-OAEP" }));
    an_rsa_key_called_ec => and(json!({ "kty": "EC" }));
}

#[test]
fn a_key_with_a_repeated_member_is_no_key() {
    let key = Key::new("k");
    let jwk = key.jwk().to_string();
    let twice = jwk.replacen('{', r#"{"alg":"EdDSA","#, 1);
    let other = Key::new("other");
    let document = format!(r#"{{"keys":[{twice},{}]}}"#, other.jwk());
    assert_eq!(judge(document.as_str(), &key.token()), Refused(UnknownKey));
    assert_eq!(judge(document.as_str(), &other.token()), Accepted);
}

#[test]
fn a_number_that_nobody_can_hold_spoils_no_other_entry() {
    let key = Key::new("k");
    let document = format!(
        r#"{{"keys":[{{"kid":1e400,"kty":-0.0e999}},{}],"ttl":1e400}}"#,
        key.jwk()
    );
    assert_eq!(judge(document, &key.token()), Accepted);
}

#[test]
fn an_entry_nested_without_end_spoils_no_other() {
    let key = Key::new("k");
    let deep = format!("{}{}", "[".repeat(9_000), "]".repeat(9_000));
    let document = format!(r#"{{"keys":[{{"kid":{deep}}},{deep},{}]}}"#, key.jwk());
    assert_eq!(judge(document, &key.token()), Accepted);
}

#[test]
fn what_is_no_key_set_has_no_keys() {
    let key = Key::new("k");
    let jwk = key.jwk();
    for document in [
        String::new(),
        "null".to_owned(),
        "<html></html>".to_owned(),
        jwk.to_string(),
        format!("[{jwk}]"),
        format!("[[{jwk}]]"),
        format!(r#"{{"keys":{jwk}}}"#),
        r#"{"keys":null}"#.to_owned(),
        r#"{"keys":{"0":{}}}"#.to_owned(),
        format!(r#"{{"KEYS":[{jwk}]}}"#),
        format!(r#"{{"keys":[{jwk}]"#),
        format!(r#"{{"keys":[{jwk}]}} more"#),
    ] {
        assert_eq!(
            judge(document.as_str(), &key.token()),
            KeysUnavailable,
            "{document}"
        );
    }
}

#[test]
fn four_keys_with_one_id_count_and_a_fifth_does_not() {
    let keys: Vec<_> = (0..5).map(|_| Key::new("k")).collect();
    let entries: Vec<_> = keys.iter().map(Key::jwk).collect();
    let document = json!({ "keys": entries }).to_string();
    for key in &keys[..4] {
        assert_eq!(judge(document.as_str(), &key.token()), Accepted);
    }
    assert_eq!(judge(document.as_str(), &keys[4].token()), Refused(BadSignature));
}

#[test]
fn a_key_that_is_published_twice_counts_once() {
    let (key, other) = (Key::new("k"), Key::new("k"));
    let twice = [key.jwk(), key.jwk(), key.jwk(), key.jwk(), other.jwk()];
    let document = json!({ "keys": twice }).to_string();
    assert_eq!(judge(document, &other.token()), Accepted);
}

#[test]
fn a_token_without_an_id_may_use_the_only_key_that_fits_whether_it_has_an_id_or_not() {
    let (ed, p256) = (Signer::ed25519(), Signer::p256());
    let claims = json!({ "sub": "usr_9f2c", "exp": noon().timestamp() + LIFETIME }).to_string();
    let token = ed.token(r#"{"alg":"EdDSA"}"#, &claims);
    let set = |keys: &[Value]| json!({ "keys": keys }).to_string();
    let with_id = with_fields(ed.jwk(), &json!({ "kid": "k" }));
    assert_eq!(judge(set(&[with_id.clone(), p256.jwk()]), &token), Accepted);
    assert_eq!(judge(set(&[ed.jwk(), p256.jwk()]), &token), Accepted);
    let two = [ed.jwk(), Signer::ed25519().jwk()];
    assert_eq!(judge(set(&two), &token), Refused(UnknownKey));
    assert_eq!(judge(set(&[p256.jwk()]), &token), Refused(UnknownKey));
}

#[test]
fn a_token_with_an_id_does_not_use_a_key_without_one() {
    let ed = Signer::ed25519();
    let document = json!({ "keys": [ed.jwk()] }).to_string();
    assert_eq!(judge(document, &token(&ed, "EdDSA")), Refused(UnknownKey));
}

#[test]
fn the_last_of_four_hundred_rsa_keys_is_found() {
    let rsa = Signer::Rsa(&crate::issuer::LARGER_RSA);
    let keys: Vec<_> = (0..400)
        .map(|number| {
            with_fields(
                rsa.jwk(),
                &json!({ "kid": format!("key-{number}"), "alg": "RS256" }),
            )
        })
        .chain([with_fields(rsa.jwk(), &json!({ "kid": "k" }))])
        .collect();
    let document = json!({ "keys": keys }).to_string();
    assert_eq!(judge(document, &token(&rsa, "RS256")), Accepted);
}
