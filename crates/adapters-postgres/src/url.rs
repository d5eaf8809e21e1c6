//! The database URL: what people and hosting services write, turned into what the driver understands.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::trust::{Names, TlsFileError, TlsFiles, Trust};

/// The parameters of a URL that the driver itself understands.
const PASSED_ON: [&str; 18] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Where a PostgreSQL database is, and how to get in.
///
/// Reads `postgresql://` and `postgres://` URLs as libpq writes them (PostgreSQL manual, 34.1.1.2), several hosts and
/// percent-encoded socket folders included. Beyond what the driver takes:
///
/// * `sslmode` may be `verify-ca` or `verify-full` too. TLS always verifies the certificate, and the host name but with
///   `verify-ca`. `sslrootcert` names the certificates to trust instead of the public ones and the machine's
///   (`sslrootcert=system`), `sslcert` and `sslkey` the ones that we show: [`TlsFiles`].
/// * Without `sslmode`, or with `prefer` or `allow`, TLS is required, except to a loopback address or a Unix socket, to
///   which it is if the URL names certificates.
///   Plain text elsewhere only happens when `sslmode=disable` is written.
/// * `host` and `port` in the query replace those of the address, as in libpq; a repeated one replaces the one before.
/// * `keepalives_count` is libpq's name of the driver's `keepalives_retries`.
/// * `schema` is refused: it is a parameter of Prisma's, and the tables would be made elsewhere than it says.
/// * Other parameters that neither we nor the driver know (`pgbouncer`, `connection_limit`, …) are dropped;
///   [`DatabaseUrl::dropped_parameters`] names them.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    tls: bool,
    trust: Trust,
    dropped: Vec<String>,
}

impl DatabaseUrl {
    /// Reads a URL, and the files that it names.
    ///
    /// # Errors
    /// The rule that it breaks, without quoting any part of it.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        Self::parse_with(text, &TlsFiles::default())
    }

    /// The same, with files for what the URL names no file for.
    ///
    /// # Errors
    /// As [`DatabaseUrl::parse`].
    pub fn parse_with(text: &str, defaults: &TlsFiles) -> Result<Self, InvalidDatabaseUrl> {
        let text = text.trim();
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        if !has_sound_escapes(text) {
            return Err(InvalidDatabaseUrl::Escape);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        // Else a piece of a password could be taken for a host or a parameter, and those are named in the log.
        if address.matches('@').count() > 1 || query.contains('@') {
            return Err(InvalidDatabaseUrl::Credentials);
        }
        let mut kept: Vec<(&str, &str)> = Vec::new();
        let mut dropped = Vec::new();
        let mut ssl_mode = WantedTls::Unsaid;
        let mut files = TlsFiles::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(InvalidDatabaseUrl::Parameter)?;
            match name {
                "sslmode" => ssl_mode = WantedTls::parse(value)?,
                "sslrootcert" => files.root_certificates = Some(path(value)?),
                "sslcert" => files.certificate = Some(path(value)?),
                "sslkey" => files.key = Some(path(value)?),
                "schema" => return Err(InvalidDatabaseUrl::Schema),
                "keepalives_count" => kept.push(("keepalives_retries", value)),
                name if PASSED_ON.contains(&name) => kept.push((name, value)),
                name => dropped.push(name.to_owned()),
            }
        }
        let (address, parameters) = with_the_host_of_the_query(address, &kept);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut config = Config::from_str(&format!("{address}?{}", parameters.join("&")))
            .map_err(|error| InvalidDatabaseUrl::of(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidDatabaseUrl::NoHost);
        }
        let tls = match ssl_mode {
            WantedTls::No => false,
            WantedTls::Yes(_) => true,
            WantedTls::Unsaid => {
                !is_local(&config) || (files != TlsFiles::default() && !has_only_sockets(&config))
            }
        };
        let names = match ssl_mode {
            WantedTls::Yes(names) => names,
            WantedTls::No | WantedTls::Unsaid => Names::default(),
        };
        let trust = if tls {
            Trust::read(&files.or(defaults), names)?
        } else {
            Trust::default()
        };
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        guard_the_socket(&mut config, &kept);
        Ok(Self {
            config,
            tls,
            trust,
            dropped,
        })
    }

    /// The names of the parameters that were dropped because no one knows them.
    #[must_use]
    pub fn dropped_parameters(&self) -> &[String] {
        &self.dropped
    }

    /// Whether the connection is encrypted; its certificate is then verified.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.tls
    }

    /// The hosts, for a log line.
    #[must_use]
    pub fn hosts(&self) -> String {
        let names = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(folder) => folder.display().to_string(),
        });
        let addresses = self.config.get_hostaddrs().iter().map(ToString::to_string);
        let hosts: Vec<_> = if self.config.get_hosts().is_empty() {
            addresses.collect()
        } else {
            names.collect()
        };
        hosts.join(",")
    }

    /// The database, for a log line.
    #[must_use]
    pub fn database(&self) -> &str {
        self.config
            .get_dbname()
            .or_else(|| self.config.get_user())
            .unwrap_or_default()
    }

    /// Whether both lead to one database by the same name, with any user name.
    #[must_use]
    pub fn is_same_database_as(&self, other: &Self) -> bool {
        let place = |url: &Self| {
            let ports = url.config.get_ports();
            let ports = if ports.is_empty() {
                vec![5432]
            } else {
                ports.to_vec()
            };
            (url.hosts(), ports, url.database().to_owned())
        };
        place(self) == place(other)
    }

    /// Whether the server may have to be woken up, which takes longer than connecting does.
    pub(crate) fn may_be_asleep(&self) -> bool {
        let is_neon = |name: &str| name == "neon.tech" || name.ends_with(".neon.tech");
        self.config
            .get_hosts()
            .iter()
            .any(|host| matches!(host, Host::Tcp(name) if is_neon(name)))
    }

    /// How the two sides prove themselves, if TLS is used.
    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseUrl")
            .field("hosts", &self.hosts())
            .field("database", &self.database())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// How long the other side may leave what we sent unacknowledged before the system ends the connection (RFC 5482; on
