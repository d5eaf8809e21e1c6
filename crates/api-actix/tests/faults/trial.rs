//! One fault under load: from a clean start to the verdict.

use std::fmt;
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::ledger::{Harm, Ledger, Sight};
use crate::load::{End, Exchange, Load, Outcome};
use crate::stage::Stage;
use crate::{TURN, seed};

/// A fault that users at work live through.
pub(crate) struct Trial {
    fault: &'static str,
    has_fault: bool,
    users: u64,
    warm_up: Duration,
    may_break: bool,
}

impl Trial {
    pub(crate) fn of(fault: &'static str) -> Self {
        Self {
            fault,
            has_fault: true,
            users: 16,
            warm_up: Duration::from_millis(300),
            may_break: false,
        }
    }

    /// Many users, and nothing else that could go wrong.
    pub(crate) fn of_a_crowd(name: &'static str, users: u64) -> Self {
        Self {
            has_fault: false,
            users,
            ..Self::of(name)
        }
    }

    /// How long everything is healthy before the fault.
    pub(crate) fn warm_up(self, warm_up: Duration) -> Self {
        Self { warm_up, ..self }
    }

    /// The server dies: there is no listener for a while, and requests that were under way get no answer.
    pub(crate) fn may_break(self) -> Self {
        Self {
            may_break: true,
            ..self
        }
    }

    /// Has users at work live through the fault, prints what they saw, and insists on what was promised to them.
    pub(crate) async fn strikes<T>(self, fault: impl AsyncFnOnce(&Stage, &Load) -> T) -> (Report, T) {
        // One at a time, or one would be the other's fault.
        let _turn = TURN.lock().await;
        let stage = if self.has_fault {
            Stage::set_with_slow_commits().await
        } else {
            Stage::set().await
        };
        let mut load = Load::of_users(self.users, stage.api());
        load.stores(50).await;
        tokio::time::sleep(self.warm_up).await;
        let memory_before = stage.memory();
        let began = Instant::now();
        let outcome_of_fault = fault(&stage, &load).await;
        let ended = Instant::now();
        if self.has_fault {
            load.is_served_again().await;
            load.rush(stage.api());
        }
        let memory_after = stage.memory();
        let mut outcome = load.finish().await;
        let kept = stage.close().await;
        compare(&mut outcome, &kept);
        let report = Report {
            trial: self,
            outcome,
            began,
            ended,
            memory: (memory_before, memory_after),
        };
        report.print();
        report.is_as_promised();
        (report, outcome_of_fault)
    }
}

/// Holds the ledgers of all users against what the database holds.
fn compare(outcome: &mut Outcome, kept: &[(String, Sight)]) {
    for ledger in &mut outcome.ledgers {
        let own = kept.iter().filter(|(owner, _)| owner == ledger.owner());
        let own: Vec<_> = own.map(|(_, sight)| sight.clone()).collect();
        ledger.see_all(&own);
    }
}

/// The outcome of a trial.
pub(crate) struct Report {
    trial: Trial,
    outcome: Outcome,
    began: Instant,
    ended: Instant,
    memory: (Option<u64>, Option<u64>),
}

impl Report {
    /// How long after the end of the fault the first request succeeded.
    fn first_success(&self) -> Option<Duration> {
        let exchanges = self.outcome.exchanges.iter();
        let successes = exchanges.filter(|exchange| exchange.end.is_success());
        let after = successes.filter_map(|exchange| exchange.ended.checked_duration_since(self.ended));
        after.min()
    }

    /// How long after the end of the fault the last request failed that was made after it.
    fn last_failure(&self) -> Duration {
        let exchanges = self.outcome.exchanges.iter();
        let failures = exchanges.filter(|exchange| !exchange.end.is_success() && exchange.began > self.ended);
        failures
            .map(|exchange| exchange.ended - self.ended)
            .max()
            .unwrap_or_default()
    }

    pub(crate) fn count(&self, is_such: impl Fn(End) -> bool) -> usize {
        let exchanges = self.outcome.exchanges.iter();
        exchanges.filter(|exchange| is_such(exchange.end)).count()
    }

    pub(crate) fn slowest(&self) -> Duration {
        let times = self.outcome.exchanges.iter().map(took);
        times.max().unwrap_or_default()
    }

