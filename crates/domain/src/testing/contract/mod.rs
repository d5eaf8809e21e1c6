//! The contracts of [`TaskRepository`] and [`TaskArchive`], one function per promise.
//!
//! An adapter passes them with two lines in its `tests/contract.rs`:
//!
//! ```text
//! domain::task_repository_contract!(#[ignore = "needs PostgreSQL"] fresh);
//! domain::task_archive_contract!(#[ignore = "needs PostgreSQL"] fresh_archive);
//! ```
//!
//! where `async fn fresh() -> (Guard, impl TaskRepository)` makes an empty repository and the guard keeps whatever
//! must outlive the test; `fresh_archive` makes `(Guard, impl TaskRepository, impl TaskArchive)` over one storage. Each
//! case becomes a test of its own name.
//!
//! [`TaskRepository`]: crate::task::TaskRepository
//! [`TaskArchive`]: crate::task::TaskArchive

mod archiving;
mod changing;
mod deleting;
mod idempotency;
mod isolation;
mod listing;
mod searching;
mod steps;
mod storing;

pub use archiving::*;
pub use changing::*;
pub use deleting::*;
pub use idempotency::*;
pub use isolation::*;
pub use listing::*;
pub use searching::*;
pub use storing::*;

/// Expands to one named test per case of the contract of [`TaskRepository`](crate::task::TaskRepository), each over its
/// own fresh repository.
///
/// The caller's dev-dependencies need `domain` with the feature `testing`, and `tokio` with `macros` and
/// `rt-multi-thread`: each case is a `#[tokio::test]` on several threads, so that races are races. Attributes before
/// the name of `fresh` go to every test: `#[ignore = "..."]` for a storage that is not on every machine, whose tests
/// then run with `--include-ignored`.
#[macro_export]
macro_rules! task_repository_contract {
    ($(#[$attribute:meta])* $fresh:path) => {
        $crate::task_repository_contract! { @each [$(#[$attribute])*] $fresh;
            a_stored_task_reads_back_unchanged
            a_title_of_an_older_version_reads_back_unchanged
            a_task_at_every_limit_reads_back_unchanged
            an_id_is_stored_once
            two_owners_may_hold_the_same_id
            another_owner_sees_and_changes_nothing
            owners_are_told_apart_byte_for_byte
            each_owner_sees_exactly_what_their_own_history_left
            an_update_stores_what_the_domain_says
            each_field_can_be_changed_alone
            a_change_to_equal_values_keeps_version_and_time
            an_update_under_a_clock_that_runs_backwards_still_moves_the_time
            a_description_can_be_set_cleared_and_kept
            a_kept_field_survives_a_concurrent_change_of_another_field
            a_stale_expectation_is_refused_and_reveals_the_current_version
            any_of_several_expected_versions_will_do
            an_unknown_task_is_not_found_whatever_is_expected
            of_many_writers_expecting_one_version_exactly_one_wins
            unconditional_writers_all_succeed_and_count_up
            a_deleted_task_is_gone_and_its_id_stays_unknown
            of_many_deleters_exactly_one_deletes
            deleting_by_status_takes_exactly_those_tasks
            an_owner_without_tasks_has_an_empty_last_page
            a_list_is_newest_first
            pages_join_up_without_gap_or_repeat_while_tasks_come_and_go
            a_page_of_long_tasks_ends_early_and_the_next_goes_on
            a_cursor_outlives_its_task
            every_order_is_total_and_the_same_as_in_the_domain
            titles_are_sorted_by_their_first_sixty_four_characters
            a_filter_and_a_page_together_lose_nothing
            updated_since_is_inclusive_to_the_microsecond
            a_search_folds_letter_case_as_the_domain_does
            a_search_looks_into_descriptions
            a_summary_counts_by_status
            a_repeated_key_answers_the_stored_task_as_it_is_now
            a_key_with_another_fingerprint_is_refused
            a_key_belongs_to_its_owner
            a_key_is_free_again_when_its_task_is_deleted
            of_many_creators_with_one_key_exactly_one_stores
        }
    };
    (@each $attributes:tt $fresh:path; $($case:ident)+) => {
        $($crate::task_repository_contract! { @one $attributes $fresh; $case })+
    };
    (@one [$($attribute:tt)*] $fresh:path; $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attribute)*
        async fn $case() {
            let (_guard, repository) = $fresh().await;
            $crate::testing::contract::$case(&repository).await;
        }
    };
}

/// Expands to one named test per case of the contract of [`TaskArchive`](crate::task::TaskArchive), each over its own
/// fresh storage.
///
/// Dev-dependencies and attributes as for [`task_repository_contract`](crate::task_repository_contract).
#[macro_export]
macro_rules! task_archive_contract {
    ($(#[$attribute:meta])* $fresh:path) => {
        $crate::task_archive_contract! { @each [$(#[$attribute])*] $fresh;
            owners_come_one_by_one_in_the_order_of_bytes
            a_counted_owner_has_so_many_tasks
            an_export_joins_up_in_the_order_of_ids
            an_archived_task_has_its_key_and_is_otherwise_as_it_was_stored
            an_archived_task_is_stored_as_it_was_and_its_key_still_counts
            an_archived_task_that_arrives_twice_is_stored_once
            what_is_stored_already_is_left_as_it_is
            a_key_in_use_keeps_its_task_when_another_one_arrives
            a_removal_takes_the_oldest_up_to_so_many_and_nothing_of_anybody_else
        }
    };
    (@each $attributes:tt $fresh:path; $($case:ident)+) => {
        $($crate::task_archive_contract! { @one $attributes $fresh; $case })+
    };
    (@one [$($attribute:tt)*] $fresh:path; $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        $($attribute)*
        async fn $case() {
            let (_guard, repository, archive) = $fresh().await;
            $crate::testing::contract::$case(&repository, &archive).await;
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_of_the_contracts_is_in_the_list_of_its_macro() {
        let lists = include_str!("mod.rs")
            .split_once("mod tests")
            .expect("the macros")
            .0;
        let sources = [
            include_str!("archiving.rs"),
            include_str!("storing.rs"),
            include_str!("isolation.rs"),
            include_str!("changing.rs"),
            include_str!("deleting.rs"),
            include_str!("listing.rs"),
            include_str!("searching.rs"),
            include_str!("idempotency.rs"),
        ];
        let cases = sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(|line| line.strip_prefix("pub async fn "))
            .filter_map(|line| line.split('(').next());
        let mut count = 0;
        for case in cases {
            count += 1;
            assert!(
                lists.lines().any(|line| line.trim() == case),
                "{case} is not in the macro's list"
            );
        }
        assert!(count > 20, "the cases were not found");
    }
}
