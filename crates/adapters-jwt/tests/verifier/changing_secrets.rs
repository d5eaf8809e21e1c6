//! Shared secrets that change while the process runs: no good token is refused meanwhile, and those of a secret that is
//! gone end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adapters_jwt::{JwtVerifier, SecretsReload};
use domain::identity::RefusalReason::BadSignature;
use domain::identity::TokenVerifier;

use crate::support::*;

const OLD: &str = "the older secret, which is long enough";
const NEW: &str = "the newer secret, which is long enough";

/// The content of a file of secrets, or `None` if it cannot be read; and how often it was read.
type Content = (Option<Vec<&'static str>>, u32);

#[derive(Clone)]
struct File(Arc<Mutex<Content>>);

impl File {
    fn with(secrets: &[&'static str]) -> Self {
        Self(Arc::new(Mutex::new((Some(secrets.to_vec()), 0))))
    }

    fn write(&self, secrets: Option<&[&'static str]>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *file = (secrets.map(<[_]>::to_vec), file.1);
    }

    /// How often it was read.
    fn looks(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn reload(&self) -> SecretsReload {
        let file = self.0.clone();
        let seen = Mutex::new(file.lock().unwrap_or_else(PoisonError::into_inner).0.clone());
        SecretsReload::with(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.1 += 1;
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == file.0 {
                return None;
            }
            seen.clone_from(&file.0);
            Some(match &file.0 {
                Some(secrets) => Ok(secrets.iter().map(|text| secret(text)).collect()),
                None => Err("no such file".into()),
            })
        })
    }

    fn verifier(&self) -> JwtVerifier {
        let mut settings = settings(Rules::Plain);
        settings.secrets = vec![secret(OLD)];
        verifier_at(settings, noon_secs()).with_changing_secrets(self.reload())
    }
}

fn token_of(secret: &str) -> String {
    hmac_token(HEADER, secret, jsonwebtoken::Algorithm::HS256, noon_secs())
}

async fn is_refused(verifier: &JwtVerifier, secret: &str) -> bool {
    match verifier.verify(&token_of(secret)).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(refusal(&error).reason, BadSignature);
            true
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_new_secret_is_good_from_its_first_use_on_and_one_of_a_gone_secret_ends() {
    let file = File::with(&[OLD]);
    let verifier = file.verifier();
    assert!(!is_refused(&verifier, OLD).await);
    assert!(is_refused(&verifier, NEW).await);

    file.write(Some(&[NEW, OLD]));
    assert!(!is_refused(&verifier, NEW).await, "at once");
    assert!(!is_refused(&verifier, OLD).await, "both are good");

    file.write(Some(&[NEW]));
    assert!(!is_refused(&verifier, NEW).await);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert!(is_refused(&verifier, OLD).await, "it is gone");
    assert!(!is_refused(&verifier, NEW).await);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_leaves_the_secrets_as_they_are() {
    let file = File::with(&[OLD]);
    let verifier = file.verifier();
    file.write(None);
    assert!(is_refused(&verifier, NEW).await);
    assert!(!is_refused(&verifier, OLD).await);
    file.write(Some(&[NEW]));
    assert!(!is_refused(&verifier, NEW).await);
}

#[tokio::test(start_paused = true)]
async fn good_tokens_cost_no_look_but_every_twenty_seconds() {
    let file = File::with(&[OLD]);
    let verifier = file.verifier();
    for _ in 0..100 {
        assert!(!is_refused(&verifier, OLD).await);
    }
    assert_eq!(file.looks(), 0);
    tokio::time::advance(Duration::from_secs(20)).await;
    for _ in 0..100 {
        assert!(!is_refused(&verifier, OLD).await);
    }
    assert_eq!(file.looks(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_at_once_are_all_let_in_while_the_secret_changes() {
    let file = File::with(&[OLD]);
    let verifier = Arc::new(file.verifier());
    file.write(Some(&[NEW]));
    let users: Vec<_> = (0..64)
        .map(|_| {
            let verifier = Arc::clone(&verifier);
            tokio::spawn(async move { is_refused(&verifier, NEW).await })
        })
        .collect();
    for user in users {
        assert!(!user.await.expect("no panic"), "a good user is refused");
    }
}
