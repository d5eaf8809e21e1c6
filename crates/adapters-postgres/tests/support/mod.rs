//! What the tests of this crate share.
#![expect(clippy::expect_used, reason = "in tests a broken set-up should panic")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

use std::time::Duration;

use adapters_postgres::{DatabaseUrl, PostgresDatabase, PostgresSettings};

/// Settings with the product's defaults for one worker.
pub(crate) fn settings(url: &str) -> PostgresSettings {
    PostgresSettings {
        url: DatabaseUrl::parse(url).expect("a valid URL"),
        migration_url: None,
        connect_timeout: None,
        acquire_timeout: Duration::from_secs(2),
        work_lane_size: 8,
        max_in_flight: 512,
    }
}

/// A database with the schema of today.
pub(crate) async fn migrated(url: &str) -> PostgresDatabase {
    let database = PostgresDatabase::new(settings(url));
    database.migrate().await.expect("migrations");
    database
}
