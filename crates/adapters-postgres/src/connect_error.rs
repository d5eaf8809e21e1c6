//! Why no connection is to be had, and whether trying again can help.

use std::io;
use std::time::Duration;

use rustls::CertificateError;
use thiserror::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::sqlstate;

const REFUSALS: [SqlState; 3] = [
    SqlState::INVALID_PASSWORD,
    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
    SqlState::INVALID_CATALOG_NAME,
];
/// Texts of Neon's proxy, without a code of their own, for failures that waiting does not cure. The last one with a
/// capital or without.
const REFUSALS_OF_NEON: [&str; 3] = [
    "endpoint is disabled",
    "endpoint cannot be found",
    "ndpoint ID is not specified",
];

/// The codes, or their classes, of a server that does not take the options of the URL: a parameter that does not exist
/// or may not be set (class 42), a value that it cannot have (class 22), a parameter of the start of the server
/// (55P02), no options at all (0A000).
const REFUSED_OPTIONS: [&str; 4] = ["42", "22", "55P02", "0A000"];

/// Why no connection could be established. Shows no credentials.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// It took too long, from the first packet to the last of authentication.
    #[error("connecting took longer than {0:?}")]
    TimedOut(Duration),
    /// The network, TLS or the server said no.
    #[error("{}", described(.0))]
    Failed(tokio_postgres::Error),
    /// The Unix socket cannot be opened, or leads to a server of the wrong kind.
    #[error("error connecting to server: {0}")]
    Socket(io::Error),
    /// The first statements on the connection failed.
    #[error("setting up the connection failed: {0}")]
    Setup(diesel::ConnectionError),
}

// By hand: what is described with its source must not have it as a source as well, or it is told twice.
impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error)
    }
}

impl ConnectError {
    /// Whether trying again is of no use: a wrong or missing password, a role or database that does not exist, options
    /// of the URL that the server does not take, a certificate that we do not trust, a server without TLS, an endpoint
    /// that Neon does not know or has disabled.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        match error.as_db_error() {
            Some(server) => {
                REFUSALS.contains(server.code())
                    || REFUSED_OPTIONS
                        .iter()
                        .any(|code| server.code().code().starts_with(code))
                    || is_pooler_against_options(server.message())
                    || REFUSALS_OF_NEON
                        .iter()
                        .any(|text| server.message().contains(text))
            }
            // The driver tells these kinds by their texts only. First: the server asks for something that the URL does
            // not have; or cannot prove itself as the URL asks.
            None => match error.to_string().as_str() {
                "invalid configuration" | "authentication error" => true,
                "error performing TLS handshake" => is_final(error),
                _ => false,
            },
        }
    }

    /// Whether start-up options are certainly what the server refuses.
    pub(crate) fn is_about_options(&self) -> bool {
        self.server()
            .is_some_and(|server| is_pooler_against_options(server.message()))
    }

    /// Whether the server may have refused start-up options. Each pooler has its own words and codes for that, so this
    /// is every refusal but that of a login (class 28), of one connection too many (53300) and of a server that starts
    /// or stops (57P01 and so on).
    pub(crate) fn may_be_about_options(&self) -> bool {
        self.server().is_some_and(|server| {
            let code = server.code().code();
            !(code.starts_with("28") || code == "53300" || code.starts_with("57P0"))
        })
    }

    /// Whether the credentials are what is wrong, on either side of the connection.
    pub(crate) fn is_about_login(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        match error.as_db_error() {
            Some(server) => server.code().code().starts_with("28"),
            // The driver tells these kinds by their texts only: no password where one is asked for, a failed exchange.
            None => ["invalid configuration", "authentication error"].contains(&error.to_string().as_str()),
        }
    }

    fn server(&self) -> Option<&DbError> {
        match self {
            Self::Failed(error) => error.as_db_error(),
            Self::TimedOut(_) | Self::Socket(_) | Self::Setup(_) => None,
        }
    }
}

/// PgBouncer says `unsupported startup parameter: …` or `unsupported startup parameter in options: …`, with 08P01, its
/// code for almost everything; the proxy of RDS says that it `currently doesn't support command-line options`.
fn is_pooler_against_options(message: &str) -> bool {
    message.contains("unsupported startup parameter") || message.contains("support command-line options")
}

/// Whether a failure of TLS is one that time does not cure. A failure of the network is an error of input and output
/// with nothing inside; what we think of a certificate comes wrapped in one.
fn is_final(failure: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(failure);
    let is_of_network = source.is_some_and(<dyn std::error::Error>::is::<io::Error>);
    // The driver's own words: the server does not speak TLS.
    !is_of_network || certificate_fault(failure).is_some()
}

fn certificate_fault(failure: &tokio_postgres::Error) -> Option<&CertificateError> {
    let io_error = std::error::Error::source(failure)?.downcast_ref::<io::Error>()?;
    match io_error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(fault) => Some(fault),
        _ => None,
    }
}

/// Advice about a certificate that is not accepted.
fn hint(fault: &CertificateError) -> Option<&'static str> {
    match fault {
        // The second one is of another authority with the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
            "set sslrootcert to the file of its authority's certificate, or of its own if it is self-signed",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("use the name that it is for, or sslmode=verify-ca to trust its authority whatever the name")
        }
        CertificateError::Other(_) => {
            Some("if it is self-signed, set sslrootcert to the file of that certificate")
        }
        _ => None,
    }
}

fn described(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        let (code, text) = (server.code().code(), sqlstate::split(server.message()).1);
        return format!("SQLSTATE {code}: {text}");
    }
    let text = std::error::Error::source(error)
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    match certificate_fault(error).and_then(hint) {
        Some(hint) => format!("{text}: {hint}"),
        None => text,
    }
}
