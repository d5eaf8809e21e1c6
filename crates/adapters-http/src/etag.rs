//! Entity tags (RFC 9110, 8.8.3). That of a task is its version, the same for everyone who may see it.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use domain::task::{Task, TaskParts, Version};

/// The strong entity tag of a task at that version.
pub(crate) fn of(version: Version) -> HeaderValue {
    quoted(format!("\"{version}\""))
}

/// The weak entity tag around this opaque part.
pub(crate) fn weak(opaque: &str) -> HeaderValue {
    quoted(format!("W/\"{opaque}\""))
}

/// Weakens the tag of an answer that is about to be compressed: its bytes are others, what it says is the same (RFC
/// 9110, 8.8.3.3).
pub(crate) fn weaken(headers: &mut HeaderMap) {
    let strong = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    if let Some(strong) = strong.filter(|tag| tag.starts_with('"')) {
        let weak = quoted(format!("W/{strong}"));
        headers.insert(header::ETAG, weak);
    }
}

/// The opaque part of the tag of a page of tasks with these headers. A task is told from what it was before by its
/// version, so its texts are not looked at, and nothing has to be written to know that the client has it.
pub(crate) fn of_page<'a>(tasks: &[Task], headers: impl IntoIterator<Item = &'a str>) -> String {
    opaque(|hasher| {
        for header in headers {
            header.hash(hasher);
        }
        for task in tasks {
            let TaskParts {
                id,
                version,
                updated_at,
                ..
            } = task.parts();
            (id.as_uuid(), version.get(), updated_at.timestamp_micros()).hash(hasher);
        }
    })
}

/// The opaque part of the tag of a text.
pub(crate) fn of_text(text: &str) -> String {
    opaque(|hasher| text.hash(hasher))
}

/// 16 hexadecimal digits. No secret depends on them: anyone who finds two lists of their own with one tag has fooled
/// themselves. They differ between versions of the program, which may write the same tasks in another way.
fn opaque(feed: impl FnOnce(&mut DefaultHasher)) -> String {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    feed(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Digits, letters and quotation marks are always fit for a header.
fn quoted(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""))
}