/// Linux and a few others). An idle connection sends nothing, and a server that is merely slow acknowledges.
const UNACKNOWLEDGED: Duration = Duration::from_secs(1);

/// Notices a peer that is gone without a word, long before the operating system's two hours. Only a safety net: each
/// statement has a time limit of its own.
fn guard_the_socket(config: &mut Config, given: &[(&str, &str)]) {
    let is_given = |name: &str| given.iter().any(|(given, _)| *given == name);
    if !is_given("keepalives_idle") {
        config.keepalives_idle(Duration::from_secs(15));
    }
    if !is_given("keepalives_interval") {
        config.keepalives_interval(Duration::from_secs(5));
    }
    if !is_given("keepalives_retries") {
        config.keepalives_retries(2);
    }
    if !is_given("tcp_user_timeout") {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if !is_given("application_name") {
        config.application_name("task-api");
    }
}

/// A `host` or a `port` in the query replaces what the address says (PostgreSQL manual, 34.1.1.2); the driver would
/// take one for another host beside those. So the hosts and the ports of the address become parameters before the
/// others, and of each the last one counts. An address without either stays as it is.
fn with_the_host_of_the_query<'a>(
    address: &'a str,
    given: &[(&'a str, &'a str)],
) -> (String, Vec<(&'a str, String)>) {
    let replaces = |name: &str| name == "host" || name == "port";
    let owned = |parameters: &[(&'a str, &'a str)]| -> Vec<(&'a str, String)> {
        parameters
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    };
    if !given.iter().any(|(name, _)| replaces(name)) {
        return (address.to_owned(), owned(given));
    }
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (user, places) = match authority.split_once('@') {
        Some((user, places)) => (format!("{user}@"), places),
        None => (String::new(), authority),
    };
    let (hosts, ports): (Vec<_>, Vec<_>) = places.split(',').map(host_and_port).unzip();
    let mut parameters = Vec::new();
    for (name, values) in [("host", hosts), ("port", ports)] {
        let last = given.iter().rfind(|(given, _)| *given == name);
        let value = last.map_or_else(|| values.join(","), |(_, value)| (*value).to_owned());
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    let others: Vec<_> = given
        .iter()
        .filter(|(name, _)| !replaces(name))
        .copied()
        .collect();
    parameters.extend(owned(&others));
    (format!("{scheme}://{user}{path}"), parameters)
}

/// A host without the brackets of IPv6, and the port or nothing.
fn host_and_port(place: &str) -> (&str, &str) {
    if let Some((host, rest)) = place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').unwrap_or(rest));
    }
    place.split_once(':').unwrap_or((place, ""))
}

/// Whether every `%` begins an escape (RFC 3986, 2.1) of something that can be sent to a server. The driver takes what
/// is none as it stands, and the server would refuse that again and again.
fn has_sound_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.get(..2).unwrap_or_default();
        digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && digits != "00"
    })
}

