//! The headers that every response carries.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::context::{RequestContext, X_REQUEST_ID};

/// Adds the request id, and rules for browsers and caches unless the response has some of its own.
pub(crate) fn with_common_headers(mut answer: HttpResponse, context: &RequestContext) -> HttpResponse {
    let status = answer.status();
    let headers = answer.headers_mut();
    headers.insert(X_REQUEST_ID, context.id_header().clone());
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    add_to_vary(headers);
    if !headers.contains_key(header::CACHE_CONTROL) {
        let is_own_data = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let rule = if is_own_data {
            "private, no-cache"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    }
    answer
}

/// Every response depends on these; some depend on more, and say so already.
fn add_to_vary(headers: &mut HeaderMap) {
    let mut given = headers.get_all(header::VARY);
    let value = match (given.next(), given.next()) {
        (None, _) => HeaderValue::from_static(VARY),
        (Some(value), None) if value == VARY_OF_CORS => HeaderValue::from_static(VARY_WITH_CORS),
        _ => match HeaderValue::try_from(vary_with(headers.get_all(header::VARY))) {
            Ok(value) => value,
            // Names of headers are fit for one.
            Err(_) => return,
        },
    };
    headers.insert(header::VARY, value);
}

const VARY: &str = "Origin, Accept-Encoding";
/// That with [`VARY_OF_CORS`]: it need not be put together for each response.
const VARY_WITH_CORS: &str =
    "Origin, Accept-Encoding, Access-Control-Request-Method, Access-Control-Request-Headers";

fn vary_with<'a>(given: impl Iterator<Item = &'a HeaderValue>) -> String {
    let mut text = VARY.to_owned();
    let given = given.filter_map(|value| value.to_str().ok());
    for name in given.flat_map(|value| value.split(',')).map(str::trim) {
        let is_known = text.split(", ").any(|known| known.eq_ignore_ascii_case(name));
        if !name.is_empty() && !is_known {
            text.push_str(", ");
            text.push_str(name);
        }
    }
    text
}

/// The headers that responses depend on where other origins may read them (Fetch standard, 3.2).
pub(crate) const VARY_OF_CORS: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

#[cfg(test)]
mod tests {
    use super::*;

    fn values(answer: &HttpResponse, name: header::HeaderName) -> Vec<&str> {
        let values = answer.headers().get_all(name);
        values.map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn what_an_answer_depends_on_is_added_to_and_never_replaced() {
        let mut answer = HttpResponse::new(StatusCode::OK);
        for value in ["accept-encoding, Accept", "Origin, X-Other"] {
            answer
                .headers_mut()
                .append(header::VARY, HeaderValue::from_static(value));
        }
        let answer = with_common_headers(answer, &RequestContext::for_tests("/"));
        assert_eq!(
            values(&answer, header::VARY),
            ["Origin, Accept-Encoding, Accept, X-Other"]
        );
    }

    #[test]
    fn what_answers_with_cors_depend_on_is_written_once_as_it_would_be_put_together() {
        let given = HeaderValue::from_static(VARY_OF_CORS);
        assert_eq!(vary_with([&given].into_iter()), VARY_WITH_CORS);
    }
}
