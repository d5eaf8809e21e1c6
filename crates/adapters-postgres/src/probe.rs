//! The server at the other end, and whether it can do what we need.

use crate::connect::Connector;
use crate::connect_error::ConnectError;
use crate::inquiry::Inquiry;
use crate::lanes::Lane;
use crate::migrations::{self, SchemaState};

/// The server at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The hosts of the URL.
    pub hosts: String,
    /// The database of the URL.
    pub database: String,
    /// The server's version, as it says.
    pub version: String,
    /// How the database encodes texts. Only `UTF8` holds every text.
    pub encoding: String,
    /// Whether the server knows the letters of every script. If not, searches miss capital letters that the locale of
    /// the database does not know.
    pub has_icu: bool,
    /// Whether the connection is encrypted and the server's certificate was verified.
    pub tls: bool,
    /// How the tables stand to this program.
    pub schema: SchemaState,
    /// The limits that the role lacks, as statements that set them. Only where start-up options, which would set them,
    /// are refused, as poolers do: without them no statement that takes too long is stopped by the server.
    pub missing_limits: Vec<String>,
}

const WHO_ARE_YOU: &str = "SELECT current_setting('server_version'), current_setting('server_encoding'),
    EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')";

/// Connects, asks the server who it is and how it is, and hangs up.
pub(crate) async fn probe(connector: &Connector) -> Result<ServerInfo, ConnectError> {
    let inquiry = connector.inquire(Lane::Work.server_limits()).await?;
    let rows = inquiry.ask(WHO_ARE_YOU).await?;
    let missing_limits = if connector.refuses_options() {
        missing_limits(&inquiry, connector.url.config().get_user().unwrap_or_default()).await?
    } else {
        Vec::new()
    };
    let column = |index| rows.first().and_then(|row| row.get(index)).unwrap_or("unknown");
    Ok(ServerInfo {
        hosts: connector.url.hosts(),
        database: connector.url.database().to_owned(),
        version: column(0).to_owned(),
        encoding: column(1).to_owned(),
        has_icu: column(2) == "t",
        tls: connector.url.uses_tls(),
        schema: migrations::state(&inquiry).await?,
        missing_limits,
    })
}

/// The limits of a role that may set nothing for itself when it connects.
async fn missing_limits(inquiry: &Inquiry, role: &str) -> Result<Vec<String>, ConnectError> {
    const WANTED: [(&str, &str); 2] = [("statement_timeout", "5s"), ("lock_timeout", "2s")];
    let mut missing = Vec::new();
    for (name, value) in WANTED {
        let rows = inquiry.ask(&format!("SHOW {name}")).await?;
        if rows.first().and_then(|row| row.get(0)) == Some("0") {
            missing.push(format!("ALTER ROLE {} SET {name} = '{value}'", quoted(role)));
        }
    }
    Ok(missing)
}

/// As an identifier (PostgreSQL manual, 4.1.1), so that the statement can be copied whatever the name.
fn quoted(role: &str) -> String {
    let is_plain = role.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && role
            .chars()
            .all(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'));
    if is_plain {
        role.to_owned()
    } else {
        format!("\"{}\"", role.replace('"', "\"\""))
    }
}
