//! A call of a port, and how long it took.

use std::time::{Duration, Instant};

/// The part of a request that a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Verifying the token.
    Authentication,
    /// A statement.
    Database,
}

impl Part {
    /// Its name in `Server-Timing`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::Database => "db",
        }
    }
}

/// A call of a port, after it has ended.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its purpose.
    pub part: Part,
    /// The operation: `verify`, or the kind of the statement.
    pub operation: &'static str,
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub took: Duration,
    /// The class of the failure.
    pub error: Option<&'static str>,
}

/// How long at least one call of this part was under way; `None` if there were none. Calls may overlap.
pub(crate) fn time_in(part: Part, calls: &[Call]) -> Option<Duration> {
    let mut spans: Vec<_> = calls
        .iter()
        .filter(|call| call.part == part)
        .map(|call| (call.started, call.started + call.took))
        .collect();
    spans.sort_unstable();
    let (mut covered_until, _) = *spans.first()?;
    let mut sum = Duration::ZERO;
    for (begin, end) in spans {
        sum += end.saturating_duration_since(begin.max(covered_until));
        covered_until = covered_until.max(end);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_do_at_the_same_time_counts_once() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let call = |part, begin, took| Call {
            part,
            operation: "SELECT",
            started: start + ms(begin),
            took: ms(took),
            error: None,
        };
        let calls = [
            call(Part::Database, 20, 10),
            call(Part::Authentication, 0, 5),
            call(Part::Database, 10, 30),
            call(Part::Database, 50, 7),
            call(Part::Database, 35, 10),
        ];
        assert_eq!(time_in(Part::Database, &calls), Some(ms(42)));
        assert_eq!(time_in(Part::Authentication, &calls), Some(ms(5)));
        assert_eq!(time_in(Part::Database, &[]), None);
    }
}
