use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::{InvalidSetting, Party};

/// Where the public keys of the front end are, and how long they are good.
#[derive(Debug, Clone)]
pub struct KeySetSettings {
    /// The address of the JSON Web Key Set.
    pub url: KeySetUrl,
    /// Who must have issued the tokens of these keys, and whom they must be meant for, as far as
    /// [`VerifierSettings`](super::VerifierSettings) name no one.
    pub origin: Option<Party>,
    /// When to fetch.
    pub timing: KeySetTiming,
}

/// When to fetch a key set. Taken as it is, unlike the other settings: anyone who fills it in keeps to the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetTiming {
    /// How long after a good fetch the next one follows by itself, give or take a tenth. 10 minutes by default.
    ///
    /// From 10 seconds to a day: with nothing in between, fetches follow each other without a pause, and for as long a
    /// key that is gone still counts.
    pub refresh_every: Duration,
    /// How long the keys of the last good fetch are used while fetching fails. 24 hours by default.
    ///
    /// From twice `refresh_every` to a week: with less, a single failure leaves no keys. A key that was taken away
    /// because it leaked counts for as long as someone keeps us from fetching.
    pub max_stale: Duration,
    /// How long one fetch may take. 3 seconds by default.
    ///
    /// From 100 milliseconds to the 5 seconds that a request waits: with less no fetch comes to its end, with more no
    /// request sees it.
    pub timeout: Duration,
}

impl Default for KeySetTiming {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_secs(600),
            max_stale: Duration::from_secs(86_400),
            timeout: Duration::from_secs(3),
        }
    }
}

/// The address of a key set: `http` or `https`, without credentials. `Debug` and `Display` do not show its query.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySetUrl(Url);

impl KeySetUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidSetting::NoHttpUrl`] and [`InvalidSetting::Credentials`].
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        http_url(text).map(Self)
    }

    /// Whether someone between here and there could put keys of their own in place of the real ones: plain HTTP to
    /// another machine.
    #[must_use]
    pub fn is_open_to_tampering(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let is_local_name = host == "localhost" || host.ends_with(".localhost");
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_local = is_local_name || address.is_ok_and(|address| address.is_loopback());
        self.0.scheme() == "http" && !is_local
    }

    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for KeySetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for KeySetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySetUrl({self})")
    }
}

/// The base address of Better Auth, as its own setting has it. Only its origin counts, as for Better Auth itself.
///
/// ```
/// use adapters_jwt::{BetterAuthUrl, InvalidSetting};
///
/// let front_end = BetterAuthUrl::parse("https://app.example/api/auth")?;
/// assert_eq!(front_end.origin().as_str(), "https://app.example");
/// assert_eq!(front_end.key_set().to_string(), "https://app.example/api/auth/jwks");
/// # Ok::<(), InvalidSetting>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BetterAuthUrl {
    origin: Party,
    key_set: KeySetUrl,
}

impl BetterAuthUrl {
    const KEY_SET_PATH: &str = "/api/auth/jwks";

    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidSetting::NoHttpUrl`] and [`InvalidSetting::Credentials`].
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let origin = http_url(text)?.origin().ascii_serialization();
        Ok(Self {
            key_set: KeySetUrl::parse(&format!("{origin}{}", Self::KEY_SET_PATH))?,
            origin: Party::parse(&origin)?,
        })
    }

    /// The issuer and the audience of its tokens.
    #[must_use]
    pub fn origin(&self) -> &Party {
        &self.origin
    }

    /// Where it publishes its keys, unless it is told to do so elsewhere.
    #[must_use]
    pub fn key_set(&self) -> &KeySetUrl {
        &self.key_set
    }
}

fn http_url(text: &str) -> Result<Url, InvalidSetting> {
    let url = Url::parse(text).map_err(|_| InvalidSetting::NoHttpUrl)?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(InvalidSetting::NoHttpUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidSetting::Credentials);
    }
    Ok(url)
}
