//! The database URL: what people and hosting services write, turned into what the driver understands.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// What the driver itself understands in the query of a URL.
const PASSED_ON: [&str; 16] = [
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
    "target_session_attrs",
    "user",
];
// `sslnegotiation` and `tcp_user_timeout` are known as well, but not on every platform.
const PASSED_ON_TOO: [&str; 2] = ["sslnegotiation", "tcp_user_timeout"];

/// Where a PostgreSQL database is, and how to get in.
///
/// Reads `postgresql://` and `postgres://` URLs as libpq writes them (PostgreSQL manual, 34.1.1.2), several hosts and
/// percent-encoded socket folders included. Beyond what the driver takes:
///
/// * `sslmode` may be `verify-ca` or `verify-full` too. TLS always verifies the certificate and the host name.
/// * Without `sslmode`, or with `prefer` or `allow`, TLS is required, except to a loopback address or a Unix socket.
///   Plain text elsewhere only happens when `sslmode=disable` is written.
/// * Parameters that neither we nor the driver know (`pgbouncer`, `schema`, `connection_limit`, …) are dropped;
///   [`DatabaseUrl::dropped_parameters`] names them.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    tls: bool,
    dropped: Vec<String>,
}

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without quoting any part of it.
    pub fn parse(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let text = text.trim();
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        // Else a piece of a password could be taken for a host or a parameter, and those are named in the log.
        if address.matches('@').count() > 1 || query.contains('@') {
            return Err(InvalidDatabaseUrl::Credentials);
        }
        let mut kept = Vec::new();
        let mut dropped = Vec::new();
        let mut ssl_mode = WantedTls::Unsaid;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(InvalidDatabaseUrl::Parameter)?;
            match name {
                "sslmode" => ssl_mode = WantedTls::parse(value)?,
                name if PASSED_ON.contains(&name) || PASSED_ON_TOO.contains(&name) => kept.push(parameter),
                name => dropped.push(decoded(name)),
            }
        }
        let mut config = Config::from_str(&format!("{address}?{}", kept.join("&")))
            .map_err(|error| InvalidDatabaseUrl::of(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidDatabaseUrl::NoHost);
        }
        let tls = match ssl_mode {
            WantedTls::No => false,
            WantedTls::Yes => true,
            WantedTls::Unsaid => !is_local(&config),
        };
        config.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        guard_the_socket(&mut config, &kept);
        Ok(Self { config, tls, dropped })
    }

    /// The names of the parameters that were dropped because nobody knows them.
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

    /// Whether both lead to one database by the same name, whoever logs in.
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

/// Notices a peer that is gone without a word, long before the operating system's two hours. Only a safety net: each
/// statement has a time limit of its own.
fn guard_the_socket(config: &mut Config, given: &[&str]) {
    let is_given = |name: &str| {
        given
            .iter()
            .any(|parameter| parameter.split('=').next() == Some(name))
    };
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
        config.tcp_user_timeout(Duration::from_secs(5));
    }
    if !is_given("application_name") {
        config.application_name("task-api");
    }
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

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

enum WantedTls {
    No,
    Yes,
    Unsaid,
}

