//! The path in front of every path, where a proxy serves the API below one of its own (FastAPI calls it `root_path`).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::uri::PathAndQuery;
use thiserror::Error;

/// The header for the path that proxies have taken off (Traefik, Spring, ASP.NET Core).
pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// One or more segments of unreserved characters (RFC 3986, 2.3), each behind a slash, such as `/backend` or
/// `/shop/api`. At most 200 bytes, so that headers with it stay short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

/// A text that is no base path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "must be a path such as /backend: segments of letters, digits, dots, hyphens, underscores and tildes, at most 200"
)]
pub struct InvalidBasePath;

impl BasePath {
    const MAX_BYTES: usize = 200;

    /// Reads a path; a slash at its end does not count.
    ///
    /// # Errors
    /// It has another character, no segment, an empty one, or `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, InvalidBasePath> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let is_sound = |segment: &str| {
            let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !["", ".", ".."].contains(&segment) && segment.bytes().all(is_unreserved)
        };
        let mut segments = path.strip_prefix('/').ok_or(InvalidBasePath)?.split('/');
        if path.len() <= Self::MAX_BYTES && segments.all(is_sound) {
            Ok(Self(path.into()))
        } else {
            Err(InvalidBasePath)
        }
    }

    /// The path that a proxy says it has taken off, if it is one.
    pub(crate) fn of_proxy(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(X_FORWARDED_PREFIX)?.to_str().ok()?;
        Self::parse(value.trim()).ok()
    }

    /// Takes the path off a request that has it; some proxies do so themselves.
    pub(crate) fn take_off(&self, request: &mut ServiceRequest) {
        let Some(uri) = self.without(request.uri()) else {
            return;
        };
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }

    /// The rest of a path that begins with this one.
    pub(crate) fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&*self.0)?;
        let rest = if rest.is_empty() { "/" } else { rest };
        rest.starts_with('/').then_some(rest)
    }

    fn without(&self, uri: &Uri) -> Option<Uri> {
        let path = self.below(uri.path())?;
        let path_and_query = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// A path of ours as clients reach it, below a base path if there is one.
    pub(crate) fn before<'p>(base_path: Option<&Self>, path: &'p str) -> Cow<'p, str> {
        match base_path {
            Some(base_path) => format!("{base_path}{path}").into(),
            None => path.into(),
        }
    }

    /// Puts the path in front of where the headers of an answer lead.
    pub(crate) fn put_before(&self, headers: &mut HeaderMap) {
        for (name, paths) in [(header::LOCATION, "/"), (header::LINK, "</")] {
            let values: Vec<_> = headers
                .get_all(&name)
                .filter_map(|value| value.to_str().ok())
                .collect();
            if values.is_empty() {
                continue;
            }
            let begin = paths.trim_end_matches('/');
            let prefixed: Vec<_> = values
                .iter()
                .map(
                    |value| match value.strip_prefix(paths).filter(|_| name == header::LOCATION) {
                        Some(rest) => format!("{self}/{rest}"),
                        None => value.replace(paths, &format!("{begin}{self}/")),
                    },
                )
                .filter_map(|value| HeaderValue::try_from(value).ok())
                .collect();
            headers.remove(&name);
            for value in prefixed {
                headers.append(name.clone(), value);
            }
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        BasePath::parse(text).unwrap()
    }

    #[test]
    fn a_base_path_has_segments_of_unreserved_characters() {
        for (text, wanted) in [
            ("/backend", "/backend"),
            ("/shop/api/", "/shop/api"),
            ("/A-z_0.9~", "/A-z_0.9~"),
        ] {
            assert_eq!(base(text).to_string(), wanted);
        }
        let long = format!("/{}", "x".repeat(200));
        for text in [
            "", "/", "//", "backend", "/a//b", "/a/../b", "/.", "/a b", "/a%20", "/a?b", "/a#b", "/<a>",
            "/\u{e4}", "//evil", &long,
        ] {
            assert_eq!(BasePath::parse(text), Err(InvalidBasePath), "{text}");
        }
    }

    #[test]
    fn it_is_taken_off_whole_segments_only_and_the_query_stays() {
        for (sent, left) in [
            ("/backend", Some("/")),
            ("/backend/", Some("/")),
            ("/backend?a=/backend", Some("/?a=/backend")),
            ("/backend/api/tasks?limit=1", Some("/api/tasks?limit=1")),
            ("/backend/backend/api", Some("/backend/api")),
            ("/backendapi/tasks", None),
            ("/api/tasks", None),
            ("/Backend/api", None),
        ] {
            let uri = base("/backend").without(&Uri::from_static(sent));
            assert_eq!(uri.map(|uri| uri.to_string()).as_deref(), left, "{sent}");
        }
    }

    #[test]
    fn where_headers_lead_is_below_it() {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_static("/api/tasks/1"));
        headers.insert(
            header::LINK,
            HeaderValue::from_static("</api/tasks?cursor=x>; rel=\"next\", </api/tasks>; rel=\"first\""),
        );
        base("/backend").put_before(&mut headers);
        assert_eq!(headers.get(header::LOCATION).unwrap(), "/backend/api/tasks/1");
        assert_eq!(
            headers.get(header::LINK).unwrap(),
            "</backend/api/tasks?cursor=x>; rel=\"next\", </backend/api/tasks>; rel=\"first\""
        );
    }
}
