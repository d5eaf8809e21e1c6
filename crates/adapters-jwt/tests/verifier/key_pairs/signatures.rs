//! Signatures that are nearly right, or too good to be true.

use domain::identity::RefusalReason::{BadSignature, Malformed};

use super::*;
use crate::issuer::{Signer, signed_by};
use crate::support::*;

cases! { Published;
    eddsa_of_another_key => Some(BadSignature), |now| by(&STRANGE_ED, "EdDSA", "ed-1", now);
    es256_of_another_key => Some(BadSignature), |now| by(&STRANGE_P256, "ES256", "es256-1", now);
    es384_of_another_key => Some(BadSignature), |now| by(&STRANGE_P384, "ES384", "es384-1", now);
    es512_of_another_key => Some(BadSignature), |now| by(&STRANGE_P521, "ES512", "es512-1", now);
    rs256_of_another_key => Some(BadSignature), |now| by(&STRANGE_RSA, "RS256", "rs256-1", now);
    ps256_of_another_key => Some(BadSignature), |now| by_pss(&STRANGE_RSA, "PS256", "ps256-1", now);
    eddsa_of_other_claims => Some(BadSignature), |now| of_other_claims(&ED, "EdDSA", "ed-1", now);
    es256_of_other_claims => Some(BadSignature), |now| of_other_claims(&P256, "ES256", "es256-1", now);
    es512_of_other_claims => Some(BadSignature), |now| of_other_claims(&P521, "ES512", "es512-1", now);
    rs256_of_other_claims => Some(BadSignature), |now| of_other_claims(&RSA, "RS256", "rs256-1", now);
    eddsa_without_a_signature => Some(Malformed), |now| changed(&ED, "EdDSA", "ed-1", now, |_| vec![]);
    es512_without_a_signature => Some(Malformed), |now| changed(&P521, "ES512", "es512-1", now, |_| vec![]);

    eddsa_a_byte_too_short => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, a_byte_less);
    eddsa_a_byte_too_long => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, a_byte_more);
    eddsa_twice => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, twice);
    eddsa_of_zeros => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, zeros);
    eddsa_of_ones => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, ones);
    eddsa_of_the_neutral_point => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, |signature| {
        let mut signature = zeros(signature);
        signature[0] = 1;
        signature
    });
    eddsa_with_the_order_added => Some(BadSignature), |now| changed(&ED, "EdDSA", "ed-1", now, plus_order);
    eddsa_in_the_size_of_ed448 => Some(BadSignature),
        |now| changed(&ED, "EdDSA", "ed-1", now, |signature| [signature, &[0; 50]].concat());

    es256_of_zeros => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, zeros);
    es256_with_r_zero => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, r_zero);
    es256_with_s_zero => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, s_zero);
    es256_of_ones => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, ones);
    es256_with_r_and_s_of_the_order => Some(BadSignature),
        |now| changed(&P256, "ES256", "es256-1", now, |_| [P256_ORDER, P256_ORDER].concat());
    es256_with_r_and_s_swapped => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, swapped);
    es256_in_der => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, in_der);
    es256_a_byte_too_short => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, a_byte_less);
    es256_a_byte_too_long => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, a_byte_more);
    es256_with_a_zero_before_r_and_s => Some(BadSignature),
        |now| changed(&P256, "ES256", "es256-1", now, zero_before_both);
    es256_in_the_size_of_es384 => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, |signature| {
        padded(signature, 48)
    });
    es256_twice => Some(BadSignature), |now| changed(&P256, "ES256", "es256-1", now, twice);

    es384_of_zeros => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, zeros);
    es384_of_ones => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, ones);
    es384_in_der => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, in_der);
    es384_a_byte_too_short => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, a_byte_less);
    es384_a_byte_too_long => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, a_byte_more);
    es384_with_r_and_s_swapped => Some(BadSignature), |now| changed(&P384, "ES384", "es384-1", now, swapped);

    es512_of_zeros => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, zeros);
    es512_with_r_zero => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, r_zero);
    es512_with_s_zero => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, s_zero);
    es512_of_ones => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, ones);
    es512_in_der => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, in_der);
    es512_a_byte_too_short => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, a_byte_less);
    es512_a_byte_too_long => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, a_byte_more);
    es512_of_64_bytes_each => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, |signature| {
        let (r, s) = halves(signature);
        [&r[2..], &s[2..]].concat()
    });
    es512_with_r_and_s_swapped => Some(BadSignature), |now| changed(&P521, "ES512", "es512-1", now, swapped);

    rs256_of_zeros => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, zeros);
    rs256_of_one => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, |signature| {
        let mut signature = zeros(signature);
        signature[255] = 1;
        signature
    });
    rs256_of_ones => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, ones);
    rs256_a_byte_too_short => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, a_byte_less);
    rs256_a_byte_too_long => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, a_byte_more);
    rs256_with_a_zero_before_it => Some(BadSignature),
        |now| changed(&RSA, "RS256", "rs256-1", now, |signature| [&[0], signature].concat());
    rs256_in_the_size_of_a_larger_key => Some(BadSignature),
        |now| changed(&RSA, "RS256", "rs256-1", now, |signature| [&[0; 128], signature].concat());
    rs256_backwards => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, |signature| {
        signature.iter().rev().copied().collect()
    });
    rs256_of_the_hash_alone => Some(BadSignature), |now| changed(&RSA, "RS256", "rs256-1", now, |signature| {
        signature[..32].to_vec()
    });
    ps256_of_zeros => Some(BadSignature), |now| changed(&RSA, "PS256", "ps256-1", now, zeros);
    ps256_of_ones => Some(BadSignature), |now| changed(&RSA, "PS256", "ps256-1", now, ones);
    ps256_a_byte_too_short => Some(BadSignature), |now| cut_pss(now, a_byte_less);
    ps256_a_byte_too_long => Some(BadSignature), |now| cut_pss(now, a_byte_more);
}

