//! Every key has its algorithm; a token that names another one gets nowhere, however well it is signed.

use aws_lc_rs::signature::{RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA384};
use domain::identity::RefusalReason::{AlgorithmNotAllowed, BadSignature, CriticalExtension};

use super::*;
use crate::issuer::signed_by;
use crate::support::*;

cases! { Published;
    es256_with_the_id_of_an_ed25519_key => Some(AlgorithmNotAllowed), |now| by(&P256, "ES256", "ed-1", now);
    rs256_with_the_id_of_an_ed25519_key => Some(AlgorithmNotAllowed), |now| by(&RSA, "RS256", "ed-1", now);
    es256_signed_with_the_ed25519_key => Some(AlgorithmNotAllowed), |now| by(&ED, "ES256", "ed-1", now);
    es256_with_the_id_of_an_ed25519_key_without_algorithm => Some(AlgorithmNotAllowed),
        |now| by(&P256, "ES256", "ed-plain", now);
    eddsa_with_the_id_of_a_p256_key => Some(AlgorithmNotAllowed), |now| by(&ED, "EdDSA", "es256-1", now);
    eddsa_signed_with_the_p256_key => Some(AlgorithmNotAllowed), |now| by(&P256, "EdDSA", "es256-1", now);
    es384_with_the_id_of_a_p256_key => Some(AlgorithmNotAllowed), |now| by(&P384, "ES384", "es256-1", now);
    es384_signed_with_the_p256_key_without_algorithm => Some(AlgorithmNotAllowed),
        |now| by(&P256, "ES384", "p256-plain", now);
    es256_with_the_id_of_a_p384_key => Some(AlgorithmNotAllowed), |now| by(&P256, "ES256", "es384-1", now);
    es512_with_the_id_of_a_p384_key => Some(AlgorithmNotAllowed), |now| by(&P521, "ES512", "es384-1", now);
    es256_signed_with_the_p521_key => Some(AlgorithmNotAllowed), |now| by(&P521, "ES256", "es512-1", now);
    es384_with_the_id_of_a_p521_key => Some(AlgorithmNotAllowed), |now| by(&P384, "ES384", "es512-1", now);
    rs256_with_the_id_of_a_p521_key => Some(AlgorithmNotAllowed), |now| by(&RSA, "RS256", "es512-1", now);
    ps256_well_signed_with_a_key_of_rs256 => Some(AlgorithmNotAllowed),
        |now| by_pss(&RSA, "PS256", "rs256-1", now);
    rs256_well_signed_with_a_key_of_ps256 => Some(AlgorithmNotAllowed), |now| by(&RSA, "RS256", "ps256-1", now);
    eddsa_with_the_id_of_an_rsa_key => Some(AlgorithmNotAllowed), |now| by(&ED, "EdDSA", "rs256-1", now);
    es256_with_the_id_of_an_rsa_key_without_algorithm => Some(AlgorithmNotAllowed),
        |now| by(&P256, "ES256", "rsa-plain", now);
    rs256_with_the_id_that_two_other_keys_share => Some(AlgorithmNotAllowed),
        |now| by(&RSA, "RS256", "shared", now);

    a_ps256_signature_called_rs256 => Some(BadSignature), |now| by_pss(&RSA, "RS256", "rs256-1", now);
    an_rs256_signature_called_ps256 => Some(BadSignature), |now| by(&RSA, "PS256", "ps256-1", now);
    a_ps256_signature_called_rs256_with_a_key_for_both => Some(BadSignature),
        |now| by_pss(&RSA, "RS256", "rsa-plain", now);
    an_rs384_signature_called_rs256 => Some(BadSignature), |now| signed_by(
        &header("RS256", "rs256-1"), &good_claims(now), |message| RSA.sign_with_padding(&RSA_PKCS1_SHA384, message));
    an_rs512_signature_called_rs256 => Some(BadSignature), |now| signed_by(
        &header("RS256", "rs256-1"), &good_claims(now), |message| RSA.sign_with_padding(&RSA_PKCS1_SHA512, message));
    a_ps384_signature_called_ps256 => Some(BadSignature), |now| signed_by(
        &header("PS256", "ps256-1"), &good_claims(now), |message| RSA.sign_with_padding(&RSA_PSS_SHA384, message));

    no_algorithm_with_the_id_of_a_key => Some(AlgorithmNotAllowed), |now| by(&ED, "none", "ed-1", now);
    no_algorithm_in_mixed_case_with_the_id_of_a_key => Some(AlgorithmNotAllowed),
        |now| by(&ED, "nOnE", "ed-1", now);
    eddsa_in_small_letters => Some(AlgorithmNotAllowed), |now| by(&ED, "eddsa", "ed-1", now);
    ed25519_in_capitals => Some(AlgorithmNotAllowed), |now| by(&ED, "ED25519", "ed-1", now);
    ed25519_over_a_hash => Some(AlgorithmNotAllowed), |now| by(&ED, "Ed25519ph", "ed-1", now);
    ed448_with_the_id_of_an_ed25519_key => Some(AlgorithmNotAllowed), |now| by(&ED, "Ed448", "ed-1", now);
    es256_with_a_nul_after_it => Some(AlgorithmNotAllowed), |now| by(&P256, "ES256\0", "es256-1", now);
    es256k_with_the_id_of_a_p256_key => Some(AlgorithmNotAllowed), |now| by(&P256, "ES256K", "es256-1", now);
    rs384_well_signed_with_a_key_without_algorithm => Some(AlgorithmNotAllowed), |now| signed_by(
        &header("RS384", "rsa-plain"), &good_claims(now), |message| RSA.sign_with_padding(&RSA_PKCS1_SHA384, message));
    rs384_well_signed_with_a_key_of_rs384 => Some(AlgorithmNotAllowed), |now| signed_by(
        &header("RS384", "rs384-1"), &good_claims(now), |message| RSA.sign_with_padding(&RSA_PKCS1_SHA384, message));
    rs512_with_the_id_of_an_rsa_key => Some(AlgorithmNotAllowed), |now| by(&RSA, "RS512", "rs256-1", now);
    ps512_with_the_id_of_an_rsa_key => Some(AlgorithmNotAllowed), |now| by_pss(&RSA, "PS512", "ps256-1", now);
    rs1_with_the_id_of_an_rsa_key => Some(AlgorithmNotAllowed), |now| by(&RSA, "RS1", "rs256-1", now);
    an_encryption_algorithm => Some(AlgorithmNotAllowed), |now| by(&RSA, "RSA-OAEP", "rs256-1", now);
    ml_dsa => Some(AlgorithmNotAllowed), |now| by(&ED, "ML-DSA-44", "ed-1", now);

    a_critical_extension_beside_a_good_signature => Some(CriticalExtension),
        |now| ED.token(r#"{"alg":"EdDSA","kid":"ed-1","crit":["exp"],"exp":1}"#, &good_claims(now));
    claims_not_encoded_beside_a_good_signature => Some(CriticalExtension),
        |now| ED.token(r#"{"alg":"EdDSA","kid":"ed-1","b64":false,"crit":["b64"]}"#, &good_claims(now));
}
