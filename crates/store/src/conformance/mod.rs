//! What every backend must do, as tests over the traits alone. A backend names a maker of empty stores
//! to [`conformance_tests`] and gets all of them.

pub(crate) mod authorities;
pub(crate) mod budgets;
pub(crate) mod fixtures;
pub(crate) mod holds;
pub(crate) mod revocation;
pub(crate) mod signing;

/// One test for each rule. `$make` gives something to keep alive, and an `Arc` of an empty store.
macro_rules! conformance_tests {
    ($make:path: $($module:ident { $($rule:ident)* })*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (_kept, store) = $make();
            $crate::conformance::$module::$rule(store).await;
        }
    )*)*};
    ($make:path) => {
        $crate::conformance::conformance_tests! { $make:
            holds {
                a_hold_comes_back_as_it_was_put_in
                one_open_hold_for_each_operation
                only_so_many_wait
                steps_are_compare_and_set
                an_approval_is_consumed_once
                waiting_and_approved_holds_run_out
                lists_are_newest_first
            }
            signing {
                one_signature_approves
                two_people_for_the_same_choice
                a_solo_person_signs_later_again
                a_delay_schedules
                expired_holds_are_not_signed
                concurrent_signatures_all_count
            }
            authorities {
                proposals_wait_and_are_settled_once
                every_change_comes_into_force
                refusals_change_nothing
                grants_need_what_they_are_below
                a_failed_change_leaves_the_proposal_open
                only_the_freeze_named_is_thawed
                only_the_first_person_enrols_alone
                sign_counts_only_grow
                uses_are_noted_while_alive
            }
            revocation {
                connections_end_with_all_below
                grants_end_with_all_below
                what_was_revoked_opens_and_sends_nothing
                a_freeze_sends_nothing
                everything_open_is_withdrawn
                children_need_a_parent_in_force
            }
            budgets {
                stretches_of_the_ledger_are_counted_once
                one_of_those_who_race_books
                sealed_secrets_are_replaced
            }
        }
    };
}
pub(crate) use conformance_tests;
