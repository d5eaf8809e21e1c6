//! Which other origins may read our answers in a browser (Fetch standard, 3.2). Off unless origins are named.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_cors::Cors;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use thiserror::Error;

use crate::problem::{Code, Problem};

/// Every answer header that a front end may want to read.
const EXPOSED_HEADERS: [&str; 13] = [
    "ETag",
    "Location",
    "Link",
    "X-Next-Cursor",
    "X-Page-Limit",
    "X-Total-Count",
    "X-Request-Id",
    "WWW-Authenticate",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotency-Replayed",
    "Server-Timing",
];
/// How long a browser may remember a preflight, in seconds.
const MAX_AGE: usize = 600;

/// The longest list of headers that a preflight may ask for, in bytes: browsers get it back.
const LONGEST_LIST: usize = 1024;

/// The longest origin that is repeated in an answer and in the log, in bytes. Names of hosts are 253 at most.
const LONGEST_ORIGIN: usize = 300;

/// Refuses a preflight that no page of ours sends: one with a list of headers that is too long to be answered, or, as
/// far as the origins are known, one of another origin. The name of their setting goes into the answer.
///
/// # Errors
/// `header_invalid`, `origin_not_allowed`
pub(crate) fn check(
    request: &ServiceRequest,
    allowed: Option<&AllowedOrigins>,
    setting: Option<&str>,
) -> Result<(), Problem> {
    let lists = request.headers().get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    if lists.map(HeaderValue::len).sum::<usize>() > LONGEST_LIST {
        return Err(Problem::new(Code::HeaderInvalid)
            .with_detail("The header Access-Control-Request-Headers is longer than 1 KiB."));
    }
    match (allowed, origin_of_preflight(request)) {
        (Some(allowed), Some(origin)) if !allowed.contain(origin) => Err(not_allowed(origin, setting)),
        _ => Ok(()),
    }
}

fn origin_of_preflight(request: &ServiceRequest) -> Option<&HeaderValue> {
    let headers = request.headers();
    let is_preflight =
        *request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    headers.get(header::ORIGIN).filter(|_| is_preflight)
}

/// Says which origin was refused and what would allow it, because a browser shows its user neither.
fn not_allowed(origin: &HeaderValue, setting: Option<&str>) -> Problem {
    let origin = origin.to_str().unwrap_or_default();
    let is_shown = !origin.is_empty() && origin.len() <= LONGEST_ORIGIN;
    let origin = if is_shown { origin } else { "of this request" };
    let detail = match setting {
        Some(setting) => format!("The origin {origin} is not allowed: {setting} does not list it."),
        None => format!("The origin {origin} is not allowed."),
    };
    Problem::new(Code::OriginNotAllowed)
        .with_detail(detail)
        .of_refused_origin(origin.to_owned())
}

/// Takes back what the middleware has said to a browser.
pub(crate) fn take_from(headers: &mut HeaderMap) {
    let said: Vec<_> = headers.keys().cloned().collect();
    for name in said
        .iter()
        .filter(|name| name.as_str().starts_with("access-control-"))
    {
        headers.remove(name);
    }
}

/// The origins whose pages may read our answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AllowedOrigins {
    /// None but our own: no CORS headers at all.
    #[default]
    None,
    /// Every one. For development.
    Any,
    /// These.
    These(Vec<Origin>),
}

/// A scheme, a host and perhaps a port, as browsers send them (`https://app.example`), or a pattern of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// This one.
    Exact(String),
    /// What begins and ends like this, with letters, digits and hyphens in between, at least one.
    Between(String, String),
    /// Loopback names and addresses with any port, over http or https.
    Loopback,
}

