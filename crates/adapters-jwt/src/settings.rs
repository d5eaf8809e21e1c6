//! What an operator decides about tokens, in types that cannot hold a dangerous choice.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Url;
use thiserror::Error;

use crate::algorithm::Algorithms;
use crate::keys::SharedSecret;

/// Which tokens to accept. The default accepts none: it has no key.
#[derive(Debug, Clone, Default)]
pub struct VerifierSettings {
    /// Each of them verifies HS256 tokens, so that a secret can be changed without signing everybody out.
    pub secrets: Vec<SharedSecret>,
    /// With which algorithms tokens may be signed at all.
    pub algorithms: Algorithms,
    /// Who may have issued a token. Empty: `iss` is not checked. Otherwise **every** token must name one of them.
    pub issuers: Vec<Party>,
    /// Whom a token may be meant for. Empty: `aud` is not checked. Otherwise **every** token must name one of them.
    pub audiences: Vec<Party>,
    /// The claims that may hold the user id, in order.
    pub user_id_claims: UserIdClaims,
    /// How far the clock of the issuer may be off.
    pub leeway: Leeway,
}

/// An issuer or an audience: the origin of an application or any other text (`StringOrURI`, RFC 7519 2).
///
/// Compared character by character after dropping one trailing slash on both sides, because people write origins
/// both ways and Better Auth drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party(String);

impl Party {
    /// Reads the name of an issuer or an audience.
    ///
    /// # Errors
    /// [`InvalidSetting::BlankParty`] if nothing is left without the trailing slash.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let name = without_trailing_slash(text);
        if name.trim().is_empty() {
            return Err(InvalidSetting::BlankParty);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name, without its trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_named_by(&self, claim: &str) -> bool {
        self.0 == without_trailing_slash(claim)
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn without_trailing_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

/// Where the public keys of the front end are, and how long they are good.
#[derive(Debug, Clone)]
pub struct KeySetSettings {
    /// The address of the JSON Web Key Set.
    pub url: KeySetUrl,
    /// Who must have issued the tokens of these keys, and whom they must be meant for, as far as
    /// [`VerifierSettings`] name nobody.
    pub origin: Option<Party>,
    /// When to fetch.
    pub timing: KeySetTiming,
}

/// When to fetch a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySetTiming {
    /// How long after a good fetch the next one follows by itself, give or take a tenth. 10 minutes by default.
    pub refresh_every: Duration,
    /// How long the keys of the last good fetch are used while fetching fails. 24 hours by default.
    pub max_stale: Duration,
    /// How long one fetch may take. 3 seconds by default.
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

    /// Whether somebody between here and there could put keys of their own in place of the real ones: plain HTTP to
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

/// The claims that may hold the user id, in order. The first one that is present in a token decides, right or wrong.
///
/// By default `user_id`, then `sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserIdClaims(Vec<String>);

impl UserIdClaims {
    /// Claims that never name a user to us.
    ///
    /// The first three appear in other things that Better Auth signs with the same secret: the link of an e-mail
    /// verification carries `email` and `userId`, so a verifier that took them would log in whoever holds the mail.
    /// The rest are registered (RFC 7519 4.1, RFC 7800): an issuer or an audience is one value for all users.
    const NEVER: [&str; 10] = [
        "id", "userId", "email", "iss", "aud", "exp", "nbf", "iat", "jti", "cnf",
    ];

    /// Reads the names of the claims, taken as they are.
    ///
    /// # Errors
    /// [`InvalidSetting::NoUserIdClaim`] for an empty list, [`InvalidSetting::BlankUserIdClaim`],
    /// [`InvalidSetting::RepeatedUserIdClaim`], and [`InvalidSetting::UnsafeUserIdClaim`] for `id`, `userId`, `email`
    /// and the registered claims other than `sub`.
    pub fn parse<I>(names: I) -> Result<Self, InvalidSetting>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut claims: Vec<String> = Vec::new();
        for name in names.into_iter().map(Into::into) {
            if name.trim().is_empty() {
                return Err(InvalidSetting::BlankUserIdClaim);
            }
            if let Some(name) = Self::NEVER.into_iter().find(|never| *never == name) {
                return Err(InvalidSetting::UnsafeUserIdClaim { name });
            }
            if claims.contains(&name) {
                return Err(InvalidSetting::RepeatedUserIdClaim);
            }
            claims.push(name);
        }
        if claims.is_empty() {
            return Err(InvalidSetting::NoUserIdClaim);
        }
        Ok(Self(claims))
    }

    /// The names, in order; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for UserIdClaims {
    fn default() -> Self {
        Self(vec!["user_id".to_owned(), "sub".to_owned()])
    }
}

/// How far the clock of the issuer may be off: 0 to 60 whole seconds, 0 by default. Counts for `exp` and for `nbf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leeway(u8);

impl Leeway {
    /// The longest leeway, in seconds. "No more than a few minutes", says RFC 7519 4.1.4; one is plenty.
    pub const MAX_SECS: u8 = 60;

    /// Reads a leeway.
    ///
    /// # Errors
    /// [`InvalidSetting::LeewayTooLong`] above [`Leeway::MAX_SECS`].
    pub fn from_secs(secs: u64) -> Result<Self, InvalidSetting> {
        u8::try_from(secs)
            .ok()
            .filter(|secs| *secs <= Self::MAX_SECS)
            .map(Self)
            .ok_or(InvalidSetting::LeewayTooLong)
    }

    pub(crate) fn as_delta(self) -> TimeDelta {
        TimeDelta::seconds(self.0.into())
    }
}

/// Why something cannot be a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidSetting {
    /// An issuer or an audience without a name. A token could match it by saying nothing.
    #[error("an issuer or audience is blank")]
    BlankParty,
    /// No claim may hold the user id, so no token could name a user.
    #[error("the list of user id claims is empty")]
    NoUserIdClaim,
    /// A claim without a name.
    #[error("a user id claim is blank")]
    BlankUserIdClaim,
    /// A claim stands twice in the list.
    #[error("a user id claim is repeated")]
    RepeatedUserIdClaim,
    /// A claim that does not name the user safely.
    #[error("the claim `{name}` cannot be trusted to name the user")]
    UnsafeUserIdClaim {
        /// Which one.
        name: &'static str,
    },
    /// More than [`Leeway::MAX_SECS`].
    #[error("the leeway is longer than {} seconds", Leeway::MAX_SECS)]
    LeewayTooLong,
    /// No algorithm is accepted, so no token could be.
    #[error("the list of algorithms is empty")]
    NoAlgorithm,
    /// An algorithm that this crate never accepts.
    #[error("the list of algorithms may hold HS256, EdDSA, ES256, ES384, ES512, RS256 and PS256")]
    UnknownAlgorithm,
    /// Not the address of something on the web.
    #[error("it is no URL that begins with http:// or https://")]
    NoHttpUrl,
    /// A user name or password in an address. It would show up in logs sooner or later.
    #[error("a URL with a user name or password in it is not accepted")]
    Credentials,
}
