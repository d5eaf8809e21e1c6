//! Which attacks, on what, for how long, as the command line says it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::attack::{Attack, Database};
use super::victims::Pace;

/// Attacks task-api on this machine as one odd client or one greedy user would, and tells what the others notice:
/// brings its own PostgreSQL, talks to loopback only, ends by itself.
#[derive(Debug, Parser)]
#[command(name = "attacks")]
pub struct Options {
    /// About a minute: fewer attacks, each a second and a half, on less data
    #[arg(long)]
    short: bool,
    /// Only these attacks
    #[arg(long, value_delimiter = ',', value_name = "ATTACK")]
    only: Vec<Attack>,
    /// Only with this database
    #[arg(long, value_delimiter = ',', value_name = "DATABASE")]
    storage: Vec<Database>,
    /// The program to attack, or several in turn: `before=PATH,after=PATH`, the oldest first. Built if none is given
    #[arg(long, value_delimiter = ',', value_name = "[NAME=]PATH", value_parser = binary)]
    binary: Vec<Binary>,
    /// How long each attack takes, in seconds
    #[arg(long, value_name = "NUMBER", value_parser = crate::options::seconds)]
    seconds: Option<Duration>,
}

/// A program to attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// Its name in the table.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The attacks.
    pub attacks: Vec<Attack>,
    /// The databases.
    pub databases: Vec<Database>,
    /// The programs; none is the one that is built from here.
    pub binaries: Vec<Binary>,
    /// How long the others are watched under attack.
    pub attacked: Duration,
    /// How long the others are watched before it.
    pub undisturbed: Duration,
    /// Whether they are watched undisturbed before every attack, or once for each database.
    pub compares_each: bool,
    /// How often each of the others asks for something.
    pub pace: Pace,
    /// How many tasks of 10,000 characters the attacker has.
    pub tasks: i64,
    /// How long statements are waited for that no one wants any more.
    pub time_limit: Duration,
}

impl From<Options> for Plan {
    fn from(options: Options) -> Self {
        let is_short = options.short;
        let attacks = if options.only.is_empty() {
            let all = Attack::ALL.iter().copied();
            all.filter(|attack| !is_short || attack.is_in_short_form())
                .collect()
        } else {
            options.only
        };
        let databases = if options.storage.is_empty() {
            vec![Database::Postgres, Database::Sqlite]
        } else {
            options.storage
        };
        let usual = Duration::from_millis(if is_short { 1_500 } else { 5_000 });
        let attacked = options.seconds.unwrap_or(usual);
        Self {
            attacks,
            databases,
            binaries: options.binary,
            attacked,
            undisturbed: if is_short {
                Duration::from_secs(1)
            } else {
                attacked
            },
            compares_each: !is_short,
            // Far below what one core does even in a build for debugging: no one is to wait because of them.
            pace: Pace {
                get_every: Duration::from_millis(if is_short { 100 } else { 40 }),
                post_every: Duration::from_millis(if is_short { 200 } else { 80 }),
            },
            tasks: if is_short { 5_000 } else { 20_000 },
            time_limit: Duration::from_secs(if is_short { 6 } else { 20 }),
        }
    }
}

fn binary(text: &str) -> Result<Binary, String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name.to_owned(), PathBuf::from(path)),
        None => (text.to_owned(), PathBuf::from(text)),
    };
    let path = path.canonicalize().map_err(|error| error.to_string())?;
    Ok(Binary { name, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &str) -> Plan {
        Options::parse_from(arguments.split(' ')).into()
    }

    #[test]
    fn everything_is_done_on_both_databases_unless_less_is_asked_for() {
        let plan = plan("attacks");
        assert_eq!(plan.attacks, Attack::ALL);
        assert_eq!(plan.databases.len(), 2);
        assert!(plan.compares_each);
    }

    #[test]
    fn the_short_form_does_less_for_a_shorter_time_but_what_is_asked_for_counts() {
        let short = plan("attacks --short");
        assert!(!short.attacks.contains(&Attack::SlowReaders));
        assert!(short.attacks.contains(&Attack::HalfOpen) && short.attacks.contains(&Attack::Http10));
        let asked = plan("attacks --short --only slow-readers,http-1.0 --storage sqlite --seconds 3");
        assert_eq!(asked.attacks, [Attack::SlowReaders, Attack::Http10]);
        assert_eq!(asked.databases, [Database::Sqlite]);
        assert_eq!(asked.attacked, Duration::from_secs(3));
    }

    #[test]
    fn programs_have_the_names_they_are_given_and_must_be_there() {
        let named = binary("before=/bin/sh").unwrap();
        assert_eq!(named.name, "before");
        assert_eq!(binary("/bin/sh").unwrap().name, "/bin/sh");
        assert!(binary("before=/no/such/program").is_err());
    }
}
