//! A user with 600,000 of a million tasks: what deep pages cost that user, and what that user costs others.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::select;

use crate::Fallible;
use crate::data::{Storage, Tokens, user};
use crate::http::Connection;
use crate::load::{self, Turn};
use crate::operations::{Operation, PAGE, Requests, write_request};
use crate::programs::{Kind, Programs};
use crate::progress::tell;
use crate::servers::{Server, migrate};
use crate::spread::Spread;

const DATABASE: &str = "large_user";
/// How many tasks the one user has, and the others together.
const TASKS: i64 = 600_000;
const TASKS_OF_OTHERS: i64 = 400_000;
const OTHERS: usize = 4_000;
/// Which page is compared with the first.
const DEEP_PAGE: usize = 10_000;
/// The largest page there is: the way to the deep one is shorter so.
const LARGEST_PAGE: usize = 500;
const ROUNDS: usize = 5;
const REQUESTS: usize = 400;
/// How many connections of others read meanwhile, and for how long.
const CONNECTIONS: usize = 8;
const TURN: Duration = Duration::from_secs(3);
/// A search that no index bounds and that finds nothing: it looks at every text of the user.
const SEARCH: &str = "/api/tasks?q=no%20task%20says%20this";

/// The measurements: one for each round.
#[derive(Debug, Clone, Serialize)]
pub struct LargeUser {
    /// The time of page 1, in milliseconds: the median of a round.
    pub first_page_ms: Vec<f64>,
    /// The time of page 10,000.
    pub deep_page_ms: Vec<f64>,
    /// The p99 of others who read one task each, in milliseconds, while no one disturbed them.
    pub undisturbed_p99_ms: Vec<f64>,
    /// The same while the user searched without end.
    pub disturbed_p99_ms: Vec<f64>,
}

impl LargeUser {
    /// The deep page by the first, round by round.
    #[must_use]
    pub fn deep_by_first(&self) -> Option<Spread> {
        ratio(&self.deep_page_ms, &self.first_page_ms)
    }

    /// The p99 of the disturbed by that of the undisturbed, round by round.
    #[must_use]
    pub fn disturbed_by_undisturbed(&self) -> Option<Spread> {
        ratio(&self.disturbed_p99_ms, &self.undisturbed_p99_ms)
    }
}

fn ratio(figures: &[f64], base: &[f64]) -> Option<Spread> {
    Spread::of_ratios(figures.iter().copied(), base.iter().copied())
}

/// Measures all of it on a server of its own.
///
/// # Errors
/// The server does not start, or an answer is not what it must be.
pub async fn measure(storage: &Storage, programs: &Programs, tokens: &Tokens) -> Fallible<LargeUser> {
    storage.create(DATABASE).await?;
    let url = storage.url(DATABASE);
    migrate(programs, &url)?;
    storage.fill(DATABASE, 0..1, TASKS).await?;
    storage.fill(DATABASE, 1..OTHERS + 1, TASKS_OF_OTHERS).await?;
    let server = Server::start(Kind::TaskApi, programs, &url, tokens).await?;
    let mut reader = Reader {
        connection: Connection::open(server.address).await?,
        bearer: tokens.bearer(&user(0))?,
    };
    let (first_page_ms, deep_page_ms) = reader.first_and_deep_pages().await?;
    let tasks = storage.known_tasks(DATABASE).await?;
    let tasks = tasks.into_iter().filter(|task| *task.user != *user(0));
    let requests = Requests::new(tasks.collect(), tokens)?;
    let turn = Turn {
        address: server.address,
        operation: Operation::Get,
        requests: &requests,
        connections: CONNECTIONS,
        duration: TURN,
        server: &server.processes,
        storage,
        database: DATABASE,
    };
    let (undisturbed_p99_ms, disturbed_p99_ms) = neighbours(turn, &mut reader).await?;
    Ok(LargeUser {
        first_page_ms,
        deep_page_ms,
        undisturbed_p99_ms,
        disturbed_p99_ms,
    })
}

/// The p99 of others, round by round: undisturbed, and while the user searches without end.
async fn neighbours(turn: Turn<'_>, reader: &mut Reader) -> Fallible<(Vec<f64>, Vec<f64>)> {
    let (mut undisturbed, mut disturbed) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        tell(&format!(
            "others while the user searches without end, round {round}/{ROUNDS}"
        ));
        undisturbed.push(p99_of_right_answers(turn).await?);
        disturbed.push(select! {
            p99 = p99_of_right_answers(turn) => p99?,
            ended = reader.search_without_end() => return Err(ended),
        });
        // The search that was under way when the turn ended has taken its connection along.
        reader.connection = Connection::open(turn.address).await?;
    }
    Ok((undisturbed, disturbed))
}

/// Wrong answers may well be fast, so one of them ends the measurement.
async fn p99_of_right_answers(turn: Turn<'_>) -> Fallible<f64> {
    let measured = load::run(turn).await?;
    if measured.failures > 0 {
        return Err(format!("{} reads were answered wrongly", measured.failures).into());
    }
    Ok(measured.p99_ms)
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

    /// The times of page 1 and of a deep page, round by round.
    async fn first_and_deep_pages(&mut self) -> Fallible<(Vec<f64>, Vec<f64>)> {
        let behind = self.cursor_behind((DEEP_PAGE - 1) * PAGE).await?;
        let (mut first, mut deep) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            tell(&format!("page 1 and page {DEEP_PAGE}, round {round}/{ROUNDS}"));
            first.push(self.median_milliseconds(None).await?);
            deep.push(self.median_milliseconds(Some(&behind)).await?);
        }
        Ok((first, deep))
    }

    /// Searches again and again, until someone stops it.
    async fn search_without_end(&mut self) -> Box<dyn std::error::Error> {
        let mut request = Vec::new();
        write_request(&mut request, "GET", SEARCH, Some(&self.bearer), None);
        loop {
            match self.connection.exchange(&request).await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => return format!("a search answers {}", answer.status).into(),
                Err(error) => return error.into(),
            }
        }
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
