//! The contract of the Task API over HTTP, written once, and what speaks to a running server in tests.
//!
//! | Item | Purpose |
//! |---|---|
//! | [`Api`] | a running server: in this process, or at an address that the test gives |
//! | [`Parts`] | what an application in this process is made of |
//! | [`User`], [`Answer`] | a client that speaks for a user, and what it was answered |
//! | [`Description`] | the OpenAPI document as a judge of every answer |
//! | [`Exposition`] | metrics, read from their text, strictly |
//! | [`Wire`] | a connection for what no client library would send |
//! | [`Tokens`] | the tokens of users: fake ones in this process, signed ones for the real binary |
//! | [`contract`] | the cases, and the macros that make tests of them |
//!
//! It depends on the domain and on the inbound adapter, and on no other adapter: anyone who starts the real binary over
//! a database gives the address to [`Api::at`].
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    reason = "in tests a broken set-up should panic, and some answers are looked at only for what the look asserts"
)]

mod answer;
mod api;
mod clock;
pub mod contract;
mod description;
mod exposition;
mod memory;
mod tokens;
mod unread;
mod users;
mod wire;

pub use answer::Answer;
pub use api::{Api, http_client};
pub use clock::SystemClock;
pub use description::{Description, GoodRequest, description};
pub use exposition::{Exposition, Labels, Sample};
pub use memory::Parts;
pub use tokens::{SECRET, SignedTokens, Tokens, signed, signed_with, token_for, token_signed_with};
pub use unread::{unread, unread_by};
pub use users::{User, path_of};
pub use wire::Wire;

/// Expands to one named test per case of the contract, each over an API of its own.
///
/// The caller's dev-dependencies need `tokio` with `macros` and `rt-multi-thread`: each case is a `#[tokio::test]` on
/// several threads. Attributes before the name of the function that starts an API go to every test: `#[ignore = "..."]`
/// for a storage that is not on every machine, whose tests then run with `--include-ignored`.
#[macro_export]
macro_rules! http_contract {
    ($($start:tt)+) => {
        mod isolation {
            $crate::isolation_cases! { $($start)+ }
        }
        mod problems {
            mod headers {
                $crate::headers_cases! { $($start)+ }
            }
        }
        mod seed {
            mod edge_cases {
                $crate::edge_cases_cases! { $($start)+ }
            }
            mod requirements {
                $crate::requirements_cases! { $($start)+ }
            }
            mod success_criteria {
                $crate::success_criteria_cases! { $($start)+ }
            }
            mod user_story_3 {
                $crate::user_story_3_cases! { $($start)+ }
            }
            mod user_story_4 {
                $crate::user_story_4_cases! { $($start)+ }
            }
            mod user_story_5 {
                $crate::user_story_5_cases! { $($start)+ }
            }
        }
        mod startup {
            $crate::startup_cases! { $($start)+ }
        }
        mod tasks {
            mod answers {
                $crate::answers_cases! { $($start)+ }
            }
            mod conditional {
                $crate::conditional_cases! { $($start)+ }
            }
            mod create {
                $crate::create_cases! { $($start)+ }
            }
            mod filters {
                $crate::filters_cases! { $($start)+ }
            }
            mod idempotency {
                $crate::idempotency_cases! { $($start)+ }
            }
            mod many {
                $crate::many_cases! { $($start)+ }
            }
            mod pages {
                $crate::pages_cases! { $($start)+ }
            }
            mod patch {
                $crate::patch_cases! { $($start)+ }
            }
            mod texts {
                $crate::texts_cases! { $($start)+ }
            }
            mod update {
                $crate::update_cases! { $($start)+ }
            }
        }
    };
}

/// The same for the promises about the signatures and claims of real tokens, which an API with a fake verifier cannot
/// keep.
#[macro_export]
macro_rules! signed_tokens_contract {
    ($($start:tt)+) => {
        mod signed_tokens {
            $crate::signed_tokens_cases! { $($start)+ }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Each file below `folder` with the name of the list of its cases.
    fn lists_below(folder: &Path, lists: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                lists_below(&path, lists);
            } else {
                let source = fs::read_to_string(&path).expect("a source");
                let names = source.lines().filter_map(|line| line.strip_prefix("cases! { "));
                let names = names.filter_map(|line| line.split(' ').next());
                lists.extend(names.map(|name| (path.display().to_string(), name.to_owned())));
            }
        }
    }

    #[test]
    fn the_cases_of_every_file_are_run_by_a_contract() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let contracts = fs::read_to_string(source.join("lib.rs")).expect("a source");
        let mut lists = Vec::new();
        lists_below(&source.join("contract"), &mut lists);
        assert!(lists.len() > 15, "the files were not found");
        for (file, list) in lists {
            assert!(
                contracts.contains(&format!("$crate::{list}! {{")),
                "{file}: {list} is in no contract"
            );
        }
    }
}
