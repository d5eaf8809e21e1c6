//! The whole application over the in-memory repository, or over parts that a test chooses, served from this process.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use adapters_http::observe::Observers;
use adapters_http::policy::Policy;
use adapters_http::readiness::Readiness;
use adapters_http::server::{self, listeners};
use adapters_http::state::{App, Lifecycle};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskRepository, TaskService};
use domain::testing::{CountingTaskIds, FakeTokenVerifier, InMemoryTaskRepository};

use crate::clock::SystemClock;

pub(crate) struct MemoryServer {
    url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl MemoryServer {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// What a served application is made of: everything is real but the storage, which is memory, and the verifier of
/// tokens, until a test says otherwise.
#[derive(Clone)]
pub struct Parts {
    /// Where the tasks are.
    pub repository: Arc<dyn TaskRepository>,
    /// Tells whether the storage is healthy.
    pub storage: Arc<dyn StorageHealth>,
    /// Verifies the tokens: `fake_tokens`, unless a test takes another one.
    pub tokens: Arc<dyn TokenVerifier>,
    /// Knows the tokens that [`Api::tokens`](crate::Api::tokens) makes.
    pub fake_tokens: Arc<FakeTokenVerifier>,
    /// Whether the server is stopping.
    pub lifecycle: Arc<Lifecycle>,
    /// Makes the ids of tasks.
    pub ids: Arc<CountingTaskIds>,
    /// What the deployment allows.
    pub policy: Policy,
    /// Who is told about requests.
    pub observers: Observers,
    /// How many workers serve it.
    pub workers: usize,
}

impl Default for Parts {
    fn default() -> Self {
        let repository = Arc::new(InMemoryTaskRepository::default());
        let fake_tokens = Arc::new(FakeTokenVerifier::default());
        Self {
            repository: repository.clone(),
            storage: repository,
            tokens: fake_tokens.clone(),
            fake_tokens,
            lifecycle: Arc::default(),
            ids: Arc::default(),
            policy: Policy::default(),
            observers: Observers::default(),
            workers: 2,
        }
    }
}

impl Parts {
    /// The application of one worker.
    #[must_use]
    pub fn app(&self) -> App {
        App {
            tasks: TaskService::new(self.repository.clone(), Arc::new(SystemClock), self.ids.clone()),
            tokens: self.tokens.clone(),
            storage: self.storage.clone(),
            readiness: Readiness::default(),
            lifecycle: self.lifecycle.clone(),
            policy: self.policy.clone(),
            observers: Arc::new(self.observers.clone()),
        }
    }
}

pub(crate) fn serve(parts: Parts) -> MemoryServer {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listeners = listeners(("127.0.0.1", 0)).expect("a free port");
            let address = listeners[0].local_addr().expect("an address");
            let url = format!("http://{address}");
            let limits = parts.policy.time_limits;
            let running =
                server::serve(listeners, parts.workers, limits, move || parts.app()).expect("a server");
            sender.send((url, running.handle())).expect("the test waits");
            running.await.expect("a server that stops when told");
        });
    });
    let (url, handle) = receiver.recv().expect("a running server");
    MemoryServer {
        url,
        handle,
        thread: Some(thread),
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        // The command is sent at once; only its outcome is a future.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
