//! Rate limits (GCRA): for a user's requests, and for refused tokens from one address. Off unless they are set.
//!
//! The counters are those of this process: behind n of them a client gets up to n times the limit.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use domain::identity::Owner;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use thiserror::Error;

use crate::problem::{Code, Problem};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How many checks pass before those who have been quiet are forgotten.
const SWEEP_EVERY: u32 = 10_000;

/// `per_second` requests a second in the long run, and up to `burst` at once: `200/s:400`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a rate such as 200/s:400 (requests a second : requests at once)")]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (per_second, burst) = text.split_once("/s:").ok_or(InvalidRate)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidRate);
        Ok(Self {
            per_second: number(per_second)?,
            burst: number(burst)?,
        })
    }
}

impl Rate {
    /// How long a full burst takes to come back, in whole seconds.
    fn window(self) -> u32 {
        self.burst.get().div_ceil(self.per_second.get())
    }
}

/// The limits of the process, shared by its workers.
#[derive(Clone, Default)]
pub struct RateLimits {
    users: Option<Arc<Limiter<Owner>>>,
    refused: Option<Arc<Limiter<IpAddr>>>,
}

impl RateLimits {
    /// Limits each user's requests and each address's refused tokens; `None` is no limit.
    #[must_use]
    pub fn new(users: Option<Rate>, refused: Option<Rate>) -> Self {
        Self {
            users: users.map(|rate| Arc::new(Limiter::new("user", rate))),
            refused: refused.map(|rate| Arc::new(Limiter::new("ip-unauthenticated", rate))),
        }
    }

    /// Counts a request of a user.
    ///
    /// # Errors
    /// `rate_limited` if it is one too many.
    pub(crate) fn count_request(&self, owner: &Owner) -> Result<Option<Standing>, Problem> {
        self.users
            .as_ref()
            .map(|limiter| limiter.count(owner))
            .transpose()
    }

    /// Counts a refused token.
    ///
    /// # Errors
    /// `rate_limited` if it is one too many.
    pub(crate) fn count_refusal(&self, client: IpAddr) -> Result<Option<Standing>, Problem> {
        self.refused
            .as_ref()
            .map(|limiter| limiter.count(&network_of(client)))
            .transpose()
    }
}

/// Whom an address belongs to: of IPv6 every client has at least 2^64 (RFC 6177, 2), and could use a new one each time.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        IpAddr::V4(_) => client,
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").finish_non_exhaustive()
    }
}

struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    rate: Rate,
    state: RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    until_sweep: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(name: &'static str, rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            name,
            rate,
            state: RateLimiter::hashmap(quota).with_middleware(),
            until_sweep: AtomicU32::new(SWEEP_EVERY),
        }
    }

    fn count(&self, key: &K) -> Result<Standing, Problem> {
        self.sweep_now_and_then();
        match self.state.check_key(key) {
            Ok(snapshot) => Ok(self.standing(snapshot.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                Err(self.problem(wait))
            }
        }
    }

    /// A caller that has a full burst again need not be remembered.
    fn sweep_now_and_then(&self) {
        if self.until_sweep.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.until_sweep.store(SWEEP_EVERY, Ordering::Relaxed);
            self.state.retain_recent();
            self.state.shrink_to_fit();
        }
    }

    fn standing(&self, remaining: u32) -> Standing {
        let Rate { per_second, burst } = self.rate;
        let reset = burst.get().saturating_sub(remaining).div_ceil(per_second.get());
        Standing {
            name: self.name,
            rate: self.rate,
            remaining,
            reset,
        }
    }

    fn problem(&self, wait: Duration) -> Problem {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let mut headers = HeaderMap::new();
        self.standing(0).add_to(&mut headers);
        let mut problem = Problem::new(Code::RateLimited)
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
            .with_violated_policy(self.name);
        for (name, value) in &headers {
            problem = problem.with_header(name.clone(), value.clone());
        }
        problem
    }
}

/// Where a client stands: the headers of draft-ietf-httpapi-ratelimit-headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    name: &'static str,
    rate: Rate,
    remaining: u32,
    reset: u32,
}

impl Standing {
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let Self {
            name,
            rate,
            remaining,
            reset,
        } = self;
        let policy = format!("\"{name}\";q={};w={}", rate.burst, rate.window());
        let standing = format!("\"{name}\";r={remaining};t={reset}");
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, standing)] {
            // Letters, digits and punctuation are always fit for a header.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::testing::{an_owner, an_owner_named};

    use super::*;

    #[test]
    fn a_rate_has_two_numbers() {
        let rate: Rate = "200/s:400".parse().unwrap();
        assert_eq!(
            (rate.per_second.get(), rate.burst.get(), rate.window()),
            (200, 400, 2)
        );
        for text in ["", "200", "200/s", "0/s:1", "1/s:0", "1/m:1", "a/s:b", "-1/s:1"] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }

    #[test]
    fn without_a_rate_no_one_is_limited() {
        let limits = RateLimits::default();
        for _ in 0..1_000 {
            assert_eq!(limits.count_request(&an_owner()).unwrap(), None);
        }
    }

    #[test]
    fn a_burst_is_allowed_and_the_request_after_it_is_one_too_many() {
        let limits = RateLimits::new(Some("1/s:3".parse().unwrap()), None);
        for remaining in [2, 1, 0] {
            let standing = limits.count_request(&an_owner()).unwrap().unwrap();
            assert_eq!(standing.remaining, remaining);
        }
        let problem = limits.count_request(&an_owner()).unwrap_err();
        assert_eq!(problem.code(), Code::RateLimited);
    }

    #[test]
    fn refusals_are_counted_by_ipv4_address_and_by_ipv6_network() {
        let limits = RateLimits::new(None, Some("1/s:1".parse().unwrap()));
        let is_let_through = |client: &str| limits.count_refusal(client.parse().unwrap()).is_ok();
        assert!(is_let_through("2001:db8:1:2::1"));
        assert!(!is_let_through("2001:db8:1:2:ffff::9"));
        assert!(is_let_through("2001:db8:1:3::1"));
        assert!(is_let_through("203.0.113.9"));
        assert!(is_let_through("203.0.113.10"));
        assert!(!is_let_through("203.0.113.9"));
    }

    #[test]
    fn one_user_does_not_use_up_the_limit_of_another() {
        let limits = RateLimits::new(Some("1/s:1".parse().unwrap()), None);
        assert!(limits.count_request(&an_owner()).is_ok());
        assert!(limits.count_request(&an_owner()).is_err());
        assert!(limits.count_request(&an_owner_named("another user")).is_ok());
    }

    #[test]
    fn the_headers_are_those_of_the_draft() {
        let rate = "200/s:400".parse().unwrap();
        let mut headers = HeaderMap::new();
        Standing {
            name: "user",
            rate,
            remaining: 398,
            reset: 1,
        }
        .add_to(&mut headers);
        assert_eq!(headers.get(RATE_LIMIT_POLICY).unwrap(), "\"user\";q=400;w=2");
        assert_eq!(headers.get(RATE_LIMIT).unwrap(), "\"user\";r=398;t=1");
    }
}
