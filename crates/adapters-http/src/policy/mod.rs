//! An operator's settings for requests.

pub mod client_address;
pub mod origins;
pub mod own_host;
pub mod rate_limit;
pub mod time_limits;
pub mod unsent;

use secrecy::SecretString;

use crate::context::base_path::BasePath;
use crate::policy::client_address::TrustedProxies;
use crate::policy::origins::AllowedOrigins;
use crate::policy::own_host::OwnHost;
use crate::policy::rate_limit::RateLimits;
use crate::policy::time_limits::TimeLimits;
use crate::policy::unsent::Unsent;

/// Which requests are let through, and what they must bring. The default lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Which other origins may read responses.
    pub allowed_origins: AllowedOrigins,
    /// The setting that names them, for answers to preflights of other origins.
    pub origins_setting: Option<&'static str>,
    /// Whether a change must name the version that it changes.
    pub requires_if_match: bool,
    /// How often a caller may ask.
    pub rate_limits: RateLimits,
    /// How much responses may hold that is not sent yet. Clones of the policy share it.
    pub unsent: Unsent,
    /// Whose word about a client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// The path in front of every path, where a proxy serves us below one.
    pub base_path: Option<BasePath>,
    /// How long everything may take.
    pub time_limits: TimeLimits,
    /// The token that the documentation signs requests with, for `task-api dev` only: any client that reaches the page
    /// has it.
    pub docs_token: Option<SecretString>,
    /// The host under which the page with that token is served besides loopback names and addresses.
    pub docs_host: Option<OwnHost>,
}
