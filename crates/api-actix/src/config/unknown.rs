//! Names that look like settings of ours and are none: mostly typos.

use strsim::levenshtein;

use super::Source;

/// The prefixes of families of our settings. `LOG_` and `OTEL_` are left out: many a program has a `LOG_DIR`, and
/// OpenTelemetry has more settings than we ask for.
const PREFIXES: [&str; 6] = ["BETTER_AUTH_", "CORS_", "DB_", "JWKS_", "JWT_", "RATE_LIMIT_"];
/// A family that front ends have settings in too (`DATABASE_HOST`, `DATABASE_URL_UNPOOLED`): only typos are noticed.
const SHARED_PREFIX: &str = "DATABASE_";
/// Settings of others, which share `.env` with us: of Better Auth itself, and where Payload keeps its data.
const OF_OTHERS: [&str; 4] = [
    "BETTER_AUTH_API_KEY",
    "BETTER_AUTH_TELEMETRY",
    "BETTER_AUTH_TRUSTED_ORIGINS",
    "DATABASE_URI",
];
/// How many letters a typo may change, and never more than a third of those behind the prefix.
const MOST_LETTERS: usize = 3;

/// A sentence about each name that looks like one of ours and is none. All settings must have been asked for.
pub(crate) fn settings(source: &Source) -> Vec<String> {
    let asked = source.asked();
    let sentence = |name: &str| {
        let (prefix, is_shared) = family(name)?;
        let letters = name.len() - prefix.len();
        let distances = asked.keys().map(|known| (levenshtein(name, known), known));
        let is_typo = |distance| distance <= MOST_LETTERS && distance * 3 <= letters;
        match distances.min().filter(|(distance, _)| is_typo(*distance)) {
            Some((_, nearest)) => Some(format!(
                "{name} is no setting of task-api; did you mean {nearest}?"
            )),
            None if is_shared => None,
            None => Some(format!("{name} is no setting of task-api")),
        }
    };
    source
        .given()
        .into_iter()
        .filter(|name| !asked.contains_key(*name) && !OF_OTHERS.contains(name))
        .filter_map(sentence)
        .collect()
}

/// The prefix of a name that could be one of ours, and whether others use it too.
fn family(name: &str) -> Option<(&'static str, bool)> {
    let own = PREFIXES.into_iter().map(|prefix| (prefix, false));
    own.chain([(SHARED_PREFIX, true)])
        .find(|(prefix, _)| name.starts_with(prefix))
}

/// The same in the log, and what is odd about the values of settings.
pub(crate) fn log_warnings(source: &Source) {
    let odd = source.odd().into_iter().map(|(_, sentence)| sentence);
    for warning in settings(source).into_iter().chain(odd) {
        tracing::warn!("{warning}");
    }
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
    fn of_a_family_that_others_share_only_typos_are_noticed() {
        let mut given = vec![("DATABASE_MIGRATIONS_URL", "x")];
        let of_others = [
            "DATABASE_AUTH_TOKEN",
            "DATABASE_DIRECT_URL",
            "DATABASE_HOST",
            "DATABASE_NAME",
            "DATABASE_PASSWORD",
            "DATABASE_PORT",
            "DATABASE_SSL",
            "DATABASE_URI",
            "DATABASE_URL_UNPOOLED",
            "DATABASE_USER",
        ];
        given.extend(of_others.map(|name| (name, "x")));
        let source = Source::of_environment(&given);
        for name in ["DATABASE_MIGRATION_URL", "DATABASE_URL", "DATABASE_URL_FILE"] {
            source.text(name);
        }
        assert_eq!(
            settings(&source),
            ["DATABASE_MIGRATIONS_URL is no setting of task-api; did you mean DATABASE_MIGRATION_URL?"]
        );
    }

    /// `dev` does not ask where the database is.
    #[test]
    fn a_setting_of_such_a_family_that_was_not_asked_for_is_not_noticed() {
        let source = Source::of_environment(&[("DATABASE_URL", "x"), ("DATABASE_MIGRATION_URL", "x")]);
        source.text("DB_POOL_SIZE");
        assert_eq!(settings(&source), Vec::<String>::new());
    }
}
