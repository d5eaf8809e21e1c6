//! The contract of [`TaskRepository`], one function per promise.
//!
//! An adapter passes it with one line in its `tests/contract.rs`:
//!
//! ```text
//! domain::task_repository_contract!(#[ignore = "needs PostgreSQL"] fresh);
//! ```
//!
//! where `async fn fresh() -> (Guard, impl TaskRepository)` makes an empty repository and the guard keeps whatever
//! must outlive the test. Each case becomes a test of its own name.

mod changing;
mod deleting;
mod idempotency;
mod isolation;
mod listing;
mod steps;
mod storing;

pub use changing::{
    a_change_to_equal_values_keeps_version_and_time, a_description_can_be_set_cleared_and_kept,
    a_kept_field_survives_a_concurrent_change_of_another_field,
    a_stale_expectation_is_refused_and_reveals_the_current_version,
    an_unknown_task_is_not_found_whatever_is_expected, an_update_stores_what_the_domain_says,
    an_update_under_a_clock_that_runs_backwards_still_moves_the_time,
    any_of_several_expected_versions_will_do, of_many_writers_expecting_one_version_exactly_one_wins,
    unconditional_writers_all_succeed_and_count_up,
};
pub use deleting::{
    a_deleted_task_is_gone_and_its_id_stays_unknown, deleting_by_status_takes_exactly_those_tasks,
    of_many_deleters_exactly_one_deletes,
};
pub use idempotency::{
    a_key_belongs_to_its_owner, a_key_is_free_again_when_its_task_is_deleted,
    a_key_with_another_fingerprint_is_refused, a_repeated_key_answers_the_stored_task_as_it_is_now,
    of_many_creators_with_one_key_exactly_one_stores,
};
pub use isolation::{
    another_owner_sees_and_changes_nothing, each_owner_sees_exactly_what_their_own_history_left,
    owners_are_told_apart_byte_for_byte, two_owners_may_hold_the_same_id,
};
pub use listing::{
    a_cursor_outlives_its_task, a_filter_and_a_page_together_lose_nothing, a_list_is_newest_first,
    a_search_folds_letter_case_as_the_domain_does, a_search_looks_into_descriptions,
    a_summary_counts_by_status, an_owner_without_tasks_has_an_empty_last_page,
    every_order_is_total_and_the_same_as_in_the_domain,
    pages_join_up_without_gap_or_repeat_while_tasks_come_and_go,
    updated_since_is_inclusive_to_the_microsecond,
};
pub use storing::{
    a_stored_task_reads_back_unchanged, a_task_at_every_limit_reads_back_unchanged, an_id_is_stored_once,
};

/// Expands to one named test per case of the contract, each over its own fresh repository.
#[macro_export]
macro_rules! task_repository_contract {
    ($(#[$attribute:meta])* $fresh:path) => {
        $crate::task_repository_contract! { @each [$(#[$attribute])*] $fresh;
            a_stored_task_reads_back_unchanged
            a_task_at_every_limit_reads_back_unchanged
            an_id_is_stored_once
            two_owners_may_hold_the_same_id
            another_owner_sees_and_changes_nothing
            owners_are_told_apart_byte_for_byte
            each_owner_sees_exactly_what_their_own_history_left
            an_update_stores_what_the_domain_says
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
            a_cursor_outlives_its_task
            every_order_is_total_and_the_same_as_in_the_domain
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

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_of_the_contract_is_in_the_list_of_the_macro() {
        let list = include_str!("mod.rs").split_once("(@each").expect("the macro").0;
        let sources = [
            include_str!("storing.rs"),
            include_str!("isolation.rs"),
            include_str!("changing.rs"),
            include_str!("deleting.rs"),
            include_str!("listing.rs"),
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
                list.lines().any(|line| line.trim() == case),
                "{case} is not in the macro's list"
            );
        }
        assert!(count > 20, "the cases were not found");
    }
}
