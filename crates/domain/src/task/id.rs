use std::fmt;

use chrono::{DateTime, Utc};
use thiserror::Error;
use uuid::Uuid;

/// Names a task: a UUID version 7 (RFC 9562 5.7), whose first 48 bits are the millisecond of its creation. Ids
/// sort by that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Reads the 36-character hyphenated form, in either letter case. No other form of a UUID is an id.
    ///
    /// # Errors
    /// The text is not that form, or not version 7: no task can have this id.
    pub fn parse(text: &str) -> Result<Self, NotATaskId> {
        const HYPHENATED_LENGTH: usize = 36;
        if text.len() != HYPHENATED_LENGTH {
            return Err(NotATaskId);
        }
        Uuid::try_parse(text)
            .map_err(|_| NotATaskId)
            .and_then(Self::from_uuid)
    }

    /// Takes a UUID as an id.
    ///
    /// # Errors
    /// The UUID is not version 7 of RFC 9562.
    pub fn from_uuid(uuid: Uuid) -> Result<Self, NotATaskId> {
        let is_version_7 = uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122;
        if is_version_7 {
            Ok(Self(uuid))
        } else {
            Err(NotATaskId)
        }
    }

    /// The id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The millisecond inside the id.
    #[must_use]
    pub fn created_at(self) -> DateTime<Utc> {
        // 48 bits of milliseconds reach to the year 10889, well inside what `DateTime` holds.
        let milliseconds = self.0.as_u128() >> 80;
        i64::try_from(milliseconds)
            .ok()
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or_default()
    }
}

impl fmt::Display for TaskId {
    /// The lower-case hyphenated form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Makes the ids of new tasks: nothing else in the domain is random.
pub trait TaskIds: Send + Sync {
    /// A new id that carries the millisecond of `now` and MUST differ from every other id ever made.
    fn next(&self, now: DateTime<Utc>) -> TaskId;
}

/// Something that is the id of no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the id of a task")]
pub struct NotATaskId;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10";

    #[test]
    fn an_id_reads_in_either_letter_case_and_prints_in_lower_case() {
        let id = TaskId::parse(TEXT).unwrap();
        assert_eq!(TaskId::parse(&TEXT.to_uppercase()), Ok(id));
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("TaskId({TEXT})"));
        assert_eq!(TaskId::from_uuid(id.as_uuid()), Ok(id));
    }

    #[test]
    fn every_other_form_is_no_id() {
        for text in [
            "",
            "1",
            "01939f6e2f4b7c1d9a557f1f2b8e6d10",
            "{01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10}",
            "urn:uuid:01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d10",
            "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d1g",
            "01939f6e-2f4b7-c1d-9a55-7f1f2b8e6d10",
            " 01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d1",
            "01939f6e-2f4b-7c1d-9a55-7f1f2b8e6d\u{e9}",
        ] {
            assert_eq!(TaskId::parse(text), Err(NotATaskId), "{text:?}");
        }
    }

    #[test]
    fn only_version_7_is_an_id() {
        assert_eq!(
            TaskId::parse("550e8400-e29b-41d4-a716-446655440000"),
            Err(NotATaskId)
        );
        assert_eq!(
            TaskId::parse("00000000-0000-0000-0000-000000000000"),
            Err(NotATaskId)
        );
        assert_eq!(
            TaskId::parse("01939f6e-2f4b-7c1d-0a55-7f1f2b8e6d10"),
            Err(NotATaskId)
        );
    }

    #[test]
    fn the_creation_time_is_the_millisecond_inside_the_id() {
        let id = TaskId::parse(TEXT).unwrap();
        assert_eq!(id.created_at().timestamp_millis(), 0x0193_9f6e_2f4b);
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_it_accepts_prints_the_same(text in any::<String>()) {
            if let Ok(id) = TaskId::parse(&text) {
                prop_assert_eq!(id.to_string(), text.to_lowercase());
            }
        }

        #[test]
        fn any_version_7_uuid_has_a_creation_time(bits in any::<u128>()) {
            let version_7 = (bits & !(0xf << 76) & !(0b11 << 62)) | (0x7 << 76) | (0b10 << 62);
            let id = TaskId::from_uuid(Uuid::from_u128(version_7)).unwrap();
            prop_assert_eq!(u128::try_from(id.created_at().timestamp_millis()).unwrap(), version_7 >> 80);
            prop_assert_eq!(TaskId::parse(&id.to_string()), Ok(id));
        }
    }
}
