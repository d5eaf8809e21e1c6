//! The threads that read.

use std::sync::Arc;

use diesel::prelude::*;

use crate::queue::{Taken, Worker};
use crate::watch::Guard;

/// Serves reads one by one until the line is closed, and hands the connection back. Under write-ahead logging no read
/// waits for a write.
pub(crate) fn serve(worker: &Worker, mut connection: SqliteConnection, mut guard: Guard) -> SqliteConnection {
    while let Some(jobs) = worker.next(1) {
        for Taken { mut job, turn } in jobs {
            if job.is_wanted() {
                job.run(&mut connection);
                // What was read is told only if it comes from the file that is there.
                match guard.check(&mut connection) {
                    Ok(()) => job.answer(Some(turn)),
                    Err(error) => job.fail(&Arc::new(error)),
                }
            }
        }
    }
    connection
}
