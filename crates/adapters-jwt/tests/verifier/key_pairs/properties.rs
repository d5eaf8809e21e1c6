//! Laws that hold for every token of a key pair.

use adapters_jwt::JwtVerifier;
use domain::identity::TokenVerifier;
use domain::testing::an_owner;
use proptest::prelude::*;

use super::*;
use crate::support::*;

/// Asks one verifier about many tokens: making one means fetching the keys.
fn with_verifier<T>(ask: impl AsyncFnOnce(&JwtVerifier) -> T) -> T {
    runtime().block_on(async {
        let verifier = verifier_with_keys(Rules::Published, noon_secs());
        ask(&verifier).await
    })
}

#[test]
fn a_good_token_with_any_character_changed_is_refused_whatever_its_algorithm() {
    with_verifier(async |verifier| {
        for (algorithm, token) in good_tokens(noon_secs()) {
            // Twice: the second time it is remembered, and its neighbours must not profit.
            for _ in 0..2 {
                assert!(verifier.verify(&token).await.is_ok(), "{algorithm}");
            }
            for place in 0..token.len() {
                for byte in neighbours(token.as_bytes()[place]) {
                    let mut changed = token.clone();
                    changed.replace_range(place..=place, &char::from(byte).to_string());
                    assert!(verifier.verify(&changed).await.is_err(), "{algorithm}: {changed}");
                }
            }
        }
    });
}

/// Some other characters of tokens: the next letter of the alphabet (a single bit), the other case, and a fixed one.
fn neighbours(byte: u8) -> impl Iterator<Item = u8> {
    let others = [byte ^ 1, byte ^ 0x20, b'A', b'.'];
    others
        .into_iter()
        .filter(move |other| *other != byte && other.is_ascii_graphic())
}

#[test]
fn a_good_token_without_its_end_is_refused_whatever_its_algorithm() {
    with_verifier(async |verifier| {
        for (algorithm, token) in good_tokens(noon_secs()) {
            for end in 0..token.len() {
                assert!(
                    verifier.verify(&token[..end]).await.is_err(),
                    "{algorithm}: {end}"
                );
            }
        }
    });
}

#[test]
fn a_part_of_one_good_token_does_not_go_with_the_parts_of_another() {
    with_verifier(async |verifier| {
        let one = good_tokens(noon_secs());
        let other = good_tokens(noon_secs() + 1);
        for (algorithm, token) in &one {
            let parts: Vec<_> = token.split('.').collect();
            for (_, stranger) in other.iter().chain(&one).filter(|(_, other)| other != token) {
                let strange: Vec<_> = stranger.split('.').collect();
                let mixed = [
                    [strange[0], parts[1], parts[2]],
                    [parts[0], strange[1], parts[2]],
                    [parts[0], parts[1], strange[2]],
                ];
                for mixed in mixed.map(|parts| parts.join(".")) {
                    let is_one_of_both = mixed == *token || mixed == *stranger;
                    assert!(
                        is_one_of_both || verifier.verify(&mixed).await.is_err(),
                        "{algorithm}: {mixed}"
                    );
                }
            }
        }
    });
}

proptest! {
    // Each case takes many signatures.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_are_a_signature(signature in any::<Vec<u8>>(), length in 0_usize..600) {
        let lengths = [signature.len(), length, 64, 96, 132, 256];
        with_verifier(async |verifier| {
            for length in lengths {
                let mut signature = signature.clone();
                signature.resize(length, 0x5a);
                for (algorithm, token) in good_tokens(noon_secs()) {
                    let (message, _) = token.rsplit_once('.').expect("a signature");
                    let forged = format!("{message}.{}", base64(&signature));
                    prop_assert!(verifier.verify(&forged).await.is_err(), "{}: {}", algorithm, forged);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn every_message_that_a_key_has_signed_is_its_own_and_no_other(more in any::<String>()) {
        let claims = format!(
            r#"{{"user_id":"usr_9f2c","exp":{},"more":{}}}"#, noon_secs() + LIFETIME, serde_json::json!(more));
        with_verifier(async |verifier| {
            for (signer, algorithm, id) in [
                (&*ED, "EdDSA", "ed-1"), (&*P256, "ES256", "es256-1"), (&*P384, "ES384", "es384-1"),
                (&*P521, "ES512", "es512-1"), (&*RSA, "RS256", "rs256-1"),
            ] {
                let caller = verifier.verify(&signer.token(&header(algorithm, id), &claims)).await;
                prop_assert_eq!(caller.expect("an accepted token").owner, an_owner());
                let other = signer.token(&header(algorithm, "nobody"), &claims);
                prop_assert!(verifier.verify(&other).await.is_err());
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_header_makes_another_key_of_ours_fit(
        algorithm in prop::sample::select(vec![
            "HS256", "EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "PS256", "RS384", "none",
        ]),
        id in prop::sample::select(vec![
            "ed-1", "ed-rfc9864", "ed-plain", "1", "es256-1", "p256-plain", "es384-1", "es512-1", "rs256-1", "ps256-1",
            "rsa-plain", "shared", "enc-1", "oct-1", "oct-eddsa",
        ]),
    ) {
        with_verifier(async |verifier| {
            for signer in [&*STRANGE_ED, &*STRANGE_P256, &*STRANGE_P384, &*STRANGE_P521, &*STRANGE_RSA] {
                prop_assert!(verifier.verify(&by(signer, algorithm, id, noon_secs())).await.is_err());
            }
            Ok(())
        })?;
    }
}
