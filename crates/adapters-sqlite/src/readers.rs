//! The threads that read.

use diesel::prelude::*;

use crate::queue::{Taken, Worker};

/// Serves reads one by one until the line is closed, and hands the connection back. Under write-ahead logging no read
/// waits for a write.
pub(crate) fn serve(worker: &Worker, mut connection: SqliteConnection) -> SqliteConnection {
    while let Some(jobs) = worker.next(1) {
        for Taken { mut job, turn } in jobs {
            if job.is_wanted() {
                job.run(&mut connection);
                job.answer(Some(turn));
            }
        }
    }
    connection
}
