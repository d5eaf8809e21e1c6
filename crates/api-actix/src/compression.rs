//! Content coding of answers (RFC 9110, 12.5.3).
//!
//! Not actix's middleware: that compresses answers of any size, looks at every request for it, and has a 406 for clients
//! that forbid plain answers, which we may always give.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{AcceptEncoding, ContentEncoding, Encoding};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

/// Smaller answers are not worth compressing, in bytes.
const WORTH_COMPRESSING: u64 = 1024;
/// In the order in which we prefer those that a client likes equally.
const CODINGS: [Encoding; 4] = [
    Encoding::identity(),
    Encoding::brotli(),
    Encoding::gzip(),
    Encoding::deflate(),
];

/// The answer in the coding that the client likes best, if it is large enough.
pub(crate) fn compressed<B: MessageBody + 'static>(
    request: &HttpRequest,
    answer: HttpResponse<B>,
) -> HttpResponse<BoxBody> {
    if matches!(
        answer.body().size(),
        BodySize::None | BodySize::Sized(..WORTH_COMPRESSING)
    ) {
        return answer.map_into_boxed_body();
    }
    match best_coding(request) {
        ContentEncoding::Identity => answer.map_into_boxed_body(),
        coding => answer
            .map_body(|head, body| Encoder::response(coding, head, body))
            .map_into_boxed_body(),
    }
}

fn best_coding(request: &HttpRequest) -> ContentEncoding {
    let accepted = request.get_header::<AcceptEncoding>();
    match accepted.and_then(|accepted| accepted.negotiate(CODINGS.iter())) {
        Some(Encoding::Known(coding)) => coding,
        _ => ContentEncoding::Identity,
    }
}
