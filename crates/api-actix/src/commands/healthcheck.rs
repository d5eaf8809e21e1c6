//! `task-api healthcheck`: asks the server that runs beside this process whether it is ready, so that a container needs
//! no other program for it.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::failure::Failure;
use adapters_http::server::ServerSettings;

/// How long each step may take. Above the time of `/readyz` when the database is unavailable.
const STEP_TIMEOUT: Duration = Duration::from_secs(4);

/// Asks `GET /readyz`.
pub(crate) fn run(server: &ServerSettings) -> Result<(), Failure> {
    let host = match server.host.as_str() {
        // A server that listens on every address listens on the loopback address too.
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        host => host,
    };
    let not_ready =
        |reason: String| Failure::unhealthy(format!("{host}:{} is not ready: {reason}", server.port));
    let answer = status_line(host, server.port).map_err(|error| not_ready(error.to_string()))?;
    if answer.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(not_ready(answer.trim().escape_debug().to_string()))
    }
}

fn status_line(host: &str, port: u16) -> io::Result<String> {
    let mut stream = connect(host, port)?;
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    stream.set_write_timeout(Some(STEP_TIMEOUT))?;
    stream.write_all(
        format!(
            "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            bracketed(host)
        )
        .as_bytes(),
    )?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, 256)).read_line(&mut line)?;
    Ok(line)
}

/// A host as it stands in URLs and in `Host`: an IPv6 address in brackets (RFC 3986, 3.2.2).
fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') {
        format!("[{host}]").into()
    } else {
        host.into()
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut outcome = Err(io::Error::other("the name has no address"));
    for address in (host, port).to_socket_addrs()? {
        outcome = TcpStream::connect_timeout(&address, STEP_TIMEOUT);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