/// Why a text is no origin that a page can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidOrigin {
    /// There is nothing, perhaps between two commas.
    #[error("an origin is missing: write them like https://app.example, with one comma between two of them")]
    Empty,
    /// The origin of sandboxed pages and local files.
    #[error("null is the origin of every sandboxed page and local file, and would allow all of them")]
    Null,
    /// It has no scheme.
    #[error("an origin begins with a scheme, like https://app.example or capacitor://localhost")]
    Scheme,
    /// No page has an origin of this scheme.
    #[error(
        "pages of file:, data:, blob: and the like send the origin null, and none has one of ws:, wss: or ftp:"
    )]
    SchemeOfNoPage,
    /// Something follows the host and the port.
    #[error("an origin ends behind the host or the port: write it without a path")]
    Path,
    /// Something with `@` precedes the host.
    #[error("an origin has no user")]
    User,
    /// The port is none.
    #[error("the port of an origin is a number from 1 to 65535")]
    Port,
    /// No host has this name.
    #[error(
        "the host of an origin has letters, digits, hyphens and dots; write others as browsers do (xn--…)"
    )]
    Host,
    /// An address that browsers write in another way.
    #[error("an address is written like 127.0.0.1 or [::1]")]
    Address,
    /// A `*` in a place where it allows too much, or nothing.
    #[error(
        "one * may stand within the leftmost label of a host of http or https, as in https://app-*.example.com; by \
         itself it must be followed by more than a public suffix, as in https://*.preview.example.com"
    )]
    Wildcard,
}

impl Origin {
    /// Reads an origin in the syntax of RFC 6454, 6.1; a slash at its end is dropped, and so is the default port of
    /// http and https. For these there may be one `*` within the leftmost label: one or more of `[a-z0-9-]`.
    ///
    /// # Errors
    /// No page has such an origin, or the `*` allows too much.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        match text {
            "" => return Err(InvalidOrigin::Empty),
            "*" => return Err(InvalidOrigin::Wildcard),
            text if text.eq_ignore_ascii_case("null") => return Err(InvalidOrigin::Null),
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').ok_or(InvalidOrigin::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(InvalidOrigin::Scheme);
        }
        if SCHEMES_OF_NO_PAGE.contains(&scheme.as_str()) {
            return Err(InvalidOrigin::SchemeOfNoPage);
        }
        let authority = rest.strip_prefix("//").ok_or(InvalidOrigin::Scheme)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(InvalidOrigin::Path);
        }
        if authority.contains('@') {
            return Err(InvalidOrigin::User);
        }
        let (host, port) = split_port(authority)?;
        let default_port = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let host = if default_port.is_some() {
            host_of_web(host)?
        } else {
            host_of_other(host)?
        };
        let port = port
            .filter(|port| Some(*port) != default_port)
            .map_or_else(String::new, |port| format!(":{port}"));
        Ok(Self(match host.split_once('*') {
            Some((start, end)) => Pattern::Between(format!("{scheme}://{start}"), format!("{end}{port}")),
            None => Pattern::Exact(format!("{scheme}://{host}{port}")),
        }))
    }

    /// `localhost`, `127.0.0.1` and `[::1]` with any port: tools for development take the next one if theirs is taken.
    #[must_use]
    pub fn loopback() -> Self {
        Self(Pattern::Loopback)
    }

    /// Whether it is the origin that a browser has sent.
    fn matches(&self, sent: &str) -> bool {
        match &self.0 {
            // A custom scheme may have kept capitals.
            Pattern::Exact(origin) => origin.eq_ignore_ascii_case(sent),
            Pattern::Between(start, end) => sent
                .strip_prefix(start.as_str())
                .and_then(|rest| rest.strip_suffix(end.as_str()))
                .is_some_and(|middle| {
                    let mut signs = middle.bytes();
                    !middle.is_empty()
                        && signs
                            .all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-')
                }),
            Pattern::Loopback => is_loopback(sent),
        }
    }
}

/// Schemes whose pages have the origin `null` (HTML, 7.1.1), and schemes that no page has.
const SCHEMES_OF_NO_PAGE: [&str; 9] = [
    "about",
    "blob",
    "data",
    "file",
    "ftp",
    "javascript",
    "mailto",
    "ws",
    "wss",
];