    /// How long requests took that ended before the fault, and those that ended during it; sorted.
    pub(crate) fn times(&self) -> (Vec<Duration>, Vec<Duration>) {
        let times = |from: Option<Instant>, to: Instant| {
            let exchanges = self.outcome.exchanges.iter();
            let such = exchanges
                .filter(|exchange| from.is_none_or(|from| exchange.ended > from) && exchange.ended <= to);
            let mut times: Vec<_> = such.map(took).collect();
            times.sort_unstable();
            times
        };
        (times(None, self.began), times(Some(self.began), self.ended))
    }

    pub(crate) fn harms(&self, harm: Harm) -> usize {
        let harms = self.outcome.ledgers.iter().flat_map(Ledger::harms);
        harms.filter(|(what, _)| *what == harm).count()
    }

    fn acknowledged(&self) -> usize {
        self.outcome.ledgers.iter().map(Ledger::acknowledged).sum()
    }

    fn print(&self) {
        static HEADING: Once = Once::new();
        HEADING.call_once(|| {
            println!("seed {} (FAULT_SEED)", seed());
            println!(
                "| fault | it took | recovery: first, stable | 2xx | 404 | 503 | other | refused, broken, silent | slowest \
                 | acknowledged | lost | doubled | resurrected | stale | foreign | MiB before, after |"
            );
            println!("|{}", "---|".repeat(16));
        });
        println!("{self}");
    }

    fn is_as_promised(&self) {
        const DEADLINE: Duration = Duration::from_secs(5);
        const LONGEST: Duration = Duration::from_secs(10);
        let Outcome {
            complaints, ledgers, ..
        } = &self.outcome;
        assert!(complaints.is_empty(), "{:#?}", first(complaints));
        let harms: Vec<_> = ledgers.iter().flat_map(Ledger::harms).collect();
        assert!(harms.is_empty(), "{:#?}", first(&harms));
        let allowed = |end: End| match end {
            End::Answered(200..=299 | 404 | 503) => true,
            End::Refused | End::Broken => self.trial.may_break,
            End::Answered(_) | End::Silent => false,
        };
        let others: Vec<_> = self
            .outcome
            .exchanges
            .iter()
            .filter(|exchange| !allowed(exchange.end))
            .map(|exchange| exchange.end)
            .collect();
        assert!(others.is_empty(), "{}: {:?}", others.len(), first(&others));
        assert!(self.slowest() <= LONGEST, "{:?}", self.slowest());
        if self.trial.has_fault {
            let recovery = self.first_success().expect("a success after the fault");
            let recovery = recovery.max(self.last_failure());
            assert!(recovery <= DEADLINE, "{recovery:?}");
        }
    }
}

/// Enough of them to see what it is about.
fn first<T>(things: &[T]) -> &[T] {
    &things[..things.len().min(5)]
}

fn took(exchange: &Exchange) -> Duration {
    exchange.ended - exchange.began
}

/// A row of the table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovery = match self.first_success() {
            _ if !self.trial.has_fault => "-".to_owned(),
            Some(first) => format!("{}, {}", seconds(first), seconds(self.last_failure())),
            None => "never".to_owned(),
        };
        let count = |is_such: fn(End) -> bool| self.count(is_such);
        let mib = |memory: Option<u64>| memory.map_or("?".to_owned(), |mib| mib.to_string());
        write!(
            f,
            "| {} | {} | {recovery} | {} | {} | {} | {} | {}, {}, {} | {} | {} | {} | {} | {} | {} | {} | {}, {} |",
            self.trial.fault,
            seconds(self.ended - self.began),
            count(|end| matches!(end, End::Answered(200..=299))),
            count(|end| end == End::Answered(404)),
            count(|end| end == End::Answered(503)),
            count(|end| matches!(end, End::Answered(status) if !matches!(status, 200..=299 | 404 | 503))),
            count(|end| end == End::Refused),
            count(|end| end == End::Broken),
            count(|end| end == End::Silent),
            seconds(self.slowest()),
            self.acknowledged(),
            self.harms(Harm::Lost),
            self.harms(Harm::Doubled),
            self.harms(Harm::Resurrected),
            self.harms(Harm::Stale),
            self.harms(Harm::Foreign),
            mib(self.memory.0),
            mib(self.memory.1),
        )
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
