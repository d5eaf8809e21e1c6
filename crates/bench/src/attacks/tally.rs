//! The fates of requests.

use std::collections::BTreeMap;
use std::fmt;

/// The fate of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was answered with this status.
    Status(u16),
    /// Its connection ended before the answer did, or was refused, or what came is no answer.
    Broken,
    /// No answer came in time.
    Silent,
    /// Its connection was closed by its own sender, who did not want to know.
    Abandoned,
    /// Its answer was held until the end of the attack by a reader that took too little.
    Held,
    /// Its answer was not waited for any longer: the server ended the connection of a reader that took too little.
    CutOff,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Broken => f.write_str("broken"),
            Self::Silent => f.write_str("silent"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Held => f.write_str("held"),
            Self::CutOff => f.write_str("cut off"),
        }
    }
}

/// How many requests had which fate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Fate, u64>);

impl Tally {
    /// One more.
    pub fn add(&mut self, fate: Fate) {
        *self.0.entry(fate).or_default() += 1;
    }

    /// How many had a fate of this kind.
    #[must_use]
    pub fn count(&self, is_meant: impl Fn(Fate) -> bool) -> u64 {
        let meant = self.0.iter().filter(|(fate, _)| is_meant(**fate));
        meant.map(|(_, count)| count).sum()
    }
}

impl FromIterator<Fate> for Tally {
    fn from_iter<I: IntoIterator<Item = Fate>>(fates: I) -> Self {
        let mut tally = Self::default();
        for fate in fates {
            tally.add(fate);
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("–");
        }
        let parts: Vec<_> = self
            .0
            .iter()
            .map(|(fate, count)| format!("{fate} × {count}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_counted_by_kind_and_told_in_their_order() {
        let fates = [
            Fate::Broken,
            Fate::Status(503),
            Fate::Status(200),
            Fate::Status(200),
        ];
        let tally: Tally = fates.into_iter().collect();
        assert_eq!(tally.to_string(), "200 × 2, 503 × 1, broken × 1");
        assert_eq!(tally.count(|fate| fate != Fate::Status(200)), 2);
        assert_eq!(Tally::default().to_string(), "–");
    }
}
