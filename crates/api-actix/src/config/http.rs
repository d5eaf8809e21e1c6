//! The settings about listening.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use adapters_http::server::ServerSettings;

use super::{ConfigError, Source};

/// Reads `HOST`, `PORT`, `WORKERS` and `SHUTDOWN_DELAY`.
///
/// # Errors
/// The first one that cannot be used.
pub fn server(source: &Source) -> Result<ServerSettings, ConfigError> {
    source.reading(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let host = parse_host(&source.text_or("HOST", "127.0.0.1"));
        Ok(ServerSettings {
            host: host.map_err(|reason| ConfigError::new("HOST", reason))?,
            port: source.number("PORT", 8000, 0..=u16::MAX)?,
            workers: source.number("WORKERS", cores.min(8), 1..=256)?,
            shutdown_delay: source.delay("SHUTDOWN_DELAY", Duration::from_millis(250))?,
        })
    })
}

/// A name or an address to listen on, an IPv6 address in brackets or not. An address comes back in its usual form, so
/// that it is known for what it is: resolvers take `127.1` and `0x7f000001` for 127.0.0.1 (`inet_aton`).
///
/// # Errors
/// It is none, as the rest of a sentence.
pub(crate) fn parse_host(text: &str) -> Result<String, String> {
    const RULE: &str = "must be a name or an address such as 127.0.0.1, 0.0.0.0, ::1 or [::]";
    if let Some(rest) = text.strip_prefix('[') {
        let address = rest.strip_suffix(']').filter(|address| is_ipv6(address));
        return address.map(str::to_owned).ok_or_else(|| RULE.to_owned());
    }
    if is_ipv6(text) {
        return Ok(text.to_owned());
    }
    let is_of_name = |sign: u8| sign.is_ascii_alphanumeric() || b"-._".contains(&sign) || !sign.is_ascii();
    if text.contains([':', '/']) {
        Err(format!("{RULE}, without a scheme and a port (set PORT)"))
    } else if text.is_empty() || !text.bytes().all(is_of_name) {
        Err(RULE.to_owned())
    } else if !ends_in_number(text) {
        Ok(text.to_owned())
    } else {
        let address = ipv4(text).ok_or_else(|| RULE.to_owned())?;
        Ok(address.to_string())
    }
}

/// Whether a text can only be an address: no domain at the top is a number (RFC 3696, 2).
fn ends_in_number(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    number(last).is_some() || (!last.is_empty() && last.bytes().all(|sign| sign.is_ascii_digit()))
}

/// An IPv6 address, perhaps with the interface that it belongs to (`fe80::1%eth0`, RFC 4007).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty()
}

/// One to four numbers, of which the last one fills what the others leave.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u64> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    let free_bytes = 4_usize.checked_sub(first.len()).filter(|free| *free > 0)?;
    if *last >= 1 << (8 * free_bytes) || first.iter().any(|number| *number > 0xff) {
        return None;
    }
    let first = first
        .iter()
        .zip([24, 16, 8])
        .map(|(number, bits)| number << bits)
        .sum::<u64>();
    u32::try_from(first + last).ok().map(Ipv4Addr::from_bits)
}

/// A number as C writes it: hexadecimal behind `0x`, octal behind `0`.
fn number(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (lower.as_str(), 8),
        None => (lower.as_str(), 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_brackets_or_without() {
        for (text, host) in [
            ("localhost", "localhost"),
            ("api_1.internal", "api_1.internal"),
            ("1.example", "1.example"),
            ("::", "::"),
            ("[::]", "::"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[fe80::1%eth0]", "fe80::1%eth0"),
            ("0.0.0.0", "0.0.0.0"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(parse_host(text).as_deref(), Ok(host), "{text}");
        }
        for text in [
            "",
            "[::1",
            "::1]",
            "[localhost]",
            "[127.0.0.1]",
            "[]",
            "[::1]:8000",
            "localhost:8000",
            ":8000",
            "http://localhost",
            "local host",
            "*",
            "127.0.0.1/8",
            "256.0.0.1",
            "127.0.0.256",
            "1.2.3.4.5",
            "127.0.0.08",
            "example.1",
            "4294967296",
            "1.16777216",
            "::1%",
        ] {
            let reason = parse_host(text).unwrap_err();
            assert!(
                reason.starts_with("must be a name or an address such as "),
                "{text}"
            );
        }
    }

    /// They need no name server.
    #[test]
    fn a_short_address_is_the_one_that_the_resolver_of_this_machine_takes_it_for() {
        for (text, host) in [
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("127.000.000.001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0X7F000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("127.65535", "127.0.255.255"),
            ("0", "0.0.0.0"),
            ("1.2.772", "1.2.3.4"),
        ] {
            assert_eq!(parse_host(text).as_deref(), Ok(host), "{text}");
            if cfg!(target_os = "linux") {
                let resolved: Vec<_> = (text, 1)
                    .to_socket_addrs()
                    .unwrap()
                    .map(|found| found.ip().to_string())
                    .collect();
                assert_eq!(resolved, [host], "{text}");
            }
        }
    }
}
