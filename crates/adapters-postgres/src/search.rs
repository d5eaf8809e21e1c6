//! The rules of searches in SQL: folding (`domain::task::fold_case`), and every character standing for itself.

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use domain::task::SearchTerm;

/// Which capital letters the server can turn into small ones. A search misses the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Those of every script, whatever the locale of the database: it was built with ICU, as nearly all are.
    All,
    /// Those that the locale of the database knows.
    OfLocale,
}

impl Letters {
    /// The same text with its letters folded.
    pub(crate) fn folded<E>(self, text: E) -> Folded<E> {
        Folded { text, letters: self }
    }
}

/// A text in lower case by the rules of Unicode, with both forms of the small sigma as one.
#[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
pub(crate) struct Folded<E> {
    text: E,
    letters: Letters,
}

impl<E: Expression> Expression for Folded<E> {
    type SqlType = E::SqlType;
}

impl<E, T> AppearsOnTable<T> for Folded<E>
where
    E: AppearsOnTable<T>,
    Self: Expression,
{
}

impl<E: QueryFragment<Pg>> QueryFragment<Pg> for Folded<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("replace(lower(");
        self.text.walk_ast(out.reborrow())?;
        out.push_sql(match self.letters {
            Letters::All => " COLLATE \"und-x-icu\"), 'ς', 'σ')",
            Letters::OfLocale => " COLLATE \"default\"), 'ς', 'σ')",
        });
        Ok(())
    }
}

/// The pattern of `LIKE` (with its usual `\`) that finds a term in folded text.
pub(crate) fn pattern_of(term: &SearchTerm) -> String {
    let mut pattern = String::from("%");
    for character in term.folded().chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_themselves() {
        let term = SearchTerm::parse(r"50%_\").unwrap();
        assert_eq!(pattern_of(&term), r"%50\%\_\\%");
    }
}
