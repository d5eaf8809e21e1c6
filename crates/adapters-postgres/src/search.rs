//! The folding rule of searches (`domain::task::fold`) in SQL.

use diesel::QueryResult;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};

/// A text in lower case by the rules of Unicode, with both forms of the small sigma as one.
///
/// The collation `und-x-icu` knows the letters of every script, whatever the locale of the database. Every PostgreSQL
/// that is built with ICU has it, and all that are packaged or hosted are.
#[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
pub(crate) struct Folded<E>(pub(crate) E);

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
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" COLLATE \"und-x-icu\"), 'ς', 'σ')");
        Ok(())
    }
}