/// The order of the group of P-256 (SEC 2, 2.4.2): zero, as a number modulo itself.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The order of the group of Ed25519 (RFC 8032 5.1), little-endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn changed(
    signer: &Signer,
    algorithm: &str,
    id: &str,
    now: i64,
    change: impl Fn(&[u8]) -> Vec<u8>,
) -> String {
    signed_by(&header(algorithm, id), &good_claims(now), |message| {
        change(&signer.sign(message))
    })
}

fn cut_pss(now: i64, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let token = by_pss(&RSA, "PS256", "ps256-1", now);
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    format!("{message}.{}", base64(change(&unbase64(signature))))
}

fn of_other_claims(signer: &Signer, algorithm: &str, id: &str, now: i64) -> String {
    signed_by(&header(algorithm, id), &good_claims(now), |message| {
        signer.sign(&message.replace(&base64(good_claims(now)), &base64(good_claims(now + 1))))
    })
}

fn a_byte_less(signature: &[u8]) -> Vec<u8> {
    signature[..signature.len() - 1].to_vec()
}

fn a_byte_more(signature: &[u8]) -> Vec<u8> {
    [signature, &[0]].concat()
}

fn twice(signature: &[u8]) -> Vec<u8> {
    signature.repeat(2)
}

fn zeros(signature: &[u8]) -> Vec<u8> {
    vec![0; signature.len()]
}

fn ones(signature: &[u8]) -> Vec<u8> {
    vec![0xff; signature.len()]
}

fn halves(signature: &[u8]) -> (&[u8], &[u8]) {
    signature.split_at(signature.len() / 2)
}

fn r_zero(signature: &[u8]) -> Vec<u8> {
    let (r, s) = halves(signature);
    [&vec![0; r.len()], s].concat()
}

fn s_zero(signature: &[u8]) -> Vec<u8> {
    let (r, s) = halves(signature);
    [r, &vec![0; s.len()]].concat()
}

fn swapped(signature: &[u8]) -> Vec<u8> {
    let (r, s) = halves(signature);
    [s, r].concat()
}

fn zero_before_both(signature: &[u8]) -> Vec<u8> {
    padded(signature, signature.len() / 2 + 1)
}

fn padded(signature: &[u8], size: usize) -> Vec<u8> {
    let (r, s) = halves(signature);
    let zeros = vec![0; size - r.len()];
    [&zeros, r, &zeros, s].concat()
}

/// The form of X.509 (RFC 3279 2.2.3), which JSON Web Signatures do not use.
fn in_der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if number[0] > 0x7f { vec![0] } else { vec![] };
        let number = [sign, number].concat();
        [
            vec![2, u8::try_from(number.len()).expect("a short number")],
            number,
        ]
        .concat()
    };
    let (r, s) = halves(signature);
    let numbers = [integer(r), integer(s)].concat();
    let length = u8::try_from(numbers.len()).expect("a short sequence");
    let length = if length > 0x7f {
        vec![0x81, length]
    } else {
        vec![length]
    };
    [vec![0x30], length, numbers].concat()
}

/// The same number modulo the order, written in another way (RFC 8032 8.4).
fn plus_order(signature: &[u8]) -> Vec<u8> {
    let mut signature = signature.to_vec();
    let mut carry = 0;
    for (byte, added) in signature[32..].iter_mut().zip(ED25519_ORDER) {
        let sum = u16::from(*byte) + u16::from(added) + carry;
        *byte = u8::try_from(sum & 0xff).expect("a byte");
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    signature
}
