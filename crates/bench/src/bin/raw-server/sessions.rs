//! The connections of one worker: one for all reads, which are pipelined on it, and some for writes, each of which has
//! one to itself, because the commits of one connection come one after another.

use std::cell::{Cell, RefCell};
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
    shared: Vec<Session>,
    turn: Cell<usize>,
    /// None if writes are shared too.
    places: Option<Semaphore>,
    idle_writers: RefCell<Vec<Session>>,
}

impl Sessions {
    pub(crate) async fn open(url: String, workers: usize) -> Result<Self, Error> {
        Ok(Self {
            shared: vec![Session::open(&url).await?],
            url,
            turn: Cell::default(),
            places: Some(Semaphore::new((WRITERS / workers).max(2))),
            idle_writers: RefCell::default(),
        })
    }

    /// Two connections for everything.
    pub(crate) async fn open_shared(url: String) -> Result<Self, Error> {
        Ok(Self {
            shared: vec![Session::open(&url).await?, Session::open(&url).await?],
            url,
            turn: Cell::default(),
            places: None,
            idle_writers: RefCell::default(),
        })
    }

    pub(crate) fn for_reading(&self) -> &Session {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        #[expect(
            clippy::indexing_slicing,
            reason = "there is at least one, and the index is below their number"
        )]
        &self.shared[turn % self.shared.len()]
    }

    /// The one that was used last, so that few are busy; a new one if all are.
    pub(crate) async fn for_writing(&self) -> Result<Borrowed<'_>, Error> {
        let Some(places) = &self.places else {
            return Ok(Borrowed::Shared(self.for_reading()));
        };
        // It is never closed. If it were, writing without a place in the line would still be right.
        let place = places.acquire().await.ok();
        let idle = self.idle_writers.borrow_mut().pop();
        let session = match idle {
            Some(session) => session,
            None => Session::open(&self.url).await?,
        };
        Ok(Borrowed::Own(Own {
            session: Some(session),
            sessions: self,
            _place: place,
        }))
    }
}

/// A connection for writing.
#[expect(
    clippy::large_enum_variant,
    reason = "one lies on the stack of each request, and the usual one is large"
)]
pub(crate) enum Borrowed<'a> {
    Shared(&'a Session),
    Own(Own<'a>),
}

impl Deref for Borrowed<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        match self {
            Self::Shared(session) => session,
            // Taken out by `drop` alone; until then it is there.
            Self::Own(own) => own.session.as_ref().unwrap_or_else(|| own.sessions.for_reading()),
        }
    }
}

/// A connection of one's own, until this value goes away.
pub(crate) struct Own<'a> {
    session: Option<Session>,
    sessions: &'a Sessions,
    _place: Option<SemaphorePermit<'a>>,
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.sessions
            .idle_writers
            .borrow_mut()
            .extend(self.session.take());
    }
}
