//! The observations as a table, and which bounds were passed.

use std::fmt::Write;
use std::time::Duration;

use super::attack::{Attack, Database};
use super::observation::{Cleared, MOST_MEBIBYTES, Observation};
use super::tally::{Fate, Tally};
use super::victims::{Request, Seen};
use super::world::{POOL_SIZE, WORKERS};

/// The most memory that the server may take under any attack.
const MEMORY_BOUND: f64 = 150.0;
/// How soon it must work again after its connections to the database have fallen silent.
const RECOVERY_BOUND: Duration = Duration::from_millis(1_500);
/// How soon no one works any more for those who have gone: no statement may take longer.
const CLEARED_BOUND: Duration = Duration::from_secs(5);

/// How a server came back after its connections had fallen silent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recovery {
    /// When each of the others had read a task that was asked for afterwards.
    pub first_get: Option<Duration>,
    /// When each of them had created one.
    pub first_post: Option<Duration>,
    /// When the last request was made that failed.
    pub last_failure: Option<Duration>,
    /// The longest that any request took.
    pub slowest: Option<Duration>,
}

/// One attack on one server.
#[derive(Debug, Clone)]
pub struct Row {
    /// The attack.
    pub attack: Attack,
    /// The storage of the server.
    pub database: Database,
    /// Which program it was.
    pub program: String,
    /// The others before it.
    pub undisturbed: Seen,
    /// The others meanwhile.
    pub attacked: Seen,
    /// The fates of the attacker's requests.
    pub attackers: Tally,
    /// The observation from outside.
    pub observation: Observation,
    /// How it came back, if it had to.
    pub recovery: Option<Recovery>,
    /// Whether the server has ended.
    pub is_dead: bool,
}

impl Row {
    /// Which bounds were passed. None is about how long requests take: that depends on the machine, so it is only told.
    #[must_use]
    pub fn passed_bounds(&self) -> Vec<String> {
        let mut passed = Vec::new();
        let mut bound = |is_passed: bool, text: String| {
            if is_passed {
                passed.push(text);
            }
        };
        bound(self.is_dead, "the server has ended".to_owned());
        let before = self.undisturbed.failures();
        let failed_before = before.count(|_| true);
        bound(failed_before > 0, format!("others, before the attack: {before}"));
        let failures = self.attacked.failures();
        // No one knows what became of a statement that was under way on a connection that fell silent, and for a moment
        // the database is out of reach.
        let is_excused = |fate| self.recovery.is_some() && fate == Fate::Status(503);
        let failed = failures.count(|fate| !is_excused(fate));
        bound(failed > 0, format!("others: {failures}"));
        let readiness = &self.attacked.readiness;
        let red = readiness.count(|fate| fate != Fate::Status(200) && !is_excused(fate));
        bound(red > 0, format!("/readyz: {readiness}"));
        let memory = self.observation.peak_mebibytes.unwrap_or(0.0);
        bound(
            memory > MEMORY_BOUND,
            format!("memory: {memory:.0} MiB, at most {MEMORY_BOUND} MiB"),
        );
        let unserved = self
            .attackers
            .count(|fate| !matches!(fate, Fate::Status(200..300)));
        bound(
            self.attack.must_succeed() && unserved > 0,
            format!("asked for no more than anybody may: {}", self.attackers),
        );
        if let Some(recovery) = self.recovery {
            for (request, first) in [("GET", recovery.first_get), ("POST", recovery.first_post)] {
                bound(
                    first.is_none_or(|first| first > RECOVERY_BOUND),
                    format!(
                        "first {request}: {}, at most {}",
                        seconds(first),
                        seconds(Some(RECOVERY_BOUND))
                    ),
                );
            }
            let last = recovery.last_failure;
            bound(
                last.is_some_and(|last| last > RECOVERY_BOUND),
                format!(
                    "last failure: {}, at most {}",
                    seconds(last),
                    seconds(Some(RECOVERY_BOUND))
                ),
            );
        }
        let statements = self.observation.statements.unwrap_or(0);
        let most = i64::try_from(POOL_SIZE + WORKERS).unwrap_or(i64::MAX);
        bound(
            statements > most,
            format!("statements at once: {statements}, at most {most}"),
        );
        if let Some(cleared) = self.observation.cleared {
            let is_late = !matches!(cleared, Cleared::After(time) if time <= CLEARED_BOUND);
            bound(
                is_late,
                format!("{}, at most {CLEARED_BOUND:?}", cleared_text(cleared)),
            );
        }
        passed
    }

    /// Remarks about some attacks only.
    fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        if let Some(recovery) = self.recovery {
            remarks.push(format!(
                "first GET {}, first POST {}, last failure {}, slowest {}",
                seconds(recovery.first_get),
                seconds(recovery.first_post),
                seconds(recovery.last_failure),
                seconds(recovery.slowest)
            ));
        }
        // One or two at once are those of the others, where the disk is slow.
        if let Some(statements) = self.observation.statements.filter(|statements| *statements > 2) {
            remarks.push(format!("statements at once: {statements}"));
        }
        if let Some(cleared) = self.observation.cleared {
            remarks.push(cleared_text(cleared));
        }
        if self.observation.is_cut_short {
            remarks.push(format!("ended early, at {MOST_MEBIBYTES} MiB"));
        }
        remarks.join("; ")
    }
}

