//! The text form of a position in a list: what clients get in `X-Next-Cursor` and send back as `cursor`.
//!
//! It is bound to the user and to the list (its order and its filters) by a checksum, so that a cursor of another user,
//! of another list, or one that was edited is refused instead of answering a page that makes no sense. It guards
//! against mistakes, not against attacks: every statement names the owner anyway.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use domain::identity::Owner;
use domain::task::{
    Cursor, Direction, Position, SearchTerm, Sort, SortKey, Status, TaskFilter, TaskId, TitleStart,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::wire::timestamp::is_writable;

const ID_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 8;

/// A list of one user: what a cursor is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) filter: &'a TaskFilter,
    pub(crate) sort: Sort,
}

impl List<'_> {
    /// A cursor as text: URL-safe base64 of the id, the value of the sort key and the checksum.
    pub(crate) fn encode(&self, cursor: &Cursor) -> String {
        let mut bytes = cursor.id.as_uuid().as_bytes().to_vec();
        bytes.extend_from_slice(&value_of(&cursor.position));
        let checksum = self.checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor; `None` if it is not, letter for letter, one that we made for this list.
    pub(crate) fn decode(&self, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (position, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        if self.checksum(position) != checksum {
            return None;
        }
        let (id, value) = position.split_at_checked(ID_BYTES)?;
        let id = TaskId::from_uuid(Uuid::from_slice(id).ok()?).ok()?;
        Some(Cursor {
            position: position_of(self.sort.key, value)?,
            id,
        })
    }

    fn checksum(&self, position: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let TaskFilter {
            statuses,
            search,
            updated_since,
        } = self.filter;
        let statuses = statuses
            .iter()
            .flat_map(|statuses| statuses.iter().map(Status::as_str));
        let statuses: Vec<_> = statuses.collect();
        let since = updated_since.map(|time| time.timestamp_micros().to_string());
        let mut hash = Sha256::new();
        for part in [
            "task-api cursor 1",
            self.owner.as_str(),
            name_of(self.sort.key),
            if self.sort.direction == Direction::Descending {
                "-"
            } else {
                "+"
            },
            &statuses.join(","),
            search.as_ref().map_or("", SearchTerm::folded),
            since.as_deref().unwrap_or_default(),
        ] {
            // The length in front keeps parts apart.
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.update(position);
        let mut short = [0; CHECKSUM_BYTES];
        short
            .iter_mut()
            .zip(hash.finalize())
            .for_each(|(short, long)| *short = long);
        short
    }
}

/// The name of a sort key in cursors.
fn name_of(key: SortKey) -> &'static str {
    match key {
        SortKey::CreatedAt => "created_at",
        SortKey::UpdatedAt => "updated_at",
        SortKey::Title => "title",
        SortKey::Status => "status",
    }
}

fn value_of(position: &Position) -> Vec<u8> {
    match position {
        Position::CreatedAt => Vec::new(),
        Position::UpdatedAt(time) => time.timestamp_micros().to_be_bytes().to_vec(),
        Position::Title(title) => title.as_str().as_bytes().to_vec(),
        Position::Status(status) => status.as_str().as_bytes().to_vec(),
    }
}

fn position_of(key: SortKey, value: &[u8]) -> Option<Position> {
    let text = || std::str::from_utf8(value).ok();
    match key {
        SortKey::CreatedAt => value.is_empty().then_some(Position::CreatedAt),
        SortKey::UpdatedAt => {
            let micros = i64::from_be_bytes(value.try_into().ok()?);
            let time = DateTime::from_timestamp_micros(micros)?;
            is_writable(time).then_some(Position::UpdatedAt(time))
        }
        SortKey::Title => TitleStart::parse(text()?).map(Position::Title),
        SortKey::Status => Status::parse(text()?).ok().map(Position::Status),
    }
}

#[cfg(test)]
mod tests {
    use domain::task::StatusSet;
    use domain::testing::{a_task, an_owner, an_owner_named};
    use proptest::prelude::*;

    use super::*;

    fn sort_by(key: SortKey) -> Sort {
        Sort {
            key,
            direction: Direction::Descending,
        }
    }

    fn a_cursor(key: SortKey) -> Cursor {
        Cursor::behind(&a_task(&an_owner(), "Buy \u{1F95B}"), key)
    }

    #[test]
    fn a_cursor_of_every_order_reads_back() {
        for key in SortKey::ALL {
            let list = List {
                owner: &an_owner(),
                filter: &TaskFilter::default(),
                sort: sort_by(key),
            };
            let cursor = a_cursor(key);
            assert_eq!(list.decode(&list.encode(&cursor)), Some(cursor));
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let owner = an_owner();
        let another_user = an_owner_named("another user");
        let everything = TaskFilter::default();
        let pending = TaskFilter {
            statuses: StatusSet::new([Status::Pending]),
            ..TaskFilter::default()
        };
        let search = TaskFilter {
            search: SearchTerm::parse("milk").ok(),
            ..TaskFilter::default()
        };
        let down = sort_by(SortKey::CreatedAt);
        let up = Sort {
            direction: Direction::Ascending,
            ..down
        };
        let list = List {
            owner: &owner,
            filter: &everything,
            sort: down,
        };
        let text = list.encode(&a_cursor(SortKey::CreatedAt));
        for other in [
            List {
                owner: &another_user,
                ..list
            },
            List {
                filter: &pending,
                ..list
            },
            List {
                filter: &search,
                ..list
            },
            List { sort: up, ..list },
            List {
                sort: sort_by(SortKey::UpdatedAt),
                ..list
            },
        ] {
            assert_eq!(other.decode(&text), None, "{other:?}");
        }
    }

    #[test]
    fn a_time_whose_year_has_no_four_digits_is_no_position() {
        const MICROS_OF_A_DAY: i64 = 86_400_000_000;
        let (earliest, latest) = (-719_528 * MICROS_OF_A_DAY, 2_932_897 * MICROS_OF_A_DAY - 1);
        let list = List {
            owner: &an_owner(),
            filter: &TaskFilter::default(),
            sort: sort_by(SortKey::UpdatedAt),
        };
        let forged = |micros: i64| {
            let id = a_task(&an_owner(), "t").id().as_uuid().into_bytes();
            let mut bytes = [&id[..], &micros.to_be_bytes()].concat();
            bytes.extend_from_slice(&list.checksum(&bytes));
            list.decode(&URL_SAFE_NO_PAD.encode(bytes))
        };
        for micros in [
            earliest - 1,
            latest + 1,
            -8_000_000_000_000_000_000,
            i64::MIN,
            i64::MAX,
        ] {
            assert_eq!(forged(micros), None, "{micros}");
        }
        for micros in [earliest, 0, latest] {
            assert!(forged(micros).is_some(), "{micros}");
        }
    }

    mod fuzz {
        use super::*;

        proptest! {
            #[test]
            fn any_text_is_read_or_refused(text in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,80}"]) {
                let list = List { owner: &an_owner(), filter: &TaskFilter::default(), sort: Sort::default() };
                prop_assert_eq!(list.decode(&text), None);
            }

            #[test]
            fn any_changed_character_is_refused(position in 0_usize..32, distance in 1_usize..64) {
                const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let list = List { owner: &an_owner(), filter: &TaskFilter::default(), sort: Sort::default() };
                let mut text = list.encode(&a_cursor(SortKey::CreatedAt)).into_bytes();
                let place = ALPHABET.iter().position(|letter| *letter == text[position]).unwrap();
                text[position] = ALPHABET[(place + distance) % ALPHABET.len()];
                prop_assert_eq!(list.decode(&String::from_utf8(text).unwrap()), None);
            }

            /// The checksum is no secret: any reader of this file can make one.
            #[test]
            fn any_position_with_a_good_checksum_is_read_or_refused(
                key in prop::sample::select(SortKey::ALL.to_vec()),
                id in prop_oneof![Just(a_task(&an_owner(), "t").id().as_uuid().into_bytes()), any::<[u8; 16]>()],
                value in prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..24),
                    any::<i64>().prop_map(|micros| micros.to_be_bytes().to_vec()),
                    any::<String>().prop_map(String::into_bytes),
                    Just(b"pending".to_vec()),
                ],
            ) {
                let list = List { owner: &an_owner(), filter: &TaskFilter::default(), sort: sort_by(key) };
                let mut bytes = [&id[..], &value].concat();
                bytes.extend_from_slice(&list.checksum(&bytes));
                let text = URL_SAFE_NO_PAD.encode(bytes);
                if let Some(cursor) = list.decode(&text) {
                    let written = match &cursor.position {
                        Position::UpdatedAt(time) => time.to_rfc3339().len(),
                        _ => 25,
                    };
                    prop_assert!(written <= 32, "a year of four digits: {cursor:?}");
                    prop_assert_eq!(list.encode(&cursor), text);
                }
            }
        }
    }
}
