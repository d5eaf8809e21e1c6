//! The two things that stand at the door of every request, by themselves: `cargo bench -p bench`.
#![expect(clippy::expect_used, reason = "in a benchmark a broken set-up should panic")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix_web::FromRequest;
use actix_web::test::TestRequest;
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use api_actix::body::JsonObject;
use bench::data::{Tokens, user};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::identity::TokenVerifier;
use domain::testing::{FixedClock, noon};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

const SECRET: &str = "a secret that signs the tokens of this measurement";

/// A token with HS256: what the product does, and what the library alone does with the same token.
fn token(criterion: &mut Criterion) {
    let bearer = Tokens::new(SECRET).bearer(&user(0)).expect("a signature");
    let token = bearer.strip_prefix("Bearer ").expect("a bearer token");
    let settings = VerifierSettings {
        secrets: vec![SharedSecret::new(SECRET.into()).expect("a secret")],
        ..VerifierSettings::default()
    };
    let verifier = JwtVerifier::new(settings, Arc::new(FixedClock::at(noon())));
    criterion.bench_function("token, JwtVerifier", |bencher| {
        bencher.iter(|| {
            let verdict = verifier.verify(black_box(token)).now_or_never();
            verdict.expect("an answer at once").expect("a good token")
        });
    });
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let rules = Validation::new(Algorithm::HS256);
    criterion.bench_function("token, jsonwebtoken::decode", |bencher| {
        bencher.iter(|| {
            jsonwebtoken::decode::<serde_json::Value>(black_box(token), &key, &rules).expect("a good token")
        });
    });
}

/// The body of a creation: what the product does, and what the parser alone does with it.
fn body(criterion: &mut Criterion) {
    const BODY: &str = r#"{"title":"A title of an ordinary length","description":"A description that says a little more about what is to be done.","status":"in_progress"}"#;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    // Reading has a time limit.
    let _guard = runtime.enter();
    criterion.bench_function("body, JsonObject", |bencher| {
        bencher.iter_batched(
            || {
                let request = TestRequest::post().insert_header(("Content-Type", "application/json"));
                request.set_payload(BODY).to_http_parts()
            },
            |(request, mut payload)| {
                let object = JsonObject::from_request(&request, &mut payload).now_or_never();
                object.expect("an answer at once").expect("a good body")
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("body, serde_json::Value", |bencher| {
        bencher.iter(|| serde_json::from_str::<serde_json::Value>(black_box(BODY)).expect("JSON"));
    });
}

criterion_group! {
    name = entry;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = token, body
}
criterion_main!(entry);
