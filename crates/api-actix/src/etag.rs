//! Entity tags (RFC 9110, 8.8.3). That of a task is its version, the same for everybody who may see it.

use actix_web::http::header::HeaderValue;
use domain::task::Version;
use sha2::{Digest, Sha256};

/// The strong entity tag of a task at that version.
pub(crate) fn of(version: Version) -> HeaderValue {
    quoted(&format!("\"{version}\""))
}

/// The weak entity tag around this opaque part.
pub(crate) fn weak(opaque: &str) -> HeaderValue {
    quoted(&format!("W/\"{opaque}\""))
}

/// The opaque part of the tag of an answer that consists of these parts: 16 hexadecimal digits of a SHA-256.
pub(crate) fn opaque_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    let short = bytes
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    format!("{short:016x}")
}

/// Digits, letters and quotation marks are always fit for a header.
fn quoted(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("\"\""))
}
