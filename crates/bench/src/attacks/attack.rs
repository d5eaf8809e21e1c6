//! The attacks, by name.

use clap::ValueEnum;

/// The storage of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// A throwaway cluster.
    Postgres,
    /// A file.
    Sqlite,
}

impl Database {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// The attack on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Attack {
    /// Control: two threads compute and ask nothing of the server
    #[value(name = "processor-2")]
    Processor2,
    /// Control: four threads compute
    #[value(name = "processor-4")]
    Processor4,
    /// Control: sixteen threads compute
    #[value(name = "processor-16")]
    Processor16,
    /// Anonymous `GET /livez HTTP/1.0`, fifty a second, as a load balancer sends them
    #[value(name = "http-1.0")]
    Http10,
    /// The same as fast as it goes on eight connections, and on eight kept ones
    #[value(name = "http-1.0-many")]
    Http10Many,
    /// 200 connections ask for pages of 500 tasks of 10,000 four-byte characters and read nothing
    UnreadPages,
    /// 20 connections ask for such a page and read 128 KiB of it every 25 s
    SlowReaders,
    /// Searches that match nothing, on 16 connections
    Searches,
    /// Five such searches a second whose connections are closed at once
    SearchesClosed,
    /// The same, closed by a reset
    SearchesReset,
    /// `HEAD /api/tasks?limit=500` on 64 connections
    Heads,
    /// The same with GET
    Pages,
    /// `sort=title` on 16 connections
    Sorts,
    /// `count=exact` with a search, on 16 connections
    Counts,
    /// The summary, on 16 connections
    Summaries,
    /// Deletions of many that match nothing, on 16 connections
    Deletes,
    /// PUT on one own task, on 256 connections
    PutsOneRow,
    /// GET of one own task, on 256 connections
    Gets,
    /// 100 requests of one user at once, again and again: all must succeed
    Crowd,
    /// Twenty searches a second, closed by a reset, behind a pooler that refuses start-up options
    Pooler,
    /// Every connection to the database falls silent at once, and no one is told
    HalfOpen,
}

impl Attack {
    /// All of them, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Processor2,
        Self::Processor4,
        Self::Processor16,
        Self::Http10,
        Self::Http10Many,
        Self::UnreadPages,
        Self::SlowReaders,
        Self::Searches,
        Self::SearchesClosed,
        Self::SearchesReset,
        Self::Heads,
        Self::Pages,
        Self::Sorts,
        Self::Counts,
        Self::Summaries,
        Self::Deletes,
        Self::PutsOneRow,
        Self::Gets,
        Self::Crowd,
        Self::Pooler,
        Self::HalfOpen,
    ];

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether there is such a thing with this database.
    #[must_use]
    pub fn is_possible_on(self, database: Database) -> bool {
        database == Database::Postgres || !matches!(self, Self::Pooler | Self::HalfOpen)
    }

    /// Whether the short form has it: not what takes long, and of what is alike only one.
    #[must_use]
    pub fn is_in_short_form(self) -> bool {
        !matches!(
            self,
            Self::Processor4
                | Self::Processor16
                | Self::SlowReaders
                | Self::Pages
                | Self::Summaries
                | Self::Deletes
        )
    }

    /// How many threads compute meanwhile, if it is a control.
    #[must_use]
    pub fn computing_threads(self) -> usize {
        match self {
            Self::Processor2 => 2,
            Self::Processor4 => 4,
            Self::Processor16 => 16,
            _ => 0,
        }
    }

    /// Whether anyone who does it asks for no more than anyone may, and must get it.
    #[must_use]
    pub fn must_succeed(self) -> bool {
        matches!(self, Self::Http10 | Self::Http10Many | Self::Crowd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_is_in_the_table_once_and_has_a_name() {
        assert_eq!(Attack::ALL, Attack::value_variants());
        assert_eq!(Attack::Http10.name(), "http-1.0");
        assert_eq!(Attack::PutsOneRow.name(), "puts-one-row");
    }

    #[test]
    fn what_happens_on_the_way_to_a_server_of_a_database_is_impossible_with_a_file() {
        let only_postgres = Attack::ALL
            .iter()
            .filter(|attack| !attack.is_possible_on(Database::Sqlite));
        assert!(only_postgres.eq(&[Attack::Pooler, Attack::HalfOpen]));
    }
}
