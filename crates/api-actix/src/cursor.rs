//! The text form of a position in a list: what clients get in `X-Next-Cursor` and send back as `cursor`.
//!
//! It is bound to the user and to the list by a checksum, so that a cursor of somebody else, of another list, or one
//! that was edited is refused instead of answering a page that makes no sense. It guards against mistakes, not
//! against attacks: every statement names the owner anyway.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::identity::Owner;
use domain::task::{Cursor, TaskId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const ID_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;

/// Names the list: its sort order and its filters. Part of the checksum.
const NEWEST_FIRST: &str = "sort=-created_at";

/// The cursor as text: URL-safe base64 of the position and the checksum.
pub(crate) fn encode(cursor: Cursor, owner: &Owner) -> String {
    let mut bytes = cursor.id.as_uuid().as_bytes().to_vec();
    bytes.extend_from_slice(&checksum(cursor, owner));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; `None` if it is not, letter for letter, one that we made for this owner and this list.
pub(crate) fn decode(text: &str, owner: &Owner) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (id, found) = bytes.split_at_checked(ID_BYTES)?;
    let id = TaskId::from_uuid(Uuid::from_slice(id).ok()?).ok()?;
    let cursor = Cursor { id };
    (checksum(cursor, owner) == found).then_some(cursor)
}

fn checksum(cursor: Cursor, owner: &Owner) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Sha256::new();
    for part in ["task-api cursor 1", NEWEST_FIRST, owner.as_str()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.update(cursor.id.as_uuid().as_bytes());
    let mut short = [0; CHECKSUM_BYTES];
    short
        .iter_mut()
        .zip(hash.finalize())
        .for_each(|(short, long)| *short = long);
    short
}

#[cfg(test)]
mod tests {
    use domain::testing::{an_id_at, an_owner, an_owner_named, noon};
    use proptest::prelude::*;

    use super::*;

    fn a_cursor() -> Cursor {
        Cursor { id: an_id_at(noon()) }
    }

    #[test]
    fn a_cursor_reads_back() {
        let cursor = a_cursor();
        assert_eq!(decode(&encode(cursor, &an_owner()), &an_owner()), Some(cursor));
    }

    #[test]
    fn a_cursor_of_somebody_else_is_refused() {
        let text = encode(a_cursor(), &an_owner());
        assert_eq!(decode(&text, &an_owner_named("somebody else")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            prop_assert_eq!(decode(&text, &an_owner()), None);
        }

        #[test]
        fn any_changed_character_is_refused(position in 0_usize..32, letter in "[A-Za-z0-9_-]") {
            let text = encode(a_cursor(), &an_owner());
            let mut edited = text.clone();
            edited.replace_range(position..=position, &letter);
            prop_assume!(edited != text);
            prop_assert_eq!(decode(&edited, &an_owner()), None);
        }
    }
}
