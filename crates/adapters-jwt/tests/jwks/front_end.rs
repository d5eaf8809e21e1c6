//! A front end whose key server does what the test tells it, and the verifier of its tokens.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapters_jwt::{FetchFailed, JwtVerifier, KeySetSource, KeySetTiming, VerifierSettings};
use async_trait::async_trait;
use domain::identity::{AuthError, Caller, RefusalReason, TokenVerifier};
use domain::testing::{FixedClock, noon};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::issuer::{LIFETIME, Signer, key_set_settings, shared_secret, with_fields};

/// The outcome of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused(RefusalReason),
    KeysUnavailable,
}

impl From<Result<Caller, AuthError>> for Verdict {
    fn from(verdict: Result<Caller, AuthError>) -> Self {
        match verdict {
            Ok(_) => Self::Accepted,
            Err(AuthError::Invalid(refusal) | AuthError::Expired(refusal)) => Self::Refused(refusal.reason),
            Err(AuthError::KeysUnavailable(_)) => Self::KeysUnavailable,
        }
    }
}

/// A key of the front end.
pub(crate) struct Key {
    pub(crate) id: String,
    signer: Signer,
}

impl Key {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            signer: Signer::ed25519(),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        with_fields(self.signer.jwk(), &json!({ "kid": self.id, "alg": "EdDSA" }))
    }

    /// A good token, made at noon.
    pub(crate) fn token(&self) -> String {
        self.token_saying(&json!({}))
    }

    /// The same with more claims, or others.
    pub(crate) fn token_saying(&self, more: &Value) -> String {
        let claims = json!({ "sub": "usr_9f2c", "exp": noon().timestamp() + LIFETIME });
        let header = json!({ "alg": "EdDSA", "kid": self.id });
        self.signer
            .token(&header.to_string(), &with_fields(claims, more).to_string())
    }
}

/// The key server of a front end, for one verifier.
#[derive(Clone, Default)]
pub(crate) struct KeyServer(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answer: Answer,
    delay: Duration,
    begun: Vec<Instant>,
}

type Failing = Box<dyn Fn() -> FetchFailed + Send>;

enum Answer {
    Document(String),
    Failure(Failing),
}

impl Default for Answer {
    fn default() -> Self {
        Self::Failure(Box::new(|| FetchFailed::Unreachable("refused".into())))
    }
}

impl KeyServer {
    /// A server that publishes these keys from now on.
    pub(crate) fn with(keys: &[&Key]) -> Self {
        let server = Self::default();
        server.publish(keys);
        server
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.say(&json!({ "keys": keys }).to_string());
    }

    pub(crate) fn say(&self, document: &str) {
        self.0.lock().expect("the server").answer = Answer::Document(document.to_owned());
    }

    /// From now on every fetch fails like this.
    pub(crate) fn fail(&self, failure: impl Fn() -> FetchFailed + Send + 'static) {
        self.0.lock().expect("the server").answer = Answer::Failure(Box::new(failure));
    }

    /// From now on no one can reach it.
    pub(crate) fn go_away(&self) {
        self.fail(|| FetchFailed::Unreachable("refused".into()));
    }

    /// From now on it takes that long to send what it decided at the beginning.
    pub(crate) fn take(&self, delay: Duration) {
        self.0.lock().expect("the server").delay = delay;
    }

    /// When fetches began.
    pub(crate) fn begun(&self) -> Vec<Instant> {
        self.0.lock().expect("the server").begun.clone()
    }

    /// How many fetches have begun.
    pub(crate) fn count(&self) -> usize {
        self.begun().len()
    }

    /// Whether someone could still fetch from it.
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

#[async_trait]
impl KeySetSource for KeyServer {
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed> {
        let (answer, delay) = {
            let mut inner = self.0.lock().expect("the server");
            inner.begun.push(Instant::now());
            let answer = match &inner.answer {
                Answer::Document(document) => Ok(document.clone().into_bytes()),
                Answer::Failure(failure) => Err(failure()),
            };
            (answer, inner.delay)
        };
        sleep(delay).await;
        answer
    }
}

/// A verifier with the usual times, and the clock that it looks at for `exp`.
pub(crate) struct Verifier {
    pub(crate) verifier: Arc<JwtVerifier>,
    pub(crate) clock: Arc<FixedClock>,
}

impl Verifier {
    /// Begins to fetch from this server, on the runtime around the test.
    pub(crate) fn of(server: &KeyServer) -> Self {
        Self::with_timing(server, KeySetTiming::default())
    }

    pub(crate) fn with_timing(server: &KeyServer, timing: KeySetTiming) -> Self {
        let clock = Arc::new(FixedClock::at(noon()));
        let rules = VerifierSettings {
            secrets: vec![shared_secret()],
            ..VerifierSettings::default()
        };
        let verifier = JwtVerifier::new(rules, clock.clone());
        let verifier = verifier.with_key_set(key_set_settings(None, timing), server.clone());
        Self {
            verifier: Arc::new(verifier),
            clock,
        }
    }

    /// The same, and the first fetch has ended.
    pub(crate) async fn ready(server: &KeyServer) -> Self {
        let verifier = Self::of(server);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(server.count(), 1);
        verifier
    }

    pub(crate) async fn judge(&self, token: &str) -> Verdict {
        self.verifier.verify(token).await.into()
    }

    /// The verdict, and how long it took.
    pub(crate) async fn judge_timed(&self, token: &str) -> (Verdict, Duration) {
        let begin = Instant::now();
        let verdict = self.judge(token).await;
        (verdict, begin.elapsed())
    }

    /// The verdicts on tokens that come all at once.
    pub(crate) async fn judge_all(&self, tokens: impl IntoIterator<Item = String>) -> Vec<Verdict> {
        let tasks: Vec<_> = tokens
            .into_iter()
            .map(|token| {
                let verifier = Arc::clone(&self.verifier);
                tokio::spawn(async move { Verdict::from(verifier.verify(&token).await) })
            })
            .collect();
        let mut verdicts = Vec::new();
        for task in tasks {
            verdicts.push(task.await.expect("a verdict"));
        }
        verdicts
    }
}

/// Long enough after a fetch that nothing holds back the next one, and too short for one that no one asks for.
pub(crate) const A_QUIET_MINUTE: Duration = secs(60);
/// Long enough for the next fetch that no one asks for: ten minutes, a tenth of that, and a second.
pub(crate) const UNTIL_THE_NEXT_FETCH: Duration = secs(661);
/// How long keys are good while fetching fails.
pub(crate) const A_DAY: Duration = secs(86_400);

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
