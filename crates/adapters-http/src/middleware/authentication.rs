//! Who is asking: the middleware of everything under `/api`.
//!
//! It is a middleware because actix polls all extractors of a handler at once: a body would be read before an
//! authenticating extractor had answered. Here the token comes first, before the path, the method and the body.

use std::net::IpAddr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use domain::identity::{AuthError, Caller, Refusal, RefusalReason};

use crate::context::RequestContext;
use crate::problem::from_errors::unauthorized;
use crate::problem::{self, Code, Problem};
use crate::state::App;

/// Lets a request pass if its token proves who is asking, and remembers who.
///
/// # Errors
/// Those of what it wraps; its own refusals are responses.
pub(crate) async fn authenticate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match caller_of(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(problem) => Ok(problem::refused(request, problem)),
    }
}

async fn caller_of(request: &ServiceRequest) -> Result<Caller, Problem> {
    let app = App::of(request.request()).ok_or_else(|| Problem::new(Code::InternalError))?;
    let verdict = match bearer_token(request.headers()) {
        Ok(token) => app.tokens.verify(token).await,
        Err(reason) => Err(AuthError::Invalid(Refusal::new(reason))),
    };
    verdict.map_err(|error| refused(request, app, error))
}

/// Whether a request with these headers would be let in. Nothing is told about it.
pub(crate) async fn has_good_token(app: &App, headers: &HeaderMap) -> bool {
    match bearer_token(headers) {
        Ok(token) => app.tokens.verify(token).await.is_ok(),
        Err(_) => false,
    }
}

fn refused(request: &ServiceRequest, app: &App, error: AuthError) -> Problem {
    let client = request
        .peer_addr()
        .map(|peer| app.policy.trusted_proxies.client_of(peer.ip(), request.headers()));
    audit(request, client, &error);
    let problem = match error {
        AuthError::KeysUnavailable(_) => return error.into(),
        AuthError::Invalid(Refusal {
            reason: RefusalReason::Missing,
            ..
        }) => unauthorized(Code::TokenMissing),
        error => error.into(),
    };
    let counted = client.map_or(Ok(None), |client| app.policy.rate_limits.count_refusal(client));
    counted.err().unwrap_or(problem)
}

/// The token of the one `Authorization: Bearer` header (RFC 6750, 2.1); the scheme in any letter case (RFC 9110, 11.1).
/// Nothing else carries tokens: no cookie, no query parameter. What a token may consist of is the verifier's to say.
fn bearer_token(headers: &HeaderMap) -> Result<&str, RefusalReason> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next().ok_or(RefusalReason::Missing)?;
    if values.next().is_some() {
        return Err(RefusalReason::Malformed);
    }
    let value = str::from_utf8(value.as_bytes()).map_err(|_| RefusalReason::Malformed)?;
    let value = value.trim_matches(' ');
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(RefusalReason::Missing);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() {
        return Err(RefusalReason::Malformed);
    }
    Ok(token)
}

/// One line for each failure, never sampled, without anything that a token claims.
fn audit(request: &ServiceRequest, client: Option<IpAddr>, error: &AuthError) {
    let refusal = match error {
        AuthError::Invalid(refusal) | AuthError::Expired(refusal) => refusal,
        // Logged as an incident where it is answered.
        AuthError::KeysUnavailable(_) => return,
    };
    let Refusal {
        reason,
        algorithm,
        key_id,
        wanted,
        hint,
    } = refusal;
    let extensions = request.extensions();
    let context = extensions.get::<RequestContext>();
    tracing::warn!(
        target: "audit",
        event = "auth_failed",
        reason = reason.as_str(),
        alg = algorithm.as_deref(),
        kid = key_id.as_deref(),
        wanted,
        hint,
        client = client.map(|address| address.to_string()),
        request_id = context.map(RequestContext::id),
        trace_id = context.and_then(RequestContext::trace_id),
        method = %request.method(),
        path = context.map(RequestContext::path),
    );
    if let Some(metrics) = App::of(request.request()).and_then(|app| app.observers.metrics.as_ref()) {
        metrics.token_refused(*reason);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<String, RefusalReason> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_in_any_letter_case_and_with_any_number_of_spaces() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", " Bearer a.b.c "] {
            assert_eq!(read(&[value.as_bytes()]).as_deref(), Ok("a.b.c"), "{value:?}");
        }
    }

    #[test]
    fn no_header_or_another_scheme_is_a_missing_token() {
        for values in [
            &[][..],
            &[b"".as_slice()],
            &[b"Basic dTpw"],
            &[b"Bearera.b.c"],
            &[b"Token a.b.c"],
        ] {
            assert_eq!(read(values), Err(RefusalReason::Missing), "{values:?}");
        }
    }

    #[test]
    fn two_headers_or_no_token_are_malformed() {
        let good = b"Bearer a.b.c".as_slice();
        for values in [&[good, good][..], &[b"Bearer"], &[b"Bearer "], &[b"Bearer \xff"]] {
            assert_eq!(read(values), Err(RefusalReason::Malformed), "{values:?}");
        }
    }

    mod fuzz {
        use super::*;

        fn any_value() -> impl Strategy<Value = Vec<u8>> {
            let scraps = prop::sample::select(vec![
                "Bearer", "bearer", "Basic", " ", "\t", ",", "a.b.c", "=", "\"", "é",
            ]);
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                prop::collection::vec(scraps, 0..8).prop_map(|scraps| scraps.concat().into_bytes()),
            ]
        }

        proptest! {
            #[test]
            fn any_authorization_header_is_read_or_refused(values in prop::collection::vec(any_value(), 0..3)) {
                let is_sendable = |value: &Vec<u8>| HeaderValue::from_bytes(value).is_ok();
                let values: Vec<_> = values.into_iter().filter(is_sendable).collect();
                let read_values: Vec<_> = values.iter().map(Vec::as_slice).collect();
                if let Ok(token) = read(&read_values) {
                    prop_assert_eq!(values.len(), 1);
                    prop_assert!(values[0].windows(token.len()).any(|part| part == token.as_bytes()));
                    prop_assert_eq!(read(&[format!("Bearer {token}").as_bytes()]), Ok(token));
                }
            }
        }
    }
}
