//! The cost of verifying a token: with each algorithm, for a token that was never seen and for one that was. Measured
//! is the time that the thread was on a processor, so that a busy machine does not matter.
//!
//! `cargo bench -p adapters-jwt`, on Linux

#![expect(clippy::expect_used, reason = "a broken set-up should panic")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the signers are shared with the tests"
)]

#[path = "../tests/verifier/issuer.rs"]
mod issuer;

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use adapters_jwt::{JwtVerifier, KeySetTiming, VerifierSettings};
use criterion::{Criterion, criterion_group, criterion_main};
use domain::identity::TokenVerifier;
use domain::testing::{FixedClock, noon};
use issuer::{FixedKeySet, LIFETIME, Signer, hs256_token, key_set_settings, shared_secret, with_fields};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// More than are remembered: when the last one was verified the first one is forgotten.
const STRANGERS: i64 = 8_200;

/// A token of Better Auth with its default claims.
fn token(signer: &Signer, algorithm: &str, number: i64) -> String {
    let header = json!({ "alg": algorithm, "kid": algorithm }).to_string();
    let claims = json!({
        "iat": noon().timestamp() - number, "name": "Alice Example", "email": "alice@app.example", "emailVerified": false,
        "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        "id": "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o", "sub": "mWkXQ8gTn4pYb2RcVzLd5HsJf7KuEa1o",
        "exp": noon().timestamp() + LIFETIME, "iss": "http://localhost:3000", "aud": "http://localhost:3000",
    });
    if algorithm == "PS256" {
        signer.ps256_token(&header, &claims.to_string())
    } else {
        signer.token(&header, &claims.to_string())
    }
}

fn verify(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let signers = [
        ("EdDSA", Signer::ed25519()),
        ("ES256", Signer::p256()),
        ("ES384", Signer::p384()),
        ("ES512", Signer::p521()),
        ("RS256", Signer::rsa()),
        ("PS256", Signer::rsa()),
    ];
    let keys: Vec<_> = signers
        .iter()
        .map(|(algorithm, signer)| with_fields(signer.jwk(), &json!({ "kid": algorithm, "alg": algorithm })))
        .collect();
    let verifier = verifier(&runtime, &json!({ "keys": keys }).to_string());
    let mut ask = |name: String, tokens: &[String]| {
        let mut tokens = tokens.iter().cycle();
        criterion.bench_function(&name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let begin = time_on_processor();
                    for token in tokens.by_ref().take(usize::try_from(times).expect("a count")) {
                        let verdict = verifier.verify(black_box(token)).await;
                        black_box(verdict.expect("an accepted token"));
                    }
                    time_on_processor().saturating_sub(begin)
                })
            });
        });
    };
    ask("HS256".to_owned(), &[hs256_token()]);
    for (algorithm, signer) in &signers {
        let tokens: Vec<_> = (0..STRANGERS)
            .map(|number| token(signer, algorithm, number))
            .collect();
        ask(format!("{algorithm} for the first time"), &tokens);
        ask(format!("{algorithm} again"), &tokens[..1]);
    }
}

fn verifier(runtime: &Runtime, key_set: &str) -> JwtVerifier {
    let rules = VerifierSettings {
        secrets: vec![shared_secret()],
        ..VerifierSettings::default()
    };
    let settings = key_set_settings(None, KeySetTiming::default());
    let _guard = runtime.enter();
    JwtVerifier::new(rules, Arc::new(FixedClock::at(noon())))
        .with_key_set(settings, FixedKeySet(key_set.to_owned()))
}

/// The first number of this file, in nanoseconds (proc(5)).
fn time_on_processor() -> Duration {
    let file = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos = file.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

criterion_group!(benches, verify);
criterion_main!(benches);
