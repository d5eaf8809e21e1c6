//! Where a request comes from: the peer, or whom a trusted proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use ipnet::{AddrParseError, IpNet};

/// The networks whose word about the client's address counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client's address: the last one in `X-Forwarded-For` that no trusted proxy is known to have, as long as the
    /// peer is one. Each proxy appends whom it talks to, so what stands before that may be invented. An IPv4 address
    /// that an IPv6 socket has seen (`::ffff:10.0.0.1`) counts as the IPv4 address that it is.
    #[must_use]
    pub fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines: Vec<_> = headers
            .get_all(X_FORWARDED_FOR)
            .filter_map(|line| line.to_str().ok())
            .collect();
        for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
            if !self.contains(client) {
                break;
            }
            let Some(hop) = address_of(hop.trim()) else {
                break;
            };
            client = hop.to_canonical();
        }
        client
    }

    /// Whether the word of this peer counts.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let address = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, with or without a port, as proxies write it: `203.0.113.9:4711` (Azure), `[2001:db8::1]:443`.
fn address_of(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok();
    let bare = hop.parse().ok();
    bare.or_else(|| with_port().map(|address| address.ip()))
        .or_else(|| in_brackets().map(IpAddr::V6))
}

/// A network, or an address, which is a network of one.
///
/// # Errors
/// The text is neither.
pub fn parse_network(text: &str) -> Result<IpNet, AddrParseError> {
    text.parse()
        .or_else(|error| text.parse().map(IpAddr::into).map_err(|_| error))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = TrustedProxies::new(
            trusted
                .iter()
                .map(|network| parse_network(network).unwrap())
                .collect(),
        );
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        proxies.client_of(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn no_one_is_believed_by_default() {
        assert_eq!(client(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_about_its_own_peer_only() {
        let forwarded = ["1.2.3.4, 203.0.113.9"];
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &forwarded), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &forwarded), "192.0.2.1");
    }

    #[test]
    fn a_chain_of_trusted_proxies_is_followed_to_its_end() {
        let forwarded = ["198.51.100.7, 203.0.113.9", "10.0.0.2"];
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &forwarded), "203.0.113.9");
    }

    /// A socket that listens on IPv6 and IPv4 shows its IPv4 peers like that.
    #[test]
    fn an_ipv4_address_in_the_clothes_of_ipv6_is_that_ipv4_address() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(
            client(&trusted, "::ffff:10.0.0.1", &["203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(
            client(&trusted, "10.0.0.1", &["203.0.113.9, ::ffff:10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(
            client(&trusted, "::ffff:192.0.2.1", &["203.0.113.9"]),
            "192.0.2.1"
        );
        assert_eq!(client(&trusted, "2001:db8::1", &["203.0.113.9"]), "2001:db8::1");
    }

    #[test]
    fn a_port_behind_an_address_does_not_hide_it() {
        for (forwarded, wanted) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("1.2.3.4, 203.0.113.9:4711, 10.0.0.2:80", "203.0.113.9"),
            ("203.0.113.9:99999", "10.0.0.1"),
        ] {
            assert_eq!(
                client(&["10.0.0.0/8"], "10.0.0.1", &[forwarded]),
                wanted,
                "{forwarded}"
            );
        }
    }

    #[test]
    fn a_bare_address_is_a_network_of_one() {
        let forwarded = ["203.0.113.9"];
        for (proxy, other) in [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")] {
            assert_eq!(client(&[proxy], proxy, &forwarded), "203.0.113.9");
            assert_eq!(client(&[proxy], other, &forwarded), other);
        }
        assert!(parse_network("10.0.0.0/33").is_err() && parse_network("proxy").is_err());
    }

    #[test]
    fn nonsense_is_not_believed() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["unknown"]), "10.0.0.1");
    }
}
