//! Content coding of answers (RFC 9110, 12.5.3).
//!
//! Not actix's middleware: that compresses answers of any size, looks at every request for it, and has a 406 for
//! clients that forbid plain answers, which we may always give.

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

use crate::middleware::framing;
use crate::policy::unsent::LARGE;

/// Smaller answers are not worth compressing, in bytes.
const WORTH_COMPRESSING: u64 = 1024;
/// In the order in which we prefer those that a client likes equally.
const CODINGS: [Encoding; 4] = [
    Encoding::identity(),
    Encoding::brotli(),
    Encoding::gzip(),
    Encoding::deflate(),
];
/// The same for large answers. Brotli takes tens of MiB for one of them, whatever comes out of it.
const CODINGS_OF_LARGE: [Encoding; 3] = [Encoding::identity(), Encoding::gzip(), Encoding::deflate()];

/// The coding that the client likes best, if the answer is large enough for one and has none yet. HEAD gets the headers
/// of the plain answer, and a client of HTTP/1.0 the plain answer: a coded one has no length that is known before it is
/// sent, and there are no chunks (RFC 9112, 6.1).
pub(crate) fn coding_for<B: MessageBody>(request: &HttpRequest, answer: &HttpResponse<B>) -> ContentEncoding {
    let (is_worth_it, is_large) = match answer.body().size() {
        BodySize::None => (false, false),
        BodySize::Sized(bytes) => (bytes >= WORTH_COMPRESSING, bytes >= LARGE as u64),
        BodySize::Stream => (true, true),
    };
    if !is_worth_it
        || *request.method() == Method::HEAD
        || framing::is_older(request)
        || answer.headers().contains_key(header::CONTENT_ENCODING)
    {
        return ContentEncoding::Identity;
    }
    let codings = if is_large { &CODINGS_OF_LARGE[..] } else { &CODINGS };
    let accepted = request.get_header::<AcceptEncoding>();
    match accepted.and_then(|accepted| accepted.negotiate(codings.iter())) {
        Some(Encoding::Known(coding)) => coding,
        _ => ContentEncoding::Identity,
    }
}
