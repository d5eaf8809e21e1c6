//! The connections of one worker: one for all reads, which are pipelined on it, and some for writes, each of which has
//! one to itself, because the commits of one connection come one after another.

use std::cell::RefCell;
use std::ops::Deref;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{Client, Error, NoTls, Statement};

/// Connections for writes, of all workers together: as many as the product has by default.
const WRITERS: usize = 16;

const COLUMNS: &str = "id, title, description, status, version, created_at, updated_at";

/// A connection with its statements.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) get: Statement,
    pub(crate) list: Statement,
    pub(crate) insert: Statement,
    pub(crate) update: Statement,
    pub(crate) delete: Statement,
}

impl Session {
    async fn open(url: &str) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let list = format!("SELECT {COLUMNS} FROM tasks WHERE user_id = $1 ORDER BY id DESC LIMIT $2");
        let update = format!(
            "UPDATE tasks SET title = COALESCE($3, title), description = CASE WHEN $4 THEN $5 ELSE description END, \
             status = COALESCE($6, status), version = version + 1, updated_at = $7 \
             WHERE user_id = $1 AND id = $2 RETURNING {COLUMNS}"
        );
        let get = format!("SELECT {COLUMNS} FROM tasks WHERE user_id = $1 AND id = $2");
        let insert = "INSERT INTO tasks (user_id, id, created_at, updated_at, status, title, description) \
                      VALUES ($1, $2, $3, $3, $4, $5, $6)";
        Ok(Self {
            get: client.prepare(&get).await?,
            list: client.prepare(&list).await?,
            insert: client.prepare(insert).await?,
            update: client.prepare(&update).await?,
            delete: client
                .prepare("DELETE FROM tasks WHERE user_id = $1 AND id = $2")
                .await?,
            client,
        })
    }
}

/// The connections of one worker.
pub(crate) struct Sessions {
    url: String,
    reader: Session,
    idle_writers: RefCell<Vec<Session>>,
    places: Semaphore,
}

impl Sessions {
    pub(crate) async fn open(url: String, workers: usize) -> Result<Self, Error> {
        Ok(Self {
            reader: Session::open(&url).await?,
            url,
            idle_writers: RefCell::default(),
            places: Semaphore::new((WRITERS / workers).max(2)),
        })
    }

    pub(crate) fn for_reading(&self) -> &Session {
        &self.reader
    }

    /// The one that was used last, so that few are busy; a new one if all are.
    pub(crate) async fn for_writing(&self) -> Result<Borrowed<'_>, Error> {
        // It is never closed. If it were, writing without a place in the line would still be right.
        let place = self.places.acquire().await.ok();
        let idle = self.idle_writers.borrow_mut().pop();
        let session = match idle {
            Some(session) => session,
            None => Session::open(&self.url).await?,
        };
        Ok(Borrowed {
            session: Some(session),
            sessions: self,
            _place: place,
        })
    }
}

/// A connection of one's own, until this value goes away.
pub(crate) struct Borrowed<'a> {
    session: Option<Session>,
    sessions: &'a Sessions,
    _place: Option<SemaphorePermit<'a>>,
}

impl Deref for Borrowed<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        // Taken out by `drop` alone; until then it is there.
        self.session.as_ref().unwrap_or(&self.sessions.reader)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        self.sessions
            .idle_writers
            .borrow_mut()
            .extend(self.session.take());
    }
}
