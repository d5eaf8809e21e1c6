//! Names under which a browser may ask for what is meant for the operator of the server.
//!
//! Every web site can give its own name the address of this machine (DNS rebinding), and its pages may then read what
//! we send: to the browser we are that site. `Host` tells, because it is the name that the browser was asked for. A
//! loopback name and an address need no resolver that another party could run.

use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::http::uri::Authority;

use crate::problem::{Code, Problem};

/// The name that the listener was given, which counts as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnHost(String);

impl OwnHost {
    /// A host, as in `HOST`.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self(plain(host))
    }

    /// The host of an address with a port, as in `ADMIN_ADDR`.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        Self::new(address.rsplit_once(':').map_or(address, |(host, _)| host))
    }

    /// Whether only this machine reaches what listens there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_name(&self.0)
            || self
                .0
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether a request was made under one of these names.
    ///
    /// # Errors
    /// `host_not_allowed`
    pub(crate) fn check(own: Option<&Self>, request: &ServiceRequest) -> Result<(), Problem> {
        let is_allowed = |host: &str| {
            let host = plain(host);
            is_loopback_name(&host)
                || host.parse::<IpAddr>().is_ok()
                || own.is_some_and(|OwnHost(own)| *own == host)
        };
        let named = request.headers().get(header::HOST);
        let named = named.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        // A target that is a whole URL names the host as well, and counts before the header (RFC 9112, 3.2.2).
        let is_allowed = named.is_some_and(|named| is_allowed(named.host()))
            && request.uri().host().is_none_or(is_allowed);
        if is_allowed {
            Ok(())
        } else {
            Err(Problem::new(Code::HostNotAllowed))
        }
    }
}

/// Without the brackets of an IPv6 address and the dot at the end of a whole name.
fn plain(host: &str) -> String {
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// `localhost` and what is below it never leaves the machine (RFC 6761, 6.3).
fn is_loopback_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn is_allowed(own: Option<&str>, host: &str) -> bool {
        let request = TestRequest::get()
            .insert_header((header::HOST, host))
            .to_srv_request();
        OwnHost::check(own.map(OwnHost::new).as_ref(), &request).is_ok()
    }

    #[test]
    fn loopback_names_addresses_and_the_own_name_are_allowed() {
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "localhost.:8000",
            "app.localhost:3000",
            "127.0.0.1:8000",
            "127.9.9.9",
            "[::1]:8000",
            "192.168.1.5",
            "[2001:db8::1]",
        ] {
            assert!(is_allowed(None, host), "{host}");
        }
        assert!(is_allowed(Some("Devbox.lan"), "devbox.lan:8000"));
        assert!(is_allowed(
            OwnHost::of_address("devbox:9090").0.as_str().into(),
            "devbox:9090"
        ));
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example:8000",
            "0x7f.1",
            "2130706433",
            "localhost@evil.example",
        ] {
            assert!(!is_allowed(Some("devbox.lan"), host), "{host}");
        }
        let without = TestRequest::get().to_srv_request();
        assert!(OwnHost::check(None, &without).is_err());
        let elsewhere = TestRequest::with_uri("http://evil.example/docs");
        let elsewhere = elsewhere
            .insert_header((header::HOST, "localhost"))
            .to_srv_request();
        assert!(OwnHost::check(None, &elsewhere).is_err());
    }

    #[test]
    fn only_this_machine_reaches_a_loopback_address() {
        for (host, loopback) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("::1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("devbox", false),
        ] {
            assert_eq!(OwnHost::new(host).is_loopback(), loopback, "{host}");
        }
    }
}
