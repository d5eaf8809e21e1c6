//! The contract of the API over HTTP, one function per promise.
//!
//! A test binary passes it with one line in a module for each storage:
//!
//! ```text
//! mod memory {
//!     test_api::http_contract!(crate::over_memory);
//! }
//! mod postgres {
//!     test_api::http_contract!(#[ignore = "needs PostgreSQL"] crate::over_postgres);
//!     test_api::signed_tokens_contract!(#[ignore = "needs PostgreSQL"] crate::over_postgres);
//! }
//! ```
//!
//! where `async fn over_memory() -> Api` gives an API over an empty storage. Each case becomes a test of its own name,
//! in the modules of the files here. A function that is in no list of cases is dead code, and the compiler says so.

/// Lists the cases of a file: private functions over `&Api`. It makes them public in a module `cases`, and makes a
/// macro of the first name, which expands to a test of each.
macro_rules! cases {
    ($list:ident in $($module:ident)::+: $($case:ident)+) => {
        cases! { @with ($) $list, [$($module)::+], [$($case)+] }
    };
    (@with ($d:tt) $list:ident, [$($module:tt)+], [$($case:ident)+]) => {
        #[doc = "The cases of this file, each over an API whose storage is empty."]
        pub mod cases {
            $(
                #[doc = concat!("`", stringify!($case), "`")]
                pub async fn $case(api: &$crate::Api) {
                    super::$case(api).await;
                }
            )+
        }

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            ($d($d start:tt)+) => {
                $crate::tests! { [$d($d start)+] [$crate::$($module)+::cases] $($case)+ }
            };
        }
    };
}

pub mod isolation;
pub mod problems;
pub mod seed;
pub mod startup;
pub mod tasks;

/// Makes a test of each case: what starts an API, with attributes; the path of the cases; their names.
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ([$(#[$attribute:meta])* $start:path] $cases:tt $($case:ident)+) => {
        $crate::tests! { @each [$(#[$attribute])*] $start; $cases; $($case)+ }
    };
    (@each $attributes:tt $start:path; $cases:tt; $($case:ident)+) => {
        $($crate::tests! { @one $attributes $start; $cases; $case })+
    };
    (@one [$($attribute:tt)*] $start:path; [$($cases:tt)+]; $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attribute)*
        async fn $case() {
            $($cases)+::$case(&$start().await).await;
        }
    };
}
