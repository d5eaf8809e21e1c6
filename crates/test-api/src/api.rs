//! A running API, and the clients that speak to it.

use std::sync::Arc;

use crate::memory::{self, Parts};
use crate::tokens::{FakeTokens, SignedTokens, Tokens};
use crate::users::User;

/// A running API. It stops with the value.
pub struct Api {
    url: String,
    client: reqwest::Client,
    tokens: Arc<dyn Tokens>,
    _server: Box<dyn Send + Sync>,
}

impl Api {
    /// Serves an application over the in-memory repository from this process; its verifier of tokens is a fake.
    #[must_use]
    pub fn over_memory() -> Self {
        Self::serving(Parts::default())
    }

    /// Serves an application made of these parts from this process.
    #[must_use]
    pub fn serving(parts: Parts) -> Self {
        let tokens = Arc::new(FakeTokens(Arc::clone(&parts.fake_tokens)));
        let server = memory::serve(parts);
        Self::new(server.url().to_owned(), tokens, Box::new(server))
    }

    /// Speaks to a server of the test's own at this address, which verifies [`SignedTokens`]; `server` is kept as long
    /// as the value.
    #[must_use]
    pub fn at(url: &str, server: Box<dyn Send + Sync>) -> Self {
        Self::new(url.to_owned(), Arc::new(SignedTokens), server)
    }

    fn new(url: String, tokens: Arc<dyn Tokens>, server: Box<dyn Send + Sync>) -> Self {
        Self {
            url,
            client: http_client(),
            tokens,
            _server: server,
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes tokens that this API knows, or refuses.
    #[must_use]
    pub fn tokens(&self) -> &dyn Tokens {
        &*self.tokens
    }

    /// A user with a good token.
    #[must_use]
    pub fn user(&self, id: &str) -> User {
        User::new(&self.url, &self.client, Some(self.tokens.good(id)))
    }

    /// Someone with this token, good or bad.
    #[must_use]
    pub fn bearer(&self, token: &str) -> User {
        User::new(&self.url, &self.client, Some(token.to_owned()))
    }

    /// Someone without a token.
    #[must_use]
    pub fn anonymous(&self) -> User {
        User::new(&self.url, &self.client, None)
    }

    /// The client that all of them use.
    #[must_use]
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

/// A client for plain HTTP. It loads no root certificates, which a machine may not even have.
#[must_use]
pub fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder().tls_certs_only([]).build();
    client.expect("an HTTP client")
}
