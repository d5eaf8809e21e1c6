use chrono::{DateTime, Utc};

use super::{SortKey, Status, Task, TaskId, TitleStart};

/// A position in a list: right behind a task with this id and this value of the sort key, whether such a task still
/// exists or not. Its text form belongs to anyone who hands it to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The value of the sort key.
    pub position: Position,
    /// The id, which breaks ties.
    pub id: TaskId,
}

/// The value of a sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// The time of creation stands in the id.
    CreatedAt,
    /// When the task was changed last.
    UpdatedAt(DateTime<Utc>),
    /// How its title begins.
    Title(TitleStart),
    /// Its status.
    Status(Status),
}

impl Position {
    /// The sort key that it is a value of.
    #[must_use]
    pub fn key(&self) -> SortKey {
        match self {
            Self::CreatedAt => SortKey::CreatedAt,
            Self::UpdatedAt(_) => SortKey::UpdatedAt,
            Self::Title(_) => SortKey::Title,
            Self::Status(_) => SortKey::Status,
        }
    }

    fn of(task: &Task, key: SortKey) -> Self {
        let parts = task.parts();
        match key {
            SortKey::CreatedAt => Self::CreatedAt,
            SortKey::UpdatedAt => Self::UpdatedAt(parts.updated_at),
            SortKey::Title => Self::Title(parts.title.start()),
            SortKey::Status => Self::Status(parts.status),
        }
    }
}

impl Cursor {
    /// The position right behind a task in a list with this sort key.
    #[must_use]
    pub fn behind(task: &Task, key: SortKey) -> Self {
        Self {
            position: Position::of(task, key),
            id: task.id(),
        }
    }
}
