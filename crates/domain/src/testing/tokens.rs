use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::identity::{AuthError, Caller, Owner, Refusal, RefusalReason, TokenVerifier};

/// What every token of [`FakeTokenVerifier::token_for`] starts with.
const OF_A_USER: &str = "token-of.";

/// What a [`FakeTokenVerifier`] says about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The token proves that this caller is asking.
    Accepted(Caller),
    /// The token was right until it expired.
    Expired,
    /// The token is wrong.
    Invalid,
    /// The token could not be judged.
    KeysUnavailable,
}

/// A verifier without cryptography, for tests of whatever asks one. It accepts the tokens of
/// [`token_for`](Self::token_for), says about others what it was told, and refuses the rest.
#[derive(Debug, Default)]
pub struct FakeTokenVerifier {
    told: Mutex<HashMap<String, Verdict>>,
    always: Option<Verdict>,
}

impl FakeTokenVerifier {
    /// A verifier that says the same about every token.
    #[must_use]
    pub fn always(verdict: Verdict) -> Self {
        Self {
            told: Mutex::default(),
            always: Some(verdict),
        }
    }

    /// From now on it says this about that token.
    pub fn tell(&self, token: &str, verdict: Verdict) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(token.to_owned(), verdict);
    }

    /// The token that every such verifier accepts as that of this user. It has only characters that RFC 6750 (2.1)
    /// allows in a token, whatever the user id consists of.
    #[must_use]
    pub fn token_for(user_id: &str) -> String {
        user_id.bytes().fold(OF_A_USER.to_owned(), |mut token, byte| {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                token.push(char::from(byte));
            } else {
                // Writing to a `String` never fails.
                let _ = write!(token, "~{byte:02x}");
            }
            token
        })
    }

    fn verdict(&self, token: &str) -> Verdict {
        if let Some(verdict) = &self.always {
            return verdict.clone();
        }
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(token)
            .cloned()
            .or_else(|| user_of(token).map(|owner| Verdict::Accepted(caller_of(owner))))
            .unwrap_or(Verdict::Invalid)
    }
}

#[async_trait]
impl TokenVerifier for FakeTokenVerifier {
    async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        match self.verdict(token) {
            Verdict::Accepted(caller) => Ok(caller),
            Verdict::Expired => Err(Refusal::new(RefusalReason::Expired).into()),
            Verdict::Invalid => Err(Refusal::new(RefusalReason::Malformed).into()),
            Verdict::KeysUnavailable => Err(AuthError::KeysUnavailable("the keys are away".into())),
        }
    }
}

/// The user whom [`FakeTokenVerifier::token_for`] has made this token for.
fn user_of(token: &str) -> Option<Owner> {
    let mut bytes = token.strip_prefix(OF_A_USER)?.bytes();
    let mut user_id = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'~' {
            let digits = [bytes.next()?, bytes.next()?];
            user_id.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            user_id.push(byte);
        }
    }
    let owner = Owner::parse(str::from_utf8(&user_id).ok()?).ok()?;
    // One token for each user: another spelling of it is none.
    (FakeTokenVerifier::token_for(owner.as_str()) == token).then_some(owner)
}

/// That user, whose token expires in the year 2096: no test lasts so long.
fn caller_of(owner: Owner) -> Caller {
    let expires_at = DateTime::<Utc>::from_timestamp(4_000_000_000, 0);
    Caller {
        owner,
        expires_at: expires_at.expect("a valid time"),
        issuer: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::a_caller;
    use super::*;

    #[tokio::test]
    async fn it_says_what_it_was_told_and_refuses_every_other_token() {
        let tokens = FakeTokenVerifier::default();
        tokens.tell("t-1", Verdict::Accepted(a_caller()));
        tokens.tell("t-2", Verdict::Expired);
        tokens.tell("t-3", Verdict::KeysUnavailable);
        assert_eq!(tokens.verify("t-1").await.unwrap(), a_caller());
        assert!(matches!(tokens.verify("t-2").await, Err(AuthError::Expired(_))));
        assert!(matches!(
            tokens.verify("t-3").await,
            Err(AuthError::KeysUnavailable(_))
        ));
        for token in [
            "t-4",
            "",
            "token-of.",
            "token-of.a b",
            "token-of.~6",
            "token-of.~61",
        ] {
            assert!(
                matches!(tokens.verify(token).await, Err(AuthError::Invalid(_))),
                "{token}"
            );
        }
    }

    #[tokio::test]
    async fn what_it_always_says_is_what_it_says_about_the_token_of_a_user_too() {
        let tokens = FakeTokenVerifier::always(Verdict::Invalid);
        let verdict = tokens.verify(&FakeTokenVerifier::token_for("alice")).await;
        assert!(matches!(verdict, Err(AuthError::Invalid(_))));
    }

    #[test]
    fn the_token_of_a_user_can_be_read() {
        assert_eq!(FakeTokenVerifier::token_for("usr_9f2c"), "token-of.usr_9f2c");
        assert_eq!(FakeTokenVerifier::token_for("a é"), "token-of.a~20~c3~a9");
    }

    proptest! {
        #[test]
        fn the_token_of_a_user_is_that_of_no_other(user_id in any::<String>()) {
            let owner = Owner::parse(&user_id);
            prop_assert_eq!(user_of(&FakeTokenVerifier::token_for(&user_id)), owner.ok());
        }
    }
}