/// RFC 3986, 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|sign| sign.is_ascii_alphanumeric() || b"+-.".contains(&sign))
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), InvalidOrigin> {
    // The colons of an IPv6 address are in brackets.
    let after_address = match authority.find(']') {
        Some(end) => end + 1,
        None if authority.starts_with('[') => return Err(InvalidOrigin::Address),
        None => 0,
    };
    let Some(colon) = authority[after_address..].find(':') else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(after_address + colon);
    let port = &port[1..];
    let is_number = !port.is_empty() && port.bytes().all(|sign| sign.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number && port > 0 => Ok((host, Some(port))),
        _ => Err(InvalidOrigin::Port),
    }
}

/// The host of http or https as browsers write it (URL standard, 3.5), perhaps with a `*`.
fn host_of_web(host: &str) -> Result<String, InvalidOrigin> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').ok_or(InvalidOrigin::Address)?;
        let address = address.parse().map_err(|_| InvalidOrigin::Address)?;
        return Ok(address_of_web(address));
    }
    let host = host.to_ascii_lowercase();
    let labels: Vec<_> = host.strip_suffix('.').unwrap_or(&host).split('.').collect();
    let is_sound = host.len() <= 253
        && labels.iter().all(|label| {
            let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-_*".contains(&sign);
            (1..=63).contains(&label.len()) && label.bytes().all(is_sign)
        });
    if !is_sound {
        return Err(InvalidOrigin::Host);
    }
    // Browsers take it for an IPv4 address then, and write that with four numbers.
    let is_address = labels.last().is_some_and(|label| {
        let is_hexadecimal = label
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|sign| sign.is_ascii_hexdigit()));
        is_hexadecimal || label.bytes().all(|sign| sign.is_ascii_digit())
    });
    if is_address {
        return match host.parse::<Ipv4Addr>() {
            Ok(_) => Ok(host),
            Err(_) => Err(InvalidOrigin::Address),
        };
    }
    match host.matches('*').count() {
        0 => Ok(host),
        1 if is_narrow(&host) => Ok(host),
        _ => Err(InvalidOrigin::Wildcard),
    }
}

/// Whether a `*` in the leftmost label leaves a limited choice: of names that begin or end alike, or below a name that
/// one person has registered. Suffixes under which anyone can have a name (`vercel.app`) count as public.
fn is_narrow(host: &str) -> bool {
    let (label, parent) = host.split_once('.').unwrap_or((host, ""));
    let has_registered = || psl::domain(parent.as_bytes()).is_some();
    label.contains('*') && (label.len() > 1 || has_registered())
}

/// The URL standard writes no IPv4 address in an IPv6 address.
fn address_of_web(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => format!("[::ffff:{high:x}:{low:x}]"),
        _ => format!("[{address}]"),
    }
}

/// The host of another scheme, such as that of an application or of an extension.
fn host_of_other(host: &str) -> Result<String, InvalidOrigin> {
    let is_sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-._~".contains(&sign);
    if host.contains('*') {
        Err(InvalidOrigin::Wildcard)
    } else if !host.is_empty() && host.len() <= 253 && host.bytes().all(is_sign) {
        Ok(host.to_owned())
    } else {
        Err(InvalidOrigin::Host)
    }
}

fn is_loopback(sent: &str) -> bool {
    let authority = ["http://", "https://"]
        .iter()
        .find_map(|scheme| sent.strip_prefix(scheme));
    let Some(authority) = authority else { return false };
    let port = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .find_map(|host| authority.strip_prefix(host));
    port.is_some_and(|port| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok())
    })
}

