//! The log lines about the fetches.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Once;

use std::sync::Arc;

use adapters_jwt::{DevelopmentClaims, FetchFailed, JwtVerifier, VerifierSettings, sign_development_token};
use chrono::TimeDelta;
use domain::identity::TokenVerifier;
use domain::testing::{FixedClock, noon};
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::front_end::*;
use crate::issuer::{development_claims, shared_secret};

thread_local! {
    /// The lines of this test: everything of it runs on its thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the lines of this crate, from INFO on, each with its level and all fields.
struct Log;

impl Log {
    fn begin() {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| set_global_default(Self).expect("the only subscriber"));
        LINES.take();
    }

    fn lines() -> Vec<String> {
        LINES.with_borrow(Clone::clone)
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("adapters_jwt") && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a text takes all");
    }
}

fn fetched(keys: usize) -> String {
    format!(
        "INFO message=the keys that verify tokens were fetched \
         url=https://app.example/api/auth/jwks keys={keys}"
    )
}

const AWAY: &str = "WARN message=the keys that verify tokens cannot be fetched \
                    url=https://app.example/api/auth/jwks class=\"unreachable\" \
                    error=the server cannot be reached: refused";

#[tokio::test(start_paused = true)]
async fn a_new_set_is_told_once() {
    Log::begin();
    let (a, b) = (Key::new("a"), Key::new("b"));
    let server = KeyServer::with(&[&a]);
    let _verifier = Verifier::ready(&server).await;
    sleep(UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(server.count(), 2);
    assert_eq!(Log::lines(), [fetched(1)]);
    server.publish(&[&a, &b]);
    sleep(2 * UNTIL_THE_NEXT_FETCH).await;
    assert_eq!(Log::lines(), [fetched(1), fetched(2)]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_once_a_minute() {
    Log::begin();
    let server = KeyServer::default();
    let _verifier = Verifier::of(&server);
    sleep(secs(56)).await;
    assert_eq!(server.count(), 9);
    assert_eq!(Log::lines(), [AWAY]);
    sleep(secs(10)).await;
    assert_eq!(Log::lines(), [AWAY, AWAY]);
    sleep(secs(58)).await;
    assert_eq!(Log::lines(), [AWAY, AWAY]);
    sleep(secs(2)).await;
    assert_eq!(Log::lines(), [AWAY, AWAY, AWAY]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_failures_is_told_though_the_keys_are_the_same() {
    Log::begin();
    let key = Key::new("a");
    let server = KeyServer::with(&[&key]);
    let _verifier = Verifier::ready(&server).await;
    server.fail(|| FetchFailed::Status(503));
    sleep(UNTIL_THE_NEXT_FETCH).await;
    server.publish(&[&key]);
    sleep(2 * UNTIL_THE_NEXT_FETCH).await;
    let lines = Log::lines();
    assert!(lines[1].contains("class=\"status\""), "{lines:?}");
    assert_eq!(lines.last(), Some(&fetched(1)));
    let told = lines.iter().filter(|line| **line == fetched(1)).count();
    assert_eq!(told, 2, "{lines:?}");
}

#[tokio::test]
async fn a_token_that_expires_in_milliseconds_is_told_once() {
    Log::begin();
    let settings = VerifierSettings {
        secrets: vec![shared_secret()],
        ..VerifierSettings::default()
    };
    let verifier = JwtVerifier::new(settings, Arc::new(FixedClock::at(noon())));
    let lives_for = |days| {
        let claims = DevelopmentClaims {
            expires_at: noon() + TimeDelta::days(days),
            ..development_claims()
        };
        sign_development_token(&shared_secret(), &claims)
    };
    verifier.verify(&lives_for(3_650)).await.expect("ten years");
    assert_eq!(Log::lines(), [""; 0]);
    for _ in 0..2 {
        verifier
            .verify(&lives_for(365 * 1_000))
            .await
            .expect("a thousand years");
    }
    let lines = Log::lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("WARN") && line.contains("milliseconds")),
        "{lines:?}"
    );
}