fn is_local(config: &Config) -> bool {
    let is_local_host = |host: &Host| match host {
        Host::Tcp(name) => {
            let address = name.trim_start_matches('[').trim_end_matches(']');
            name == "localhost" || IpAddr::from_str(address).is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_local_host) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn has_only_sockets(config: &Config) -> bool {
    let is_socket = |host: &Host| match host {
        Host::Tcp(_) => false,
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_socket)
}

/// A path in a parameter (RFC 3986, 2.1).
fn path(value: &str) -> Result<PathBuf, InvalidDatabaseUrl> {
    let path = percent_decode_str(value)
        .decode_utf8()
        .map_err(|_| InvalidDatabaseUrl::Escape)?;
    if path.is_empty() {
        return Err(InvalidDatabaseUrl::Parameter);
    }
    Ok(PathBuf::from(path.as_ref()))
}

enum WantedTls {
    No,
    Yes(Names),
    Unsaid,
}

impl WantedTls {
    fn parse(value: &str) -> Result<Self, InvalidDatabaseUrl> {
        match value {
            "disable" => Ok(Self::No),
            "allow" | "prefer" => Ok(Self::Unsaid),
            "require" => Ok(Self::Yes(Names::OfStrangers)),
            "verify-ca" => Ok(Self::Yes(Names::Never)),
            "verify-full" => Ok(Self::Yes(Names::Always)),
            _ => Err(InvalidDatabaseUrl::SslMode),
        }
    }
}

/// Why a text is no database URL. Never quotes the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDatabaseUrl {
    /// It begins in another way.
    #[error("it must begin with postgresql:// or postgres://")]
    Scheme,
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// A parameter has no value.
    #[error("a parameter after the question mark has no value (name=value)")]
    Parameter,
    /// There is a second `@`, or one after the question mark, where the address should be over.
    #[error(
        "special characters of the user name and the password must be percent-encoded (? is %3F, @ is %40)"
    )]
    Credentials,
    /// A `%` is no escape, or one of NUL.
    #[error(
        "a % must be followed by the two hexadecimal digits of a character, and not by 00 (% itself is %25)"
    )]
    Escape,
    /// `sslmode` has a value that does not exist.
    #[error("sslmode must be disable, allow, prefer, require, verify-ca or verify-full")]
    SslMode,
    /// A file that it names cannot be used.
    #[error(transparent)]
    TlsFile(#[from] TlsFileError),
    /// Prisma's `schema`.
    #[error(
        "schema is no parameter of PostgreSQL: write options=-c%20search_path%3DNAME to have the tables in the schema NAME"
    )]
    Schema,
    /// The driver's own reason.
    #[error("it cannot be read: {0}")]
    Malformed(String),
}

impl InvalidDatabaseUrl {
    fn of(error: &tokio_postgres::Error) -> Self {
        // The source names the option or the syntax that is wrong, never a value.
        let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        Self::Malformed(reason)
    }
}

#[cfg(test)]
mod tests;
