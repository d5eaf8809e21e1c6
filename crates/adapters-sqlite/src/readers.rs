//! The threads that read.

use diesel::prelude::*;

use crate::queue::Worker;

/// Serves reads one by one until the line is closed, and hands the connection back. Under write-ahead logging no read
/// waits for a write.
pub(crate) fn serve(worker: &Worker, mut connection: SqliteConnection) -> SqliteConnection {
    while let Some(jobs) = worker.next(1) {
        for taken in jobs {
            let (mut job, turn) = taken.into_parts();
            if job.is_wanted() {
                job.run(&mut connection);
            }
            // Before the answer: the caller may ask again at once.
            worker.hand_back([turn]);
            job.answer();
        }
    }
    connection
}
