//! What becomes of a store on PostgreSQL when the network, the server or other clients fail. Without a server on this machine
//! each test is a visible skip, and a failure in CI.
#![allow(clippy::unwrap_used, reason = "tests")]

mod announcements;
mod bounds;
mod failover;
mod load;
mod namespaces;
mod opening;
mod readonly;
mod reads;
mod resets;
mod restarts;
mod site;
mod storms;
mod tables;
mod writers;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use strongroom_conformance::harness;
use strongroom_conformance_servers::Postgres;

/// Tests by their names, which are their promises.
macro_rules! tests {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        const TESTS: &[(&str, fn())] = &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),+),+];
    };
}

tests! {
    resets:
        an_idle_connection_that_is_gone_costs_no_commit,
        a_server_that_was_restarted_while_idle_costs_no_commit,
        a_commit_that_was_lost_on_its_way_is_unknown_and_is_there_whole_or_not_at_all,
        what_was_lost_before_the_commit_was_sent_is_made_again,
        a_group_of_several_calls_is_there_whole_or_not_at_all,
        the_database_passes_on_what_is_unknown_and_writes_once,
        of_commits_after_the_loss_of_all_connections_one_is_unknown_at_most;
    reads:
        reads_are_made_again,
        reads_outlive_the_loss_of_all_connections,
        a_snapshot_whose_connection_was_lost_has_expired_and_shows_nothing_else,
        who_waits_for_a_change_survives_a_cut_and_a_restart,
        who_asks_while_nobody_answers_waits_for_the_server,
        opening_can_be_cut_anywhere_and_done_again;
    storms:
        commits_that_others_break_off_are_made_again,
        a_commit_that_is_always_broken_off_is_busy_after_its_attempts,
        a_commit_that_fails_at_its_very_end_is_not_acknowledged,
        a_real_deadlock_is_survived,
        who_keeps_the_namespace_locked_makes_commits_busy,
        a_statement_may_take_so_long_and_no_longer,
        what_the_database_and_the_role_are_set_to_does_not_matter;
    restarts:
        nothing_acknowledged_is_lost_when_the_server_is_stopped,
        nothing_acknowledged_is_lost_when_the_server_is_stopped_at_once,
        nothing_acknowledged_is_lost_when_the_server_is_killed,
        nothing_acknowledged_is_lost_when_sessions_are_ended;
    failover:
        nothing_acknowledged_is_lost_when_a_synchronous_standby_takes_over,
        an_asynchronous_standby_loses_what_was_acknowledged_and_it_is_noticed;
    readonly:
        a_standby_is_read_and_takes_no_writes,
        a_read_only_session_reads_and_takes_no_writes;
    writers:
        every_increment_of_four_processes_is_there,
        namespaces_of_four_processes_do_not_wait_for_each_other,
        two_processes_are_given_each_key_once,
        another_process_is_seen_at_once_by_cache_watch_and_change_feed;
    opening:
        what_cannot_be_reached_is_named,
        a_password_is_asked_for_and_never_shown,
        without_encryption_what_requires_it_is_refused,
        a_certificate_is_checked_against_its_root;
    tables:
        tables_of_another_program_are_not_touched,
        a_newer_format_is_refused,
        a_function_that_was_dropped_is_made_again,
        tables_that_are_not_ours_are_corrupt,
        sixteen_processes_that_open_a_new_schema_all_open_it,
        a_role_without_the_right_to_create_opens_what_is_there,
        usage_is_that_of_all_tables;
    announcements:
        commits_are_announced_from_when_somebody_waits_on,
        who_waits_is_announced_to_again_after_restarts;
    namespaces:
        namespaces_are_listed_found_and_removed,
        who_has_a_removed_namespace_open_is_told_that_it_is_closed,
        names_with_quotes_and_of_a_thousand_bytes_are_kept_apart;
    bounds:
        a_value_of_sixteen_mebibytes_is_kept,
        snapshots_beyond_the_limit_are_refused,
        one_connection_serves_many_tasks,
        what_is_dropped_at_any_await_leaves_the_store_usable,
        a_runtime_that_ends_closes_what_was_opened_in_it;
}

fn main() -> ExitCode {
    if let Some(code) = site::child::serve() {
        return code;
    }
    let trial = |(name, test): &(&str, fn())| {
        let test = *test;
        Trial::ignorable_test(*name, move || run(test))
    };
    libtest_mimic::run(&Arguments::from_args(), TESTS.iter().map(trial).collect()).exit_code()
}

fn run(test: fn()) -> Result<Completion, Failed> {
    match Postgres::available() {
        Ok(()) => {
            test();
            Ok(Completion::Completed)
        }
        Err(reason) if harness::skips_fail() => Err(Failed::from(reason)),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    }
}
