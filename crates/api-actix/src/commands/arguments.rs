//! Arguments that several commands have.

use domain::identity::Owner;

/// Reads a user id.
pub(crate) fn parse_owner(text: &str) -> Result<Owner, String> {
    Owner::parse(text).map_err(|error| error.to_string())
}
