//! The whole application over the in-memory repository, or over parts that a test chooses, served from this process.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use adapters_http::observe::Observers;
use adapters_http::policy::Policy;
use adapters_http::readiness::Readiness;
use adapters_http::server::{self, listeners};
use adapters_http::state::{App, Lifecycle};
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use api_actix::clock_and_ids::{RandomTaskIds, SystemClock};
use domain::health::StorageHealth;
use domain::identity::TokenVerifier;
use domain::task::{TaskRepository, TaskService};
use domain::testing::InMemoryTaskRepository;

use super::SECRET;

pub(super) struct MemoryServer {
    url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl MemoryServer {
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// What a served application is made of. Every part is the real one over memory until a test says otherwise.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) repository: Arc<dyn TaskRepository>,
    pub(crate) storage: Arc<dyn StorageHealth>,
    pub(crate) tokens: Arc<dyn TokenVerifier>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) ids: Arc<RandomTaskIds>,
    pub(crate) policy: Policy,
    pub(crate) observers: Observers,
}

impl Default for Parts {
    fn default() -> Self {
        let repository = Arc::new(InMemoryTaskRepository::default());
        Self {
            repository: repository.clone(),
            storage: repository,
            tokens: verifier(),
            lifecycle: Arc::default(),
            ids: Arc::default(),
            policy: Policy::default(),
            observers: Observers::default(),
        }
    }
}

impl Parts {
    pub(crate) fn app(&self) -> App {
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

pub(super) fn serve(parts: Parts) -> MemoryServer {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let listeners = listeners(("127.0.0.1", 0)).expect("a free port");
            let address = listeners[0].local_addr().expect("an address");
            let url = format!("http://{address}");
            let limits = parts.policy.time_limits;
            let running = server::serve(listeners, 2, limits, move || parts.app()).expect("a server");
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

fn verifier() -> Arc<JwtVerifier> {
    let secrets = vec![SharedSecret::new(SECRET.into()).expect("a usable secret")];
    let settings = VerifierSettings {
        secrets,
        ..VerifierSettings::default()
    };
    Arc::new(JwtVerifier::new(settings, Arc::new(SystemClock)))
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
