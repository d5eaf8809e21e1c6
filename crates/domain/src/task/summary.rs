use super::Status;

/// How many tasks an owner has, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pending: u64,
    in_progress: u64,
    completed: u64,
}

impl Summary {
    /// Counts so many tasks of a status.
    pub fn add(&mut self, status: Status, count: u64) {
        match status {
            Status::Pending => self.pending += count,
            Status::InProgress => self.in_progress += count,
            Status::Completed => self.completed += count,
        }
    }

    /// How many tasks have this status.
    #[must_use]
    pub fn with_status(&self, status: Status) -> u64 {
        match status {
            Status::Pending => self.pending,
            Status::InProgress => self.in_progress,
            Status::Completed => self.completed,
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.in_progress + self.completed
    }
}
