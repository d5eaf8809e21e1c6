//! Public values taken for a secret, and keys that a token brings along.

use domain::identity::RefusalReason::{AlgorithmNotAllowed, BadSignature, UnknownKey};
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::*;
use crate::issuer::Signer;
use crate::support::*;

cases! { Published;
    hs256_with_the_text_of_a_public_ed25519_key => Some(BadSignature),
        |now| hs256("ed-1", &text(&ED, "x"), now);
    hs256_with_the_bytes_of_a_public_ed25519_key => Some(BadSignature),
        |now| hs256("ed-1", &bytes(&ED, "x"), now);
    hs256_with_the_bytes_of_a_public_ed25519_key_without_an_id => Some(BadSignature), |now| hmac(
        r#"{"alg":"HS256"}"#, &bytes(&ED, "x"), now);
    hs256_with_the_point_of_a_public_p256_key => Some(BadSignature), |now| hs256("es256-1", &point(&P256), now);
    hs256_with_the_point_of_a_public_p384_key => Some(BadSignature), |now| hs256("es384-1", &point(&P384), now);
    hs256_with_the_point_of_a_public_p521_key => Some(BadSignature), |now| hs256("es512-1", &point(&P521), now);
    hs256_with_the_modulus_of_a_public_rsa_key => Some(BadSignature),
        |now| hs256("rs256-1", &bytes(&RSA, "n"), now);
    hs256_with_the_text_of_the_modulus => Some(BadSignature), |now| hs256("rs256-1", &text(&RSA, "n"), now);
    hs256_with_the_der_of_a_public_rsa_key => Some(BadSignature), |now| hs256("rs256-1", &rsa_der(), now);
    hs256_with_the_pem_of_a_public_rsa_key => Some(BadSignature), |now| hs256("rs256-1", &rsa_pem("\n"), now);
    hs256_with_the_pem_of_a_public_rsa_key_of_windows => Some(BadSignature),
        |now| hs256("rs256-1", &rsa_pem("\r\n"), now);
    hs256_with_the_jwk_of_a_public_key => Some(BadSignature),
        |now| hs256("ed-1", ED.jwk().to_string().as_bytes(), now);
    hs256_with_the_whole_key_set => Some(BadSignature),
        |now| hs256("ed-1", PUBLISHED.as_bytes(), now);
    hs256_with_the_published_secret => Some(BadSignature), |now| hs256("oct-1", &oct(), now);
    hs256_with_the_text_of_the_published_secret => Some(BadSignature),
        |now| hs256("oct-1", OCT.as_bytes(), now);
    hs256_with_an_empty_secret_and_the_id_of_a_key => Some(BadSignature), |now| hs256("ed-1", b"", now);
    hs256_with_the_id_of_a_key_for_its_secret => Some(BadSignature),
        |now| hs256("ed-1", b"ed-1", now);
    hs256_over_an_ed25519_signature => Some(BadSignature), |now| by(&ED, "HS256", "ed-1", now);
    hs256_over_an_rsa_signature => Some(BadSignature), |now| by(&RSA, "HS256", "rs256-1", now);
    eddsa_over_an_hs256_signature_of_our_secret => Some(BadSignature), |now| with_header(header("EdDSA", "ed-1"), now);
    es256_over_an_hs256_signature_of_our_secret => Some(BadSignature),
        |now| with_header(header("ES256", "es256-1"), now);
    rs256_over_an_hs256_signature_of_our_secret => Some(BadSignature),
        |now| with_header(header("RS256", "rs256-1"), now);
    hs384_with_a_public_key => Some(AlgorithmNotAllowed), |now| hmac(&header("HS384", "ed-1"), &bytes(&ED, "x"), now);
    hs512_with_the_published_secret => Some(AlgorithmNotAllowed), |now| hmac(&header("HS512", "oct-1"), &oct(), now);
    eddsa_with_the_id_of_a_published_secret => Some(UnknownKey), |now| by(&STRANGE_ED, "EdDSA", "oct-1", now);
    eddsa_with_the_id_of_a_secret_that_is_called_eddsa => Some(UnknownKey),
        |now| hmac(&header("EdDSA", "oct-eddsa"), &oct(), now);

    an_embedded_key_with_the_id_of_ours => Some(BadSignature),
        |now| STRANGE_ED.token(&with_embedded(Some("ed-1")), &good_claims(now));
    an_embedded_key_with_an_id_of_its_own => Some(UnknownKey),
        |now| STRANGE_ED.token(&with_embedded(Some("mine")), &good_claims(now));
    an_embedded_key_without_an_id => Some(UnknownKey),
        |now| STRANGE_ED.token(&with_embedded(None), &good_claims(now));
    an_address_of_keys_with_the_id_of_ours => Some(BadSignature), |now| STRANGE_ED.token(
        r#"{"alg":"EdDSA","kid":"ed-1","jku":"https://evil.example/jwks"}"#, &good_claims(now));
    an_address_of_keys_with_an_id_of_its_own => Some(UnknownKey), |now| STRANGE_ED.token(
        r#"{"alg":"EdDSA","kid":"mine","jku":"https://evil.example/jwks"}"#, &good_claims(now));
    an_address_of_a_certificate => Some(UnknownKey), |now| STRANGE_P256.token(
        r#"{"alg":"ES256","kid":"mine","x5u":"https://evil.example/cert.pem"}"#, &good_claims(now));
    an_embedded_certificate => Some(UnknownKey), |now| STRANGE_P256.token(
        r#"{"alg":"ES256","kid":"mine","x5c":["MIIBszCCAVmgAwIBAgIU"],"x5t#S256":"AAAA"}"#, &good_claims(now));
    an_embedded_certificate_with_the_id_of_ours => Some(BadSignature), |now| STRANGE_P256.token(
        r#"{"alg":"ES256","kid":"es256-1","x5c":["MIIBszCCAVmgAwIBAgIU"]}"#, &good_claims(now));
    an_ephemeral_key => Some(BadSignature), |now| STRANGE_P256.token(
        &format!(r#"{{"alg":"ES256","kid":"es256-1","epk":{}}}"#, STRANGE_P256.jwk()), &good_claims(now));
}

fn hs256(id: &str, secret: &[u8], now: i64) -> String {
    hmac(&header("HS256", id), secret, now)
}

fn hmac(header: &str, secret: &[u8], now: i64) -> String {
    hmac_token(header, secret, Algorithm::HS256, now)
}

fn text(signer: &Signer, field: &str) -> Vec<u8> {
    let jwk = signer.jwk();
    jwk[field].as_str().expect("a text").as_bytes().to_vec()
}

fn bytes(signer: &Signer, field: &str) -> Vec<u8> {
    unbase64(text(signer, field))
}

fn point(signer: &Signer) -> Vec<u8> {
    [vec![4], bytes(signer, "x"), bytes(signer, "y")].concat()
}

fn oct() -> Vec<u8> {
    unbase64(OCT)
}

/// `SubjectPublicKeyInfo` (RFC 5280), as `openssl` writes it.
fn rsa_der() -> Vec<u8> {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;
    let Signer::Rsa(pair) = &*RSA else {
        panic!("an RSA key")
    };
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
    der.as_ref().to_vec()
}

fn rsa_pem(line_break: &str) -> Vec<u8> {
    use ::base64::Engine;
    let text = ::base64::engine::general_purpose::STANDARD.encode(rsa_der());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = [
        "-----BEGIN PUBLIC KEY-----",
        &lines.join(line_break),
        "-----END PUBLIC KEY-----",
        "",
    ];
    pem.join(line_break).into_bytes()
}

fn with_embedded(id: Option<&str>) -> String {
    let mut header: Value = serde_json::json!({ "alg": "EdDSA", "jwk": STRANGE_ED.jwk() });
    if let Some(id) = id {
        header["kid"] = id.into();
    }
    header.to_string()
}
