use thiserror::Error;

/// How far a task is. Every change from one to another is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    /// Not begun: what a task is unless someone says otherwise.
    #[default]
    Pending,
    /// Begun.
    InProgress,
    /// Done.
    Completed,
}

impl Status {
    /// Every status, in the order of a task's life.
    pub const ALL: [Self; 3] = [Self::Pending, Self::InProgress, Self::Completed];

    /// The name of the status, as stored and as sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
        }
    }

    /// Reads the name of a status.
    ///
    /// # Errors
    /// The text is none of the names, letter for letter.
    pub fn parse(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// A text that is the name of no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the name of a status")]
pub struct UnknownStatus;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_name() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Ok(status));
        }
    }

    #[test]
    fn names_are_matched_letter_for_letter() {
        for text in ["", "Pending", "done", "pending ", "in-progress"] {
            assert_eq!(Status::parse(text), Err(UnknownStatus), "{text:?}");
        }
    }

    #[test]
    fn a_task_is_pending_unless_somebody_says_otherwise() {
        assert_eq!(Status::default(), Status::Pending);
    }
}
