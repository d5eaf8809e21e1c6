//! Whether a page far into a long list costs what the first one costs.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Fallible;
use crate::data::{Storage, Tokens, user};
use crate::http::Connection;
use crate::operations::{PAGE, write_request};
use crate::programs::{Kind, Programs};
use crate::results::Spread;
use crate::servers::{Server, migrate};

const DATABASE: &str = "deep_pages";
/// How many tasks the one user has.
const TASKS: i64 = 600_000;
/// Which page is compared with the first.
const DEEP_PAGE: usize = 10_000;
/// The largest page there is: the way to the deep one is shorter so.
const LARGEST_PAGE: usize = 500;
const ROUNDS: usize = 5;
const REQUESTS: usize = 400;

/// What the two pages took, in milliseconds: the median of each round.
#[derive(Debug, Clone, Serialize)]
pub struct DeepPages {
    /// Page 1.
    pub first_ms: Vec<f64>,
    /// Page 10,000.
    pub deep_ms: Vec<f64>,
}

impl DeepPages {
    /// The deep page by the first, round by round.
    #[must_use]
    pub fn ratio(&self) -> Option<Spread> {
        Spread::of_ratios(self.deep_ms.iter().copied(), self.first_ms.iter().copied())
    }
}

/// Measures both on a server of its own.
///
/// # Errors
/// The server does not start, or a page is not what it must be.
pub async fn measure(storage: &Storage, programs: &Programs, tokens: &Tokens) -> Fallible<DeepPages> {
    storage.create(DATABASE).await?;
    let url = storage.url(DATABASE);
    migrate(programs, &url)?;
    storage.fill(DATABASE, 1, TASKS).await?;
    let server = Server::start(Kind::TaskApi, programs, &url, tokens).await?;
    let mut reader = Reader {
        connection: Connection::open(server.address).await?,
        bearer: tokens.bearer(&user(0))?,
    };
    let deep = reader.cursor_behind((DEEP_PAGE - 1) * PAGE).await?;
    let mut pages = DeepPages {
        first_ms: Vec::new(),
        deep_ms: Vec::new(),
    };
    for _ in 0..ROUNDS {
        pages.first_ms.push(reader.median_milliseconds(None).await?);
        pages.deep_ms.push(reader.median_milliseconds(Some(&deep)).await?);
    }
    Ok(pages)
}

struct Reader {
    connection: Connection,
    bearer: String,
}

impl Reader {
    /// Where the list goes on behind so many tasks.
    async fn cursor_behind(&mut self, tasks: usize) -> Fallible<String> {
        let mut cursor = None;
        let mut left = tasks;
        while left > 0 {
            let limit = left.min(LARGEST_PAGE);
            let (next, _) = self.page(limit, cursor.as_deref()).await?;
            cursor = Some(next);
            left -= limit;
        }
        cursor.ok_or_else(|| "there is no page before the first".into())
    }

    async fn median_milliseconds(&mut self, cursor: Option<&str>) -> Fallible<f64> {
        let mut times = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let (_, time) = self.page(PAGE, cursor).await?;
            times.push(time.as_secs_f64() * 1e3);
        }
        Spread::of(times)
            .map(|spread| spread.median)
            .ok_or_else(|| "no page was read".into())
    }

    /// Reads a page: where the next one begins, and how long it took.
    async fn page(&mut self, limit: usize, cursor: Option<&str>) -> Fallible<(String, Duration)> {
        let target = match cursor {
            Some(cursor) => format!("/api/tasks?limit={limit}&cursor={cursor}"),
            None => format!("/api/tasks?limit={limit}"),
        };
        let mut request = Vec::new();
        write_request(&mut request, "GET", &target, Some(&self.bearer), None);
        let asked = Instant::now();
        let answer = self.connection.exchange(&request).await?;
        let time = asked.elapsed();
        let next = answer.header("x-next-cursor");
        next.map(|next| (next, time))
            .ok_or_else(|| format!("{target} answers {} and no next page", answer.status).into())
    }
}
