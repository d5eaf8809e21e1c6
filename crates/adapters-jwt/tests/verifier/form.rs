//! Step 1: size, characters, segments.

use adapters_jwt::MAX_TOKEN_BYTES;
use domain::identity::RefusalReason::{
    BadSignature, Encrypted, Malformed, NoUserId, OpaqueSessionToken, TooLarge,
};

use crate::support::*;

cases! { Plain;
    an_empty_text => Some(Malformed), |_| String::new();
    white_space_alone => Some(Malformed), |_| "   ".to_owned();
    white_space_before_a_good_token => Some(Malformed), |now| format!(" {}", good_token(now));
    white_space_after_a_good_token => Some(Malformed), |now| format!("{} ", good_token(now));
    a_line_break_after_a_good_token => Some(Malformed), |now| format!("{}\n", good_token(now));
    a_nul_after_a_good_token => Some(Malformed), |now| format!("{}\0", good_token(now));
    a_scheme_before_a_good_token => Some(Malformed), |now| format!("Bearer {}", good_token(now));
    two_tokens_with_a_comma => Some(Malformed), |now| format!("{},{}", good_token(now), good_token(now));
    a_letter_beyond_ascii => Some(Malformed), |now| good_token(now).replacen('e', "е", 1);

    a_session_token => Some(OpaqueSessionToken), |_| "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o".to_owned();
    a_signed_session_token => Some(OpaqueSessionToken),
        |_| "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o.q5x3o0Vb8nq1p2L7d9Kf4s6Wm0ZtYcXhRgUjEiA1B2c=".to_owned();
    a_text_without_dots => Some(OpaqueSessionToken), |_| "abc".to_owned();
    two_segments => Some(Malformed), |_| format!("{}.{}", base64(HEADER), base64("{}"));
    four_segments => Some(Malformed), |now| format!("{}.AAAA", good_token(now));
    five_segments_are_an_encrypted_token => Some(Encrypted),
        |_| format!("{}.AAAA.AAAA.AAAA.AAAA", base64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#));
    a_directly_encrypted_token_has_an_empty_segment => Some(Encrypted),
        |_| format!("{}..AAAA.AAAA.AAAA", base64(r#"{"alg":"dir","enc":"A256GCM"}"#));
    six_segments => Some(Malformed), |now| format!("{}.AAAA.AAAA.AAAA", good_token(now));
    ten_thousand_dots => Some(Malformed), |_| ".".repeat(10_000);
    two_dots_alone => Some(Malformed), |_| "..".to_owned();
    an_empty_header => Some(Malformed), |now| sign(&format!(".{}", base64(good_claims(now))));
    empty_claims => Some(Malformed), |_| sign(&format!("{}.", base64(HEADER)));
    an_empty_signature => Some(Malformed),
        |now| format!("{}.{}.", base64(HEADER), base64(good_claims(now)));
    no_algorithm_and_an_empty_signature => Some(Malformed),
        |now| format!("{}.{}.", base64(r#"{"alg":"none"}"#), base64(good_claims(now)));

    padding_after_the_header => Some(Malformed),
        |now| sign(&format!("{}=.{}", base64(HEADER), base64(good_claims(now))));
    padding_after_the_claims => Some(Malformed),
        |now| sign(&format!("{}.{}=", base64(HEADER), base64(good_claims(now))));
    padding_after_the_signature => Some(Malformed), |now| format!("{}=", good_token(now));
    the_other_base64_alphabet => Some(Malformed),
        |_| sign(&format!("{}.ab+/", base64(HEADER)));
    a_tilde_in_a_segment => Some(Malformed), |_| sign(&format!("{}.ab~d", base64(HEADER)));
    a_segment_of_five_characters => Some(Malformed), |_| sign(&format!("{}.abcde", base64(HEADER)));
    bits_left_over_in_the_signature => Some(Malformed), |now| next_spelling(&good_token(now));
    bits_left_over_in_the_claims => Some(Malformed),
        |now| sign(&next_spelling(&format!("{}.{}", base64(HEADER), base64(format!("{}  ", good_claims(now))))));

    a_truncated_signature => Some(BadSignature), |now| cut(&good_token(now));
    a_signature_with_bytes_after_it => Some(BadSignature), |now| format!("{}AAAA", good_token(now));
    a_signature_of_another_secret => Some(BadSignature),
        |now| signed_by("another secret of thirty-two bytes", now);
    a_signature_of_a_prefix_of_the_secret => Some(BadSignature), |now| signed_by(&SECRET[..32], now);
    a_signature_of_no_secret => Some(BadSignature), |now| signed_by("", now);
    a_signature_of_other_claims => Some(BadSignature), |now| {
        let (_, signature) = split_signature(&good_token(now));
        format!("{}.{}.{signature}", base64(HEADER), base64(good_claims(now).replace("9f2c", "9f2d")))
    };
    claims_are_not_interpreted_before_the_signature => Some(BadSignature),
        |_| format!("{}.{}.{}", base64(HEADER), base64("no JSON"), "A".repeat(43));

    a_token_of_16_kib => Some(NoUserId), |now| of_length(MAX_TOKEN_BYTES, now);
    a_token_of_a_byte_more_than_16_kib => Some(TooLarge), |_| format!("{}a", "a.".repeat(8 * 1024));
    a_megabyte => Some(TooLarge), |_| "a".repeat(1_000_000);
}

fn signed_by(secret: &str, now: i64) -> String {
    hmac_token(HEADER, secret, jsonwebtoken::Algorithm::HS256, now)
}

fn split_signature(token: &str) -> (String, String) {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    (message.to_owned(), signature.to_owned())
}

fn cut(token: &str) -> String {
    let (message, signature) = split_signature(token);
    format!("{message}.{}", &signature[..40])
}

/// The same bytes in base64 that is not canonical: the last character differs in bits that say nothing.
fn next_spelling(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let place = ALPHABET
        .iter()
        .position(|letter| *letter == last.as_bytes()[0])
        .expect("base64url");
    assert_eq!(place % 4, 0, "the last character has bits to spare");
    format!("{rest}{}", char::from(ALPHABET[place + 1]))
}

/// A well signed token of exactly so many bytes. It names no one.
fn of_length(bytes: usize, now: i64) -> String {
    let claims = |padding: usize| format!(r#"{{"exp":{},"x":"{}"}}"#, now + LIFETIME, "x".repeat(padding));
    let frame = with_claims(claims(0)).len();
    let guess = (bytes - frame) / 4 * 3;
    (guess - 8..guess + 8)
        .flat_map(|padding| {
            [
                with_claims(claims(padding)),
                token(format!("{HEADER} "), claims(padding)),
            ]
        })
        .find(|token| token.len() == bytes)
        .expect("some padding fits")
}

#[test]
fn a_session_token_comes_with_a_hint() {
    let hint = refused(&verifier(), "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o").hint;
    assert_eq!(
        hint,
        Some("send the JWT of GET /api/auth/token, not the session token")
    );
}

#[test]
fn a_large_token_comes_with_a_hint() {
    let hint = refused(&verifier(), &"a".repeat(MAX_TOKEN_BYTES + 1)).hint;
    assert_eq!(
        hint,
        Some("Better Auth puts the whole user into the JWT; use definePayload")
    );
}

#[test]
fn the_limit_is_16_kib() {
    assert_eq!(MAX_TOKEN_BYTES, 16_384);
}
