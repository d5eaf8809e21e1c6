//! The OpenAPI document: that it is complete and true, and how it is served. That it describes every answer is part of
//! every other test: see `Description` of `test-api`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in tests a broken set-up should panic"
)]

mod document;
mod pages;
mod requests;
mod routes;
