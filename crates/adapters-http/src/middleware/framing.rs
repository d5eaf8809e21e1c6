//! Requests that HTTP/1.1 forbids and the parser of actix lets through.

use std::cell::Cell;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::uri::Authority;
use actix_web::http::{ConnectionType, Version, header};
use actix_web::{HttpRequest, HttpResponse};

use crate::problem::{Code, Problem};

/// Whether the last request of a connection has come.
#[derive(Default)]
struct Ended(Cell<bool>);

/// Prepares a connection for [`check`] and [`note_end`].
pub(crate) fn prepare(connection: &mut Extensions) {
    connection.insert(Ended::default());
}

/// Refuses what must not be looked at, and remembers it if the client calls this request its last: what it has sent
/// behind that must not be processed (RFC 9112, 9.6).
///
/// # Errors
/// `header_invalid`, and the connection ends.
pub(crate) fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let is_last = request.head().connection_type() == ConnectionType::Close;
    let ended = request.conn_data::<Ended>();
    let is_late = ended.is_some_and(|ended| ended.0.replace(is_last || ended.0.get()));
    if is_late || !has_sound_host(request) {
        return Err(Problem::new(Code::HeaderInvalid).closing_connection());
    }
    Ok(())
}

/// Whether the client wants the connection to become something else than HTTP/1.1, which it never does.
pub(crate) fn wants_upgrade(request: &HttpRequest) -> bool {
    request.head().connection_type() == ConnectionType::Upgrade
}

/// Remembers it if the connection ends with this response although the client did not say so.
pub(crate) fn note_end<B>(answer: &mut ServiceResponse<B>) {
    let head = answer.response_mut().head_mut();
    // actix reuses the heads of answers and leaves the version of the one before in them, perhaps HTTP/1.0 of
    // another connection, which would close this one too. With HTTP/1.1 only what was said about this answer counts;
    // the version that is sent is set later, from the request.
    head.version = Version::HTTP_11;
    let closes = head.connection_type() == ConnectionType::Close;
    if let Some(ended) = answer.request().conn_data::<Ended>().filter(|_| closes) {
        ended.0.set(true);
    }
}

/// HTTP/1.0 has no words for the length of a response that is made while it is sent. Its end is that of the
/// connection (RFC 9112, 6.1 and 6.3).
pub(crate) fn end_without_chunks<B: MessageBody>(request: &HttpRequest, answer: &mut HttpResponse<B>) {
    if is_older(request) && answer.body().size() == BodySize::Stream {
        answer.head_mut().no_chunking(true);
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// Whether the client speaks HTTP/1.0 and so may not know what came later.
pub(crate) fn is_older(request: &HttpRequest) -> bool {
    request.version() < Version::HTTP_11
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
