//! Step 3 for key pairs: tokens of a front end that publishes its keys, and those who would like to be it.

pub(crate) mod accepted;
mod access_tokens;
pub(crate) mod algorithms;
pub(crate) mod claims;
pub(crate) mod confusion;
mod differential;
pub(crate) mod ids;
mod properties;
mod published;
pub(crate) mod signatures;

pub(crate) use published::*;

/// Every table of this module, hostile and good.
pub(crate) fn all_cases() -> impl Iterator<Item = &'static crate::support::Case> {
    [
        accepted::CASES,
        algorithms::CASES,
        claims::CASES,
        confusion::CASES,
        ids::CASES,
        signatures::CASES,
    ]
    .into_iter()
    .flatten()
}
