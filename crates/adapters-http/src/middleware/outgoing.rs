//! The bodies of responses on their way to actix.
//!
//! actix copies whatever a body yields into the buffer of the connection, at once. So a large body yields pieces, and
//! what it still has, and what waits in that buffer, is counted. A compressed one is made whole before anything of it
//! is sent: an encoder takes much more memory than what comes out of it, and must not wait for a client.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::ResponseHead;
use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{self, ContentEncoding, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use domain::identity::Caller;
use tokio::sync::Semaphore;

use crate::policy::unsent::handed::Handed;
use crate::policy::unsent::{Hold, LARGE, PIECE};
use crate::state::App;

/// How many large bodies a worker compresses at once: each keeps a core busy.
const ENCODERS: usize = 1;

type BodyError = Box<dyn Error>;
type Compressing = Pin<Box<dyn Future<Output = Result<VecDeque<Bytes>, BodyError>>>>;

/// The response as it is sent: in this coding, and if it is large, counted and in pieces. That to HEAD keeps its
/// headers only.
pub(crate) fn outgoing<B: MessageBody + 'static>(
    request: &HttpRequest,
    answer: HttpResponse<B>,
    coding: ContentEncoding,
) -> HttpResponse<BoxBody> {
    let size = answer.body().size();
    let mut answer = answer.map_into_boxed_body();
    if *request.method() == Method::HEAD {
        return match size {
            BodySize::None | BodySize::Sized(0) => answer,
            size => answer.set_body(BoxBody::new(Unmade(size))),
        };
    }
    let bytes = match size {
        BodySize::Sized(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        BodySize::None | BodySize::Stream => 0,
    };
    let is_compressed = coding != ContentEncoding::Identity;
    if bytes < LARGE && !is_compressed {
        return answer;
    }
    if is_compressed {
        let value = HeaderValue::from_static(coding.as_str());
        answer.headers_mut().insert(header::CONTENT_ENCODING, value);
    }
    answer.map_body(|_, body| {
        let source = if is_compressed {
            Source::Compressing(Box::pin(compressed(body, coding, bytes)))
        } else {
            Source::Made(body)
        };
        BoxBody::new(Outgoing {
            size: if is_compressed { BodySize::Stream } else { size },
            source,
            piece: Bytes::new(),
            hold: (bytes >= LARGE).then(|| hold(request, bytes)).flatten(),
            handed: request.conn_data::<Handed>().cloned(),
        })
    })
}

/// A response that is made for no user in particular is part of the program and takes no memory of its own.
fn hold(request: &HttpRequest, bytes: usize) -> Option<Hold> {
    let unsent = &App::of(request)?.policy.unsent;
    let extensions = request.extensions();
    Some(unsent.hold(&extensions.get::<Caller>()?.owner, bytes))
}

/// The pieces of the body in that coding. Large ones wait for each other.
async fn compressed(
    body: BoxBody,
    coding: ContentEncoding,
    bytes: usize,
) -> Result<VecDeque<Bytes>, BodyError> {
    thread_local! {
        // A worker is a thread.
        static OF_WORKER: Arc<Semaphore> = Arc::new(Semaphore::new(ENCODERS));
    }
    let _permit = if bytes < LARGE {
        None
    } else {
        Some(OF_WORKER.with(Arc::clone).acquire_owned().await?)
    };
    // The encoder wants to write the headers, which have been sent by now.
    let mut head = ResponseHead::new(StatusCode::OK);
    let mut encoder = pin!(Encoder::response(coding, &mut head, body));
    let mut pieces = VecDeque::new();
    while let Some(piece) = poll_fn(|cx| encoder.as_mut().poll_next(cx)).await {
        pieces.push_back(piece?);
    }
    Ok(pieces)
}

/// A body that yields pieces and is counted.
struct Outgoing {
    size: BodySize,
    source: Source,
    /// The rest of the part that is being handed out.
    piece: Bytes,
    hold: Option<Hold>,
    handed: Option<Handed>,
}

enum Source {
    Made(BoxBody),
    Compressing(Compressing),
    Compressed(VecDeque<Bytes>),
}

impl Outgoing {
    fn hand_out(&mut self) -> Bytes {
        let piece = self.piece.split_to(self.piece.len().min(PIECE));
        if let Some(hold) = &mut self.hold {
            let part = hold.split_off(piece.len());
            // Without a connection, in tests, it counts as sent.
            if let Some(handed) = &self.handed {
                handed.add(part);
            }
        }
        piece
    }
}

impl MessageBody for Outgoing {
    type Error = BodyError;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let this = &mut *self;
        loop {
            if !this.piece.is_empty() {
                return Poll::Ready(Some(Ok(this.hand_out())));
            }
            let next = match &mut this.source {
                Source::Made(body) => ready!(Pin::new(body).poll_next(cx)).transpose()?,
                Source::Compressed(pieces) => pieces.pop_front(),
                Source::Compressing(compressing) => {
                    let pieces = ready!(compressing.as_mut().poll(cx))?;
                    if let Some(hold) = &mut this.hold {
                        hold.shrink_to(pieces.iter().map(Bytes::len).sum());
                    }
                    this.source = Source::Compressed(pieces);
                    continue;
                }
            };
            match next {
                Some(piece) => this.piece = piece,
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The body that HEAD does not ask for: one that has a size and nothing else.
struct Unmade(BodySize);

impl MessageBody for Unmade {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
