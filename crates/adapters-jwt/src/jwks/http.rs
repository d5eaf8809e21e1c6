//! The key set over HTTP, fetched as cautiously as something may be that strangers can provoke.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use rustls::ClientConfig;
use thiserror::Error;

use super::source::{FetchFailed, KeySetSource};
use crate::settings::KeySetUrl;

/// The largest key set that is read, in bytes: 1 MiB. 400 keys of RSA-4096 take a third of it.
pub const MAX_KEY_SET_BYTES: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A key set at an address of the configuration.
///
/// Follows no redirection, uses no proxy of the environment, sends no credentials and keeps no connection. The type of
/// the content is not looked at.
#[derive(Debug)]
pub struct HttpKeySet {
    client: Client,
    url: KeySetUrl,
}

impl HttpKeySet {
    /// A key set at that address, from a server that these settings trust. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`NoHttpClient`] if there is no client for these settings.
    pub fn at(url: KeySetUrl, tls_config: ClientConfig) -> Result<Self, NoHttpClient> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls_config)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            // One fetch in ten minutes: a kept connection would have died unnoticed by then.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("task-api/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            client: client.map_err(|error| NoHttpClient(error.into()))?,
            url,
        })
    }
}

#[async_trait]
impl KeySetSource for HttpKeySet {
    async fn fetch(&self) -> Result<Vec<u8>, FetchFailed> {
        let answer = self.client.get(self.url.as_url().clone()).send().await;
        let answer = answer.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => body(answer).await,
            StatusCode::TOO_MANY_REQUESTS => Err(FetchFailed::TooManyRequests {
                retry_after: retry_after(answer.headers()),
            }),
            status => Err(FetchFailed::Status(status.as_u16())),
        }
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, FetchFailed> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        if body.len() + part.len() > MAX_KEY_SET_BYTES {
            return Err(FetchFailed::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Better Auth says `x-retry-after`. Only seconds are understood; a date means the usual pause.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers
        .get("x-retry-after")
        .or_else(|| headers.get(RETRY_AFTER))?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn failed(error: reqwest::Error) -> FetchFailed {
    if error.is_timeout() {
        FetchFailed::TimedOut
    } else {
        // The address may hold what only its owner should see.
        FetchFailed::Unreachable(error.without_url().into())
    }
}

/// The HTTP client could not be made.
#[derive(Debug, Error)]
#[error("the HTTP client for the key set cannot be made")]
pub struct NoHttpClient(#[source] domain::Cause);
