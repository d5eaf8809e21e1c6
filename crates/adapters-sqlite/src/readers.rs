//! The threads that read.

use std::sync::Arc;

use diesel::prelude::*;

use crate::queue::{Taken, Worker};
use crate::watch::Guard;

/// Serves reads one by one until the line is closed, and hands the connection back. Under write-ahead logging no read
/// waits for a write.
pub(crate) fn serve(worker: &Worker, mut connection: SqliteConnection, mut guard: Guard) -> SqliteConnection {
    while let Some(Taken { mut job, turn }) = worker.next() {
        if job.is_wanted() {
            job.run(&mut connection);
            worker.count_done();
            // What was read is told only if it comes from the file that is there, or was a moment ago.
            match guard.check(&mut connection) {
                Ok(()) => job.answer(Some(turn)),
                Err(error) => job.fail(&Arc::new(error)),
            }
        }
    }
    connection
}
