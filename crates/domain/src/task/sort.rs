use std::cmp::Ordering;

use super::{Cursor, Position, SortKey, Task};

/// The order of a list. Ties are broken by the id, in the same direction, so that every order is total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Which way.
    pub direction: Direction,
}

/// Newest first.
impl Default for Sort {
    fn default() -> Self {
        Self {
            key: SortKey::CreatedAt,
            direction: Direction::Descending,
        }
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The largest first.
    Descending,
}

impl Sort {
    /// Which of two tasks comes first.
    #[must_use]
    pub fn compare(self, one: &Task, other: &Task) -> Ordering {
        self.compare_positions(&Cursor::behind(one, self.key), &Cursor::behind(other, self.key))
    }

    /// Whether a task comes after a position.
    #[must_use]
    pub fn is_after(self, task: &Task, cursor: &Cursor) -> bool {
        self.compare_positions(&Cursor::behind(task, self.key), cursor) == Ordering::Greater
    }

    fn compare_positions(self, one: &Cursor, other: &Cursor) -> Ordering {
        let by_value = match (&one.position, &other.position) {
            (Position::UpdatedAt(one), Position::UpdatedAt(other)) => one.cmp(other),
            (Position::Title(one), Position::Title(other)) => one.cmp(other),
            (Position::Status(one), Position::Status(other)) => one.as_str().cmp(other.as_str()),
            // Ids sort by the time of creation; positions of different keys are never compared.
            (Position::CreatedAt | Position::UpdatedAt(_) | Position::Title(_) | Position::Status(_), _) => {
                Ordering::Equal
            }
        };
        let ascending = by_value.then(one.id.cmp(&other.id));
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{a_task, an_owner};

    #[test]
    fn equal_sort_keys_are_told_apart_by_the_id_in_the_same_direction() {
        let older = a_task(&an_owner(), "same");
        let newer = a_task(&an_owner(), "same");
        for key in SortKey::ALL {
            let up = Sort {
                key,
                direction: Direction::Ascending,
            };
            let down = Sort {
                key,
                direction: Direction::Descending,
            };
            assert!(up.is_after(&newer, &Cursor::behind(&older, key)), "{key:?}");
            assert!(down.is_after(&older, &Cursor::behind(&newer, key)), "{key:?}");
            assert!(!up.is_after(&older, &Cursor::behind(&older, key)), "{key:?}");
        }
    }
}
