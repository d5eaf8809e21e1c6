//! `Idempotency-Key`: a client's name for one creation, so that a retry makes no second task.

use actix_web::http::header::{HeaderMap, HeaderName};
use domain::task::{IdempotencyKey, NewTask};

use crate::problem::{Code, Problem};
use crate::wire::task::fingerprint;

/// The header of the request (draft-ietf-httpapi-idempotency-key-header).
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Set on the response if an earlier request with the key made the task.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a creation, if it has one. A quoted string, as the draft says, or the bare key, as most clients send it:
/// both are the same key.
///
/// # Errors
/// `header_invalid` for anything but one key of 1 to 255 visible ASCII characters.
pub(crate) fn key_of(headers: &HeaderMap, new: &NewTask) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?.trim_matches([' ', '\t']);
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').ok_or_else(invalid)?,
        None => text,
    };
    IdempotencyKey::new(text, fingerprint(new))
        .map(Some)
        .map_err(|_| invalid())
}

fn invalid() -> Problem {
    Problem::new(Code::HeaderInvalid).with_detail(
        "Idempotency-Key must be given once: 1 to 255 visible ASCII characters without quotes inside.",
    )
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use domain::testing::a_new_task;
    use proptest::prelude::*;

    use super::*;

    fn key(lines: &[&str]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let key = key_of(&headers, &a_new_task("title")).map_err(|problem| problem.code())?;
        Ok(key.map(|key| key.as_str().to_owned()))
    }

    #[test]
    fn a_quoted_and_a_bare_key_are_the_same() {
        assert_eq!(key(&["\"k-1\""]), Ok(Some("k-1".to_owned())));
        assert_eq!(key(&["k-1"]), Ok(Some("k-1".to_owned())));
        assert_eq!(key(&[]), Ok(None));
    }

    #[test]
    fn anything_but_one_key_is_refused() {
        let long = "k".repeat(256);
        for lines in [
            &[""][..],
            &["\"\""],
            &["\"k"],
            &["k\""],
            &["a b"],
            &["a\"b"],
            &["a\\b"],
            &["é"],
            &[&long],
            &["a", "a"],
        ] {
            assert_eq!(key(lines), Err(Code::HeaderInvalid), "{lines:?}");
        }
    }

    mod fuzz {
        use super::*;

        proptest! {
            #[test]
            fn any_idempotency_key_is_read_or_refused(
                lines in prop::collection::vec(prop_oneof!["[ -~]{0,12}", "\"?[!-~]{0,300}\"?", any::<String>()], 0..3)
            ) {
                let is_sendable = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).is_ok();
                let lines: Vec<_> = lines.iter().map(String::as_str).filter(is_sendable).collect();
                match key(&lines) {
                    Ok(None) => prop_assert!(lines.is_empty()),
                    Ok(Some(text)) => {
                        prop_assert_eq!(lines.len(), 1);
                        prop_assert!((1..=255).contains(&text.len()));
                        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte)));
                        prop_assert_eq!(key(&[&format!("\"{text}\"")]), Ok(Some(text.clone())));
                        prop_assert_eq!(key(&[&text]), Ok(Some(text)));
                    }
                    Err(code) => prop_assert_eq!(code, Code::HeaderInvalid),
                }
            }
        }
    }
}