impl WantedTls {
    fn parse(value: &str) -> Result<Self, InvalidDatabaseUrl> {
        match value {
            "disable" => Ok(Self::No),
            "allow" | "prefer" => Ok(Self::Unsaid),
            "require" | "verify-ca" | "verify-full" => Ok(Self::Yes),
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
    /// `sslmode` has a value that does not exist.
    #[error("sslmode must be disable, allow, prefer, require, verify-ca or verify-full")]
    SslMode,
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn fr_003_the_url_that_neon_hands_out_is_understood() {
        let url = parsed(
            "postgresql://user:pw@ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
        );
        assert!(url.uses_tls());
        assert!(url.may_be_asleep());
        assert_eq!(url.database(), "neondb");
        assert_eq!(
            url.config().get_channel_binding(),
            tokio_postgres::config::ChannelBinding::Require
        );
        assert_eq!(url.dropped_parameters(), [""; 0]);
    }

    #[test]
    fn both_schemes_are_understood() {
        for scheme in ["postgres", "postgresql"] {
            assert_eq!(parsed(&format!("{scheme}://u@localhost/db")).hosts(), "localhost");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in [
            "",
            "mysql://u@h/db",
            "host=localhost user=u",
            "sqlite:tasks.db",
            "POSTGRES",
        ] {
            assert_eq!(
                DatabaseUrl::parse(text).unwrap_err(),
                InvalidDatabaseUrl::Scheme,
                "{text}"
            );
        }
    }

    #[test]
    fn every_ssl_mode_of_libpq_is_understood_and_no_other() {
        for (mode, tls) in [
            ("disable", false),
            ("allow", true),
            ("prefer", true),
            ("require", true),
            ("verify-ca", true),
            ("verify-full", true),
        ] {
            assert_eq!(
                parsed(&format!("postgres://u@db.example/d?sslmode={mode}")).uses_tls(),
                tls,
                "{mode}"
            );
        }
        let refused = DatabaseUrl::parse("postgres://u@db.example/d?sslmode=off");
        assert_eq!(refused.unwrap_err(), InvalidDatabaseUrl::SslMode);
    }

    #[test]
    fn plain_text_leaves_the_machine_only_when_it_is_written_so() {
        assert!(parsed("postgres://u@db.example/d").uses_tls());
        assert!(parsed("postgres://u@10.0.0.7/d?sslmode=prefer").uses_tls());
        assert!(parsed("postgres://u@localhost.example/d").uses_tls());
        assert!(parsed("postgres://u@localhost,db.example/d").uses_tls());
        assert!(parsed("postgres://u@localhost/d?hostaddr=192.0.2.1").uses_tls());
        assert!(!parsed("postgres://u@db.example/d?sslmode=disable").uses_tls());
    }

    #[test]
    fn a_loopback_address_or_a_socket_needs_no_tls() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "%2Fvar%2Frun%2Fpostgresql",
        ] {
            assert!(!parsed(&format!("postgres://u@{host}/d")).uses_tls(), "{host}");
        }
        assert!(!parsed("postgres://u@/d?host=/tmp").uses_tls());
        assert!(parsed("postgres://u@localhost/d?sslmode=require").uses_tls());
    }

    #[test]
    fn foreign_parameters_are_dropped_by_name() {
        let url = parsed(
            "postgres://u@h/d?pgbouncer=true&connection_limit=1&pool_timeout=5&schema=public&statement_timeout=9&application_name=x",
        );
        let foreign = [
            "pgbouncer",
            "connection_limit",
            "pool_timeout",
            "schema",
            "statement_timeout",
        ];
        assert_eq!(url.dropped_parameters(), foreign);
        assert_eq!(url.config().get_application_name(), Some("x"));
    }

    #[test]
    fn percent_encoded_credentials_are_decoded() {
        let url = parsed("postgres://us%40er:p%2Fw%3F@h/d");
        assert_eq!(url.config().get_user(), Some("us@er"));
        assert_eq!(url.config().get_password(), Some("p/w?".as_bytes()));
    }

    #[test]
    fn several_hosts_for_a_failover_are_kept() {
        let url = parsed("postgres://u@a.example:5432,b.example:5433/d?target_session_attrs=read-write");
        assert_eq!(url.hosts(), "a.example,b.example");
    }

    #[test]
    fn a_peer_that_is_gone_is_noticed_within_half_a_minute_unless_the_url_says_otherwise() {
        let url = parsed("postgres://u@h/d");
        let config = url.config();
        assert!(config.get_keepalives());
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(15));
        assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(5)));
        assert_eq!(config.get_keepalives_retries(), Some(2));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(5)));

        let url = parsed("postgres://u@h/d?keepalives_idle=60&tcp_user_timeout=30");
        assert_eq!(url.config().get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(
            url.config().get_tcp_user_timeout(),
            Some(&Duration::from_secs(30))
        );
        assert_eq!(url.config().get_keepalives_retries(), Some(2));
    }

    #[test]
    fn what_the_driver_cannot_read_is_named_without_its_value() {
        for text in [
            "postgres://u:s3cret@h:notaport/d",
            "postgres://u:s3cret@h/d?connect_timeout=s3cret",
            "postgres://u:s3cret@h/d?target_session_attrs=s3cret",
            "postgres://u:s3cret@h/d?flag",
            // A password with a question mark.
            "postgres://u:1?s3cret=x@h/d",
            "postgres://u:1?a=b&s3cret=x@h/d",
            "postgres://u:1?host=s3cret@h/d",
            // And one with an at sign.
            "postgres://u:1@s3cret@h/d",
        ] {
            let message = DatabaseUrl::parse(text).unwrap_err().to_string();
            assert!(
                !message.contains("s3cret") && !message.contains("notaport"),
                "{message}"
            );
        }
    }

    #[test]
    fn debug_output_shows_no_credentials() {
        let text = format!("{:?}", parsed("postgres://user:s3cret@h/d"));
        assert!(!text.contains("s3cret") && !text.contains("user"), "{text}");
    }

    mod fuzz {
        use super::*;

        /// A URL with two secrets in its password, and everything else as chance wants it.
        fn any_url(secrets: [&'static str; 2]) -> impl Strategy<Value = String> {
            let scraps = prop::sample::select(vec![
                "?",
                "/",
                ":",
                "@",
                "#",
                "%",
                "%40",
                "&",
                "=",
                ",",
                "[",
                "]",
                " ",
                "1",
                "localhost",
                "db.example",
                "[::1]",
                "5432",
                "tasks",
                "sslmode=disable",
                "sslmode=require",
                "sslmode=",
                "host=",
                "hostaddr=127.0.0.1",
                "options=",
                "pgbouncer=true",
                "é",
            ]);
            let noise = move |most| {
                prop_oneof![
                    prop::collection::vec(scraps.clone(), 0..most).prop_map(|scraps| scraps.concat()),
                    any::<String>(),
                ]
            };
            let [one, two] = secrets;
            (noise(3), noise(3), noise(8)).prop_map(move |(between, behind, rest)| {
                format!("postgres://user:{one}{between}{two}{behind}@{rest}")
            })
        }

        proptest! {
            #[test]
            fn any_database_url_is_read_or_refused_without_showing_its_password(
                text in prop_oneof![any_url(["hunter", "swordfish"]), any_url(["4711", "swordfish"])],
            ) {
                let shown = match DatabaseUrl::parse(&text) {
                    Ok(url) => format!("{url:?} {:?}", url.dropped_parameters()),
                    Err(error) => format!("{error} {error:?}"),
                };
                prop_assert!(!shown.contains("hunter") && !shown.contains("swordfish"), "{}", shown);
            }

            #[test]
            fn any_database_url_is_encrypted_unless_it_is_local_or_says_otherwise(
                host in prop::sample::select(vec!["localhost", "127.0.0.1", "[::1]", "db.example", "10.0.0.7", "a,b"]),
                parameters in prop::collection::vec(prop::sample::select(vec![
                    "sslmode=disable", "sslmode=prefer", "sslmode=require", "%73slmode=disable", "SSLMODE=disable",
                    "hostaddr=192.0.2.1", "host=other.example", "host=/tmp", "channel_binding=disable", "x=y",
                ]), 0..4),
            ) {
                if let Ok(url) = DatabaseUrl::parse(&format!("postgres://u@{host}/d?{}", parameters.join("&"))) {
                    let last = parameters.iter().rfind(|parameter| parameter.starts_with("sslmode="));
                    let is_local = ["localhost", "127.0.0.1", "[::1]"].contains(&host)
                        && !parameters.iter().any(|other| other.contains(".1") || other.contains("other"));
                    let wanted = match last {
                        Some(&"sslmode=disable") => false,
                        Some(&"sslmode=require") => true,
                        _ => !is_local,
                    };
                    prop_assert_eq!(url.uses_tls(), wanted);
                }
            }

            #[test]
            fn any_text_is_read_or_refused(text in any::<String>()) {
                let _ = DatabaseUrl::parse(&text);
            }
        }
    }
}
