//! The SQL functions that a search needs.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

diesel::define_sql_function! {
    /// The text without its letter case, by the rule of the domain: SQLite's own `lower` knows ASCII only.
    fn fold(text: Nullable<Text>) -> Nullable<Text>;
}

diesel::define_sql_function! {
    /// Where a part of a text begins, counted from 1; 0 if it is no part of it. SQLite has it. Unlike in the pattern
    /// of a `LIKE`, every character stands for itself.
    fn instr(text: Nullable<Text>, part: Text) -> Nullable<Integer>;
}

/// Teaches a connection the functions that SQLite lacks.
pub(crate) fn register(connection: &mut SqliteConnection) -> QueryResult<()> {
    // Deterministic, says `register_impl`: what folds a constant is run once per statement.
    fold_utils::register_impl(connection, |text: Option<String>| {
        text.as_deref().map(domain::task::fold_case)
    })
}
