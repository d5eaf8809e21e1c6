//! A database of one test.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// An empty database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    name: String,
    // Set when another user's server must be left as it was found.
    drop_on: Option<String>,
}

impl TestDatabase {
    pub(crate) async fn create_on(server: &str, drop_after: bool) -> Self {
        let name = a_new_name();
        let admin = connect_patiently(server).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("creating a test database");
        Self {
            url: with_database(server, &name),
            name,
            drop_on: drop_after.then(|| server.to_owned()),
        }
    }

    /// Where the database is, as a `postgresql://` URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the database is called on its server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection of the test's own, past everything that is under test.
    ///
    /// # Panics
    /// The server does not answer.
    pub async fn client(&self) -> tokio_postgres::Client {
        connect_patiently(&self.url).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(server) = self.drop_on.take() else { return };
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's own runtime may be gone or busy: a thread with a runtime of its own always works.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let admin = connect_patiently(&server).await;
                admin
                    .batch_execute(&statement)
                    .await
                    .map_err(std::io::Error::other)
            })
        });
        assert!(
            matches!(dropped.join(), Ok(Ok(()))) || std::thread::panicking(),
            "the test database {} could not be dropped",
            self.name
        );
    }
}

/// A name that no database has. What killed runs left behind on another user's server may have the id and the counts
/// of this process: the part that differs is random.
fn a_new_name() -> String {
    static RUN: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("test_{:016x}_{}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Connects, waiting for a server that is still starting.
async fn connect_patiently(url: &str) -> tokio_postgres::Client {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match tokio_postgres::connect(url, tokio_postgres::NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) if Instant::now() > deadline => panic!("the test server does not answer: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The same URL with another database, its query kept.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = match server.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server, String::new()),
    };
    let authority_end = address
        .find("://")
        .map(|scheme| scheme + 3)
        .and_then(|start| address.get(start..)?.find('/').map(|slash| start + slash))
        .unwrap_or(address.len());
    let authority = address.get(..authority_end).unwrap_or(address);
    format!("{authority}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_of_a_url_is_replaced() {
        for (server, wanted) in [
            (
                "postgresql://u:p@h:5/old?sslmode=disable",
                "postgresql://u:p@h:5/new?sslmode=disable",
            ),
            ("postgresql://u@h", "postgresql://u@h/new"),
            (
                "postgresql://u@%2Ftmp%2Fx/postgres",
                "postgresql://u@%2Ftmp%2Fx/new",
            ),
        ] {
            assert_eq!(with_database(server, "new"), wanted);
        }
    }
}
