use super::{Description, Status, Title};

/// What happens to one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    /// It stays as it is in the storage at the moment of the change.
    #[default]
    Keep,
    /// It becomes this.
    Set(T),
}

impl<T> Edit<T> {
    /// The new value, unless the field is kept.
    #[must_use]
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Keep => None,
            Self::Set(value) => Some(value),
        }
    }

    /// The same, to take away.
    #[must_use]
    pub fn into_set(self) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::Set(value) => Some(value),
        }
    }

    pub(super) fn apply_to(self, field: &mut T) {
        if let Self::Set(value) = self {
            *field = value;
        }
    }
}

/// A change to a task: only the fields that were asked for, so that no change ever resets a field it did not carry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskChange {
    /// The title.
    pub title: Edit<Title>,
    /// The description; `Set(None)` clears it.
    pub description: Edit<Option<Description>>,
    /// The status.
    pub status: Edit<Status>,
}

impl TaskChange {
    /// Whether nothing at all was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_sets_one_field_is_not_empty() {
        assert!(TaskChange::default().is_empty());
        let clears = TaskChange {
            description: Edit::Set(None),
            ..TaskChange::default()
        };
        assert!(!clears.is_empty());
    }

    #[test]
    fn only_a_field_that_is_set_has_a_new_value() {
        assert_eq!(Edit::Set(Status::Completed).as_set(), Some(&Status::Completed));
        assert_eq!(Edit::Set(Status::Completed).into_set(), Some(Status::Completed));
        assert_eq!(Edit::<Status>::Keep.as_set(), None);
        assert_eq!(Edit::<Status>::Keep.into_set(), None);
    }
}
