//! Entity tags of tasks (RFC 9110, 8.8.3): the version in quotation marks, the same for everybody who may see it.

use actix_web::http::header::HeaderValue;
use domain::task::Version;

/// The strong entity tag of a task at that version.
pub(crate) fn of(version: Version) -> HeaderValue {
    // Digits and quotation marks are always fit for a header.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}
