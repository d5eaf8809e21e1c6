//! The shared secrets of a process, which may change while it runs.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::keys::SharedSecret;

/// How long a secret that is gone may count: how often is looked, at most.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Reads the shared secrets anew, if they may change while the process runs. They are looked at before a token of a
/// shared secret is judged, at most every 20 seconds, and whenever the signature of one fits none of them: so a secret
/// that is gone ends within that time, and a token of a new one is accepted from its first use on.
#[derive(Clone)]
pub struct SecretsReload(Arc<dyn Fn() -> ReadSecrets + Send + Sync>);

/// `None` if nothing has changed since the last call.
type ReadSecrets = Option<Result<Vec<SharedSecret>, Box<dyn Error + Send + Sync>>>;

impl SecretsReload {
    /// Reads with this function, which may block for a moment and is never called twice at once. It returns `None` if
    /// nothing has changed since its last call. Its error is logged once, so it must not show a secret, and leaves the
    /// secrets as they are.
    pub fn with(read: impl Fn() -> ReadSecrets + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }
}

impl fmt::Debug for SecretsReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsReload").finish_non_exhaustive()
    }
}

/// The secrets of now.
pub(crate) struct Secrets {
    current: RwLock<Arc<[SharedSecret]>>,
    changing: Option<Arc<Changing>>,
}

/// The means to notice that they change.
struct Changing {
    reload: SecretsReload,
    /// When was looked last. Held while reading, so that no one goes on with secrets that are being replaced.
    looked_at: Mutex<Instant>,
    is_broken: AtomicBool,
}

impl Secrets {
    pub(crate) fn new(secrets: &[SharedSecret], reload: Option<SecretsReload>) -> Arc<Self> {
        let changing = reload.map(|reload| {
            Arc::new(Changing {
                reload,
                looked_at: Mutex::new(Instant::now()),
                is_broken: AtomicBool::new(false),
            })
        });
        Arc::new(Self {
            current: RwLock::new(secrets.into()),
            changing,
        })
    }

    /// Those of the last look.
    pub(crate) fn current(&self) -> Arc<[SharedSecret]> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// Those of now, if they may change and were not looked at for some time.
    pub(crate) async fn of_now(self: &Arc<Self>) -> Arc<[SharedSecret]> {
        let is_due = self.changing.as_ref().is_some_and(|changing| {
            // Someone who reads holds it: then they are looked at right now.
            changing
                .looked_at
                .try_lock()
                .is_ok_and(|looked_at| looked_at.elapsed() >= LOOK_EVERY)
        });
        if is_due {
            self.look().await;
        }
        self.current()
    }

    /// Looks whether they have changed, and waits for another caller who does the same.
    pub(crate) async fn look(self: &Arc<Self>) {
        let Some(changing) = self.changing.clone() else {
            return;
        };
        let secrets = Arc::clone(self);
        // A panic of the function changes nothing.
        let _ = spawn_blocking(move || secrets.read(&changing)).await;
    }

    fn read(&self, changing: &Changing) {
        let mut looked_at = changing.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        match (changing.reload.0)() {
            Some(Ok(secrets)) => {
                changing.is_broken.store(false, Ordering::Relaxed);
                tracing::info!(secrets = secrets.len(), "the shared secrets have changed");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = secrets.into();
            }
            Some(Err(error)) if !changing.is_broken.swap(true, Ordering::Relaxed) => {
                tracing::error!(%error, "the shared secrets cannot be read anew; those before are used");
            }
            Some(Err(_)) | None => {}
        }
        *looked_at = Instant::now();
    }
}