impl AllowedOrigins {
    /// The middleware that says so to browsers. Credentials are never allowed: tokens travel in a header. So a page may
    /// send whatever header it wants to: it could not prove anything with it.
    pub fn middleware(&self) -> Cors {
        let cors = Cors::default()
            .allowed_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
            ])
            .allow_any_header()
            .expose_headers(EXPOSED_HEADERS)
            .max_age(MAX_AGE);
        match self {
            Self::None => cors,
            Self::Any => cors.allow_any_origin().send_wildcard(),
            Self::These(_) => {
                let allowed = self.clone();
                cors.allowed_origin_fn(move |origin, _| allowed.contain(origin))
            }
        }
    }

    /// Whether there are CORS headers at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::None
    }

    /// Whether pages of an origin, as a browser has sent it, may read our answers.
    #[must_use]
    pub fn contain(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::These(origins) => origin
                .to_str()
                .is_ok_and(|sent| origins.iter().any(|origin| origin.matches(sent))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(listed: &str, sent: &str) -> bool {
        let origins = AllowedOrigins::These(vec![Origin::parse(listed).unwrap()]);
        origins.contain(&HeaderValue::from_str(sent).unwrap())
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it_or_nearly() {
        for (listed, sent) in [
            ("https://app.example", "https://app.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:5173", "http://[::1]:5173"),
            ("HTTPS://App.Example/", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://app.example:80/", "http://app.example"),
            ("http://app.example:0080", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("https://app.example:80", "https://app.example:80"),
            ("https://app.example:08443", "https://app.example:8443"),
            ("https://app.example.", "https://app.example."),
            ("https://my_app.example", "https://my_app.example"),
            ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
            ("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("http://[2001:DB8::0:1]", "http://[2001:db8::1]"),
            ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("Tauri://localhost:80", "tauri://localhost:80"),
            (
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            ),
            (
                "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
                "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
            ),
            ("app://obsidian.md", "app://obsidian.md"),
            ("app://-", "app://-"),
        ] {
            assert!(allows(listed, sent), "{listed}");
        }
        for (listed, sent) in [
            ("https://app.example", "http://app.example"),
            ("https://app.example", "https://app.example:444"),
            ("https://app.example", "https://app.example.evil.example"),
            ("https://app.example", "https://app.example."),
            ("https://app.example", "null"),
            ("http://localhost:3000", "http://localhost:30000"),
            ("capacitor://localhost", "http://localhost"),
        ] {
            assert!(!allows(listed, sent), "{listed} {sent}");
        }
    }

    #[test]
    fn what_no_page_has_as_its_origin_is_refused_with_the_reason() {
        use InvalidOrigin as Reason;
        for (text, reason) in [
            ("", Reason::Empty),
            ("null", Reason::Null),
            ("NULL", Reason::Null),
            ("app.example", Reason::Scheme),
            ("localhost:3000", Reason::Scheme),
            ("//app.example", Reason::Scheme),
            ("https:app.example", Reason::Scheme),
            ("1http://app.example", Reason::Scheme),
            ("ht tp://app.example", Reason::Scheme),
            ("file://", Reason::SchemeOfNoPage),
            ("FILE:///home/a", Reason::SchemeOfNoPage),
            ("data:text/html,x", Reason::SchemeOfNoPage),
            ("blob:https://app.example", Reason::SchemeOfNoPage),
            ("wss://app.example", Reason::SchemeOfNoPage),
            ("ftp://a.example", Reason::SchemeOfNoPage),
            ("https://a.example/path", Reason::Path),
            ("https://a.example//", Reason::Path),
            ("https://a.example?x", Reason::Path),
            ("https://a.example#x", Reason::Path),
            (r"https://a.example\x", Reason::Path),
            ("capacitor://localhost/x", Reason::Path),
            ("https://u@a.example", Reason::User),
            ("https://u:p@a.example", Reason::User),
            ("https://a.example:", Reason::Port),
            ("https://a.example:0", Reason::Port),
            ("https://a.example:65536", Reason::Port),
            ("https://a.example:http", Reason::Port),
            ("https://a.example:+1", Reason::Port),
            ("https://a.example:*", Reason::Port),
            ("https://a.example:1:2", Reason::Port),
            ("https://[::1]x:1", Reason::Address),
            ("https://", Reason::Host),
            ("https://:443", Reason::Host),
            ("https://a..example", Reason::Host),
            ("https://.a.example", Reason::Host),
            ("https://a b.example", Reason::Host),
            ("https://a%2e.example", Reason::Host),
            ("https://münchen.example", Reason::Host),
            ("capacitor://", Reason::Host),
            ("capacitor://ü", Reason::Host),
            ("http://127.1", Reason::Address),
            ("http://127.0.0.01", Reason::Address),
            ("http://0x7f000001", Reason::Address),
            ("http://a.1", Reason::Address),
            ("http://256.0.0.1", Reason::Address),
            ("http://[::1", Reason::Address),
            ("http://[fe80::1%eth0]", Reason::Address),
            ("http://[1.2.3.4]", Reason::Address),
        ] {
            assert_eq!(Origin::parse(text), Err(reason), "{text}");
        }
        let long = format!("https://{}.example", "a".repeat(64));
        assert_eq!(Origin::parse(&long), Err(Reason::Host));
    }

    #[test]
    fn a_star_stands_for_one_or_more_signs_of_the_leftmost_label() {
        const VERCEL: &str = "https://myapp-*.vercel.app";
        for (listed, sent) in [
            (VERCEL, "https://myapp-git-main-x1.vercel.app"),
            (VERCEL, "https://myapp--.vercel.app"),
            ("https://*-myapp.vercel.app:443", "https://x-myapp.vercel.app"),
            (
                "https://deploy-*--site.netlify.app",
                "https://deploy-1--site.netlify.app",
            ),
            ("https://*.preview.example.com", "https://a-1.preview.example.com"),
            ("https://*.example.com", "https://a.example.com"),
            ("https://*.EXAMPLE.co.uk:8443/", "https://a.example.co.uk:8443"),
            ("http://*.app.localhost:3000", "http://a.app.localhost:3000"),
            ("https://*.me.vercel.app", "https://a.me.vercel.app"),
        ] {
            assert!(allows(listed, sent), "{listed}");
        }
        for (listed, sent) in [
            (VERCEL, "https://myapp-.vercel.app"),
            (VERCEL, "https://myapp.vercel.app"),
            (VERCEL, "https://myapp-a.b.vercel.app"),
            (VERCEL, "https://myapp-a.evil.example/.vercel.app"),
            (VERCEL, "https://myapp-a.evil.example#.vercel.app"),
            (VERCEL, "https://myapp-a@.vercel.app"),
            (VERCEL, "https://myapp-A.vercel.app"),
            (VERCEL, "https://myapp-a_b.vercel.app"),
            (VERCEL, "https://myapp-a.vercel.app.evil.example"),
            (VERCEL, "https://myapp-a.vercel.app:8443"),
            (VERCEL, "http://myapp-a.vercel.app"),
            ("https://*.example.com", "https://example.com"),
            ("https://*.example.com", "https://.example.com"),
            ("https://*.example.com", "https://a.b.example.com"),
            ("https://*.example.com", "https://evil-example.com"),
        ] {
            assert!(!allows(listed, sent), "{listed} {sent}");
        }
    }

    #[test]
    fn a_star_that_allows_too_much_or_nothing_is_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.com",
            "https://*.co.uk",
            "https://*.vercel.app",
            "https://*.netlify.app",
            "https://*.github.io",
            "https://*.localhost",
            "https://*.example.com.*",
            "https://a.*.example.com",
            "https://app.*",
            "https://*.*.example.com",
            "https://a**.example.com",
            "https://*-*.example.com",
            "capacitor://*",
            "chrome-extension://a*",
        ] {
            assert_eq!(Origin::parse(text), Err(InvalidOrigin::Wildcard), "{text}");
        }
        assert_eq!(Origin::parse("https://*.1.2.3"), Err(InvalidOrigin::Address));
        assert_eq!(Origin::parse("*://a.example"), Err(InvalidOrigin::Scheme));
    }

    #[test]
    fn loopback_names_and_addresses_are_allowed_with_any_port() {
        let origins = AllowedOrigins::These(vec![Origin::loopback()]);
        for (sent, is_allowed) in [
            ("http://localhost:3000", true),
            ("http://localhost:5174", true),
            ("https://localhost", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:65535", true),
            ("http://localhost:65536", false),
            ("http://localhost:", false),
            ("http://localhost.evil.example", false),
            ("http://localhost:3000.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("http://evil.example", false),
            ("tauri://localhost", false),
            ("null", false),
        ] {
            let sent_value = HeaderValue::from_static(sent);
            assert_eq!(origins.contain(&sent_value), is_allowed, "{sent}");
        }
    }
}
