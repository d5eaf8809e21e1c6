//! What HTTP/1.1 forbids and the parser of actix lets through.

use std::cell::Cell;

use actix_web::HttpRequest;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::uri::Authority;
use actix_web::http::{ConnectionType, header};

use crate::problem::{Code, Problem};

/// Whether the last answer of a connection has been given.
#[derive(Default)]
struct Ended(Cell<bool>);

/// Prepares a connection for [`check`] and [`note_end`].
pub(crate) fn prepare(connection: &mut Extensions) {
    connection.insert(Ended::default());
}

/// Refuses what must not be looked at.
///
/// # Errors
/// `header_invalid`, and the connection ends.
pub(crate) fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let is_late = request.conn_data::<Ended>().is_some_and(|ended| ended.0.get());
    if is_late || !has_sound_host(request) {
        return Err(Problem::new(Code::HeaderInvalid).closing_connection());
    }
    Ok(())
}

/// Whether the client wants the connection to become something else than HTTP/1.1, which it never does.
pub(crate) fn wants_upgrade(request: &HttpRequest) -> bool {
    request.head().connection_type() == ConnectionType::Upgrade
}

/// Remembers that the connection ends with this answer, because either side said so. What a client has sent behind that
/// must not be processed (RFC 9112, 9.6).
pub(crate) fn note_end<B>(answer: &ServiceResponse<B>) {
    let request = answer.request();
    let closes = [
        request.head().connection_type(),
        answer.response().head().connection_type(),
    ]
    .contains(&ConnectionType::Close);
    if let Some(ended) = request.conn_data::<Ended>() {
        ended.0.set(closes);
    }
}

/// `Host` is empty, or a host with perhaps a port (RFC 9112, 3.2). That it is there once is the parser's work.
fn has_sound_host(request: &ServiceRequest) -> bool {
    request.headers().get(header::HOST).is_none_or(|host| {
        host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(|host| is_host_and_port(&host))
    })
}

fn is_host_and_port(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_some_and(|port| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    })
}
