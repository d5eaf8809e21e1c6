//! The whole application over the in-memory repository, served from this process.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use adapters_jwt::{JwtVerifier, SharedSecret, VerifierSettings};
use api_actix::app::{App, Lifecycle, http_app};
use api_actix::system::{RandomTaskIds, SystemClock};
use domain::task::TaskService;
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

pub(super) fn serve() -> MemoryServer {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let repository = Arc::new(InMemoryTaskRepository::default());
            let tokens = verifier();
            let ids = Arc::new(RandomTaskIds::default());
            let server = HttpServer::new(move || {
                http_app(App {
                    tasks: TaskService::new(repository.clone(), Arc::new(SystemClock), ids.clone()),
                    tokens: tokens.clone(),
                    storage: repository.clone(),
                    lifecycle: Arc::new(Lifecycle::default()),
                })
            })
            .workers(2)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
            let url = format!("http://{}", server.addrs().first().expect("an address"));
            let running = server.run();
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
