//! The bodies that count tasks.

use domain::task::{Status, Summary};
use serde::Serialize;
use utoipa::ToSchema;

/// How many tasks there are, for the badges of tabs.
#[derive(Serialize, ToSchema)]
#[schema(as = Summary)]
pub(crate) struct SummaryBody {
    total: u64,
    #[schema(inline)]
    by_status: ByStatus,
}

#[derive(Serialize, ToSchema)]
struct ByStatus {
    pending: u64,
    in_progress: u64,
    completed: u64,
}

impl From<&Summary> for SummaryBody {
    fn from(summary: &Summary) -> Self {
        Self {
            total: summary.total(),
            by_status: ByStatus {
                pending: summary.with_status(Status::Pending),
                in_progress: summary.with_status(Status::InProgress),
                completed: summary.with_status(Status::Completed),
            },
        }
    }
}

/// How many tasks were deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = Deleted)]
pub(crate) struct DeletedBody {
    pub(crate) deleted: u64,
}
