//! Names that look like settings of ours and are none: mostly slips of the pen.

use super::Source;

/// What every setting of ours that has a family begins with.
const PREFIXES: [&str; 6] = ["BETTER_AUTH_", "CORS_", "DB_", "JWKS_", "JWT_", "RATE_LIMIT_"];
/// Settings of Better Auth itself, which shares `.env` with us.
const OF_BETTER_AUTH: [&str; 3] = [
    "BETTER_AUTH_API_KEY",
    "BETTER_AUTH_TELEMETRY",
    "BETTER_AUTH_TRUSTED_ORIGINS",
];
/// How many letters a slip of the pen may change, and never more than a third of them.
const SLIP: usize = 3;

/// A sentence about each name that looks like one of ours and is none. All settings must have been asked for.
pub(crate) fn settings(source: &Source) -> Vec<String> {
    let asked = source.asked();
    let is_unknown = |name: &&str| {
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !asked.contains_key(*name)
            && !OF_BETTER_AUTH.contains(name)
    };
    let sentence = |name: &str| {
        let distances = asked.keys().map(|known| (distance(name, known), known));
        let is_slip = |distance| distance <= SLIP && distance * 3 <= name.len();
        match distances.min().filter(|(distance, _)| is_slip(*distance)) {
            Some((_, nearest)) => format!("{name} is no setting of task-api; did you mean {nearest}?"),
            None => format!("{name} is no setting of task-api"),
        }
    };
    source
        .given()
        .into_iter()
        .filter(is_unknown)
        .map(sentence)
        .collect()
}

/// The same in the log.
pub(crate) fn log_warnings(source: &Source) {
    for unknown in settings(source) {
        tracing::warn!("{unknown}");
    }
}

/// How many letters must be inserted, removed or replaced to make one name of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, other_letter) in row.iter_mut().skip(1).zip(other.bytes()) {
            let replaced = diagonal + usize::from(letter != other_letter);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_our_prefix_that_is_none_of_ours_is_noticed_with_the_nearest_one() {
        let source = Source::of_environment(&[
            ("BETTER_AUTH_SECERT", "x"),
            ("DB_POOLSIZE", "1"),
            ("DB_HOST", "h"),
            ("BETTER_AUTH_URL", "https://a.example"),
            ("NEXT_PUBLIC_URL", "x"),
            ("JWT_ISSUER", "https://a.example"),
        ]);
        for name in [
            "BETTER_AUTH_SECRET",
            "BETTER_AUTH_URL",
            "DB_POOL_SIZE",
            "HOST",
            "JWT_ISSUER",
        ] {
            source.text(name);
        }
        assert_eq!(
            settings(&source),
            [
                "BETTER_AUTH_SECERT is no setting of task-api; did you mean BETTER_AUTH_SECRET?",
                "DB_HOST is no setting of task-api",
                "DB_POOLSIZE is no setting of task-api; did you mean DB_POOL_SIZE?",
            ]
        );
    }

    #[test]
    fn the_distance_of_names_counts_insertions_removals_and_replacements() {
        for (one, other, wanted) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(one, other), wanted, "{one} {other}");
        }
    }
}
