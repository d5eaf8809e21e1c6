//! A few questions to the server, outside of the lanes.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::connect_error::ConnectError;

/// A connection for a few questions, asked as simply as can be: nothing is prepared.
pub(crate) struct Inquiry {
    client: Client,
    limit: Duration,
}

impl Inquiry {
    /// Each question over this connection may take this long.
    pub(crate) fn over(client: Client, limit: Duration) -> Self {
        Self { client, limit }
    }

    /// The rows of the answer.
    pub(crate) async fn ask(&self, question: &str) -> Result<Vec<SimpleQueryRow>, ConnectError> {
        let answer = timeout(self.limit, self.client.simple_query(question)).await;
        let messages = answer.map_err(|_| ConnectError::TimedOut(self.limit))??;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }
}