/// The table, and the bounds that were passed.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | storage | program | GET p50 ms | GET p99 ms | POST p50 ms | POST p99 ms | others 503 | other | \
         broken, silent | attacker's own | memory MiB | /readyz | busy | remarks |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let failures = row.attacked.failures();
        let of = |is_meant: fn(Fate) -> bool| failures.count(is_meant);
        let percentile = |request, share| {
            from_to(
                row.undisturbed.milliseconds(request, share),
                row.attacked.milliseconds(request, share),
            )
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.attack.name(),
            row.database.name(),
            row.program,
            percentile(Request::Get, 0.5),
            percentile(Request::Get, 0.99),
            percentile(Request::Post, 0.5),
            percentile(Request::Post, 0.99),
            of(|fate| fate == Fate::Status(503)),
            of(|fate| matches!(fate, Fate::Status(status) if status != 503)),
            of(|fate| !matches!(fate, Fate::Status(_))),
            row.attackers,
            rounded(row.observation.peak_mebibytes),
            row.attacked.readiness,
            rounded(row.observation.busy),
            row.remarks(),
        );
    }
    let passed: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            let heading = format!(
                "- {} on {}, {}: ",
                row.attack.name(),
                row.database.name(),
                row.program
            );
            let passed = row.passed_bounds().into_iter();
            passed.map(move |bound| format!("{heading}{bound}\n"))
        })
        .collect();
    if passed.is_empty() {
        text += "\nNo bound was passed.\n";
    } else {
        let _ = write!(text, "\nBounds that were passed:\n\n{}", passed.concat());
    }
    text
}

fn from_to(before: Option<f64>, after: Option<f64>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{before:.1} → {after:.1} ({:.1} ×)", after / before),
        _ => "–".to_owned(),
    }
}

fn rounded(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.0}"))
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "never".to_owned(),
        |time| format!("{:.2} s", time.as_secs_f64()),
    )
}

fn cleared_text(cleared: Cleared) -> String {
    match cleared {
        Cleared::After(time) => format!("none is running {} after the end", seconds(Some(time))),
        Cleared::Never => "some are running long after the end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::victims::Sample;
    use super::*;

    fn seen(fates: &[Fate], readiness: &[Fate]) -> Seen {
        let due = Instant::now();
        let sample = |fate: &Fate| Sample {
            victim: 0,
            request: Request::Get,
            due,
            done: due + Duration::from_millis(2),
            fate: *fate,
        };
        Seen {
            samples: fates.iter().map(sample).collect(),
            readiness: readiness.iter().copied().collect(),
        }
    }

    fn row(attack: Attack) -> Row {
        Row {
            attack,
            database: Database::Postgres,
            program: "task-api".to_owned(),
            undisturbed: seen(&[Fate::Status(200)], &[]),
            attacked: seen(&[Fate::Status(200); 2], &[Fate::Status(200)]),
            attackers: [Fate::Status(200)].into_iter().collect(),
            observation: Observation {
                peak_mebibytes: Some(60.0),
                ..Observation::default()
            },
            recovery: None,
            is_dead: false,
        }
    }

    #[test]
    fn a_server_that_serves_everybody_passes_no_bound() {
        let rows = [row(Attack::Searches)];
        assert_eq!(rows[0].passed_bounds(), [""; 0]);
        let table = markdown(&rows);
        let cells = "| searches | PostgreSQL | task-api | 2.0 → 2.0 (1.0 ×) | 2.0 → 2.0 (1.0 ×) | – | – | 0 | 0 | 0 | 200 × 1 | 60 | 200 × 1 | – |";
        assert!(table.contains(cells), "{table}");
        assert!(table.ends_with("No bound was passed.\n"));
    }

    #[test]
    fn every_refusal_of_another_and_every_red_light_passes_a_bound() {
        for fate in [Fate::Status(503), Fate::Status(400), Fate::Broken, Fate::Silent] {
            let mut refused = row(Attack::Searches);
            refused.attacked = seen(&[fate], &[Fate::Status(200)]);
            assert_eq!(refused.passed_bounds(), [format!("others: {fate} × 1")]);
            let mut red = row(Attack::Searches);
            red.attacked = seen(&[], &[fate]);
            assert_eq!(red.passed_bounds(), [format!("/readyz: {fate} × 1")]);
        }
    }

    #[test]
    fn memory_statements_and_the_end_of_the_server_have_bounds() {
        let mut row = row(Attack::Pooler);
        row.observation = Observation {
            peak_mebibytes: Some(151.0),
            statements: Some(43),
            cleared: Some(Cleared::Never),
            ..Observation::default()
        };
        row.is_dead = true;
        assert_eq!(row.passed_bounds().len(), 4, "{:?}", row.passed_bounds());
    }

    #[test]
    fn only_those_who_ask_for_no_more_than_anybody_may_must_be_served() {
        let refused: Tally = [Fate::Status(503)].into_iter().collect();
        for (attack, passed) in [(Attack::Crowd, 1), (Attack::Searches, 0)] {
            let mut row = row(attack);
            row.attackers = refused.clone();
            assert_eq!(row.passed_bounds().len(), passed, "{attack:?}");
        }
    }

    #[test]
    fn after_a_silence_others_may_be_refused_but_not_for_long() {
        let mut row = row(Attack::HalfOpen);
        row.attacked = seen(&[Fate::Status(503)], &[Fate::Status(503)]);
        let first = Some(Duration::from_millis(900));
        row.recovery = Some(Recovery {
            first_get: first,
            first_post: first,
            last_failure: first,
            slowest: first,
        });
        assert_eq!(row.passed_bounds(), [""; 0]);
        row.recovery = Some(Recovery {
            first_get: first,
            first_post: None,
            last_failure: Some(Duration::from_secs(2)),
            slowest: first,
        });
        let passed = [
            "first POST: never, at most 1.50 s",
            "last failure: 2.00 s, at most 1.50 s",
        ];
        assert_eq!(row.passed_bounds(), passed);
        row.recovery = None;
        assert_eq!(row.passed_bounds(), ["others: 503 × 1", "/readyz: 503 × 1"]);
    }
}
