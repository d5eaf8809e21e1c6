/// By what a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When tasks were created: the order of their ids.
    CreatedAt,
    /// When they were changed last.
    UpdatedAt,
    /// The title, by code point.
    Title,
    /// The name of the status, by code point.
    Status,
}

impl SortKey {
    /// Every key.
    pub const ALL: [Self; 4] = [Self::CreatedAt, Self::UpdatedAt, Self::Title, Self::Status];
}
