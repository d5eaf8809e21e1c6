//! The right of a job to its lane.

use std::sync::Arc;

use domain::fairness::Grant;

/// The right of a job to its lane. It ends when the caller has taken the answer, so that answers, which may be large,
/// do not pile up before a caller who is slower than the database.
pub(crate) struct Turn {
    lender: Arc<dyn Lender>,
    /// None for the jobs of no user.
    grant: Option<Grant>,
}

/// Who gives turns. A trait, so that a job, which travels with its turn, does not know the queue, which is made of
/// jobs.
pub(crate) trait Lender: Send + Sync {
    /// The turn is over: others may have it.
    fn take_back(&self, grant: &Grant);
}

impl Turn {
    pub(crate) fn new(lender: Arc<dyn Lender>, grant: Option<Grant>) -> Self {
        Self { lender, grant }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(grant) = &self.grant {
            self.lender.take_back(grant);
        }
    }
}
