//! The whole process while it serves: the server, and beside it whatever operators have asked for.

use crate::admin::Admin;
use crate::failure::Failure;
use crate::observe::Observers;
use crate::server::Server;

/// A server that listens, with its listener for operators if there is one.
pub struct Running {
    pub(crate) server: Server,
    pub(crate) admin: Option<Admin>,
    pub(crate) observers: Observers,
}

impl Running {
    /// Where the API listens, as the start of a URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Serves until the process is told to stop. Operators are answered and spans are sent to the end.
    ///
    /// # Errors
    /// The server broke down.
    pub async fn run(self) -> Result<(), Failure> {
        let outcome = self.server.run().await;
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
        self.observers.flush().await;
        outcome
    }
}
