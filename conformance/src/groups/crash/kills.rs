//! A process is killed.

use super::blow::Blow;
use super::builds::struck_at_a_build;
use super::history::Style;
use super::moments::{struck_in_creation, struck_in_recovery, struck_within};
use super::onlooker::writer_killed_beside_an_onlooker;
use super::records::struck_at_records;
use super::writer::struck_at_work;
use crate::case::cases;
use crate::{Checked, Context};

cases! { Crash;
    nothing_acknowledged_is_lost_by_a_kill [Reopen, Processes] random true,
    large_values_are_whole_after_a_kill [Reopen, Processes] random true,
    deletes_and_dropped_ranges_last_through_a_kill [Reopen, Processes] random true,
    a_kill_beside_open_snapshots_harms_nothing [Reopen, Processes] random true,
    a_kill_of_sixteen_writers_leaves_records_and_entries_that_agree [Reopen, Processes] random true,
    a_process_that_looks_on_is_not_harmed_by_a_kill [Reopen, Processes] random true,
    a_kill_in_a_creation_leaves_a_place_that_opens [Reopen, Processes] random true,
    a_kill_in_a_recovery_is_recovered_from [Reopen, Processes] random true,
    a_kill_in_a_compaction_loses_nothing [Reopen, Processes, Compact] random true,
    a_kill_in_an_index_build_is_resumed [Reopen, Processes] random true,
    a_kill_in_a_close_loses_nothing [Reopen, Processes] random true,
}

async fn nothing_acknowledged_is_lost_by_a_kill(context: Context) -> Checked {
    struck_at_work(&context, Blow::Kill, "rows", Style::Rows).await
}

async fn large_values_are_whole_after_a_kill(context: Context) -> Checked {
    struck_at_work(&context, Blow::Kill, "large", Style::Large).await
}

async fn deletes_and_dropped_ranges_last_through_a_kill(context: Context) -> Checked {
    struck_at_work(&context, Blow::Kill, "deletes", Style::Deletes).await
}

async fn a_kill_beside_open_snapshots_harms_nothing(context: Context) -> Checked {
    struck_at_work(&context, Blow::Kill, "snapshots", Style::Rows).await
}

async fn a_kill_of_sixteen_writers_leaves_records_and_entries_that_agree(context: Context) -> Checked {
    struck_at_records(&context, Blow::Kill).await
}

async fn a_process_that_looks_on_is_not_harmed_by_a_kill(context: Context) -> Checked {
    writer_killed_beside_an_onlooker(&context).await
}

async fn a_kill_in_a_creation_leaves_a_place_that_opens(context: Context) -> Checked {
    struck_in_creation(&context, Blow::Kill).await
}

async fn a_kill_in_a_recovery_is_recovered_from(context: Context) -> Checked {
    struck_in_recovery(&context, Blow::Kill).await
}

async fn a_kill_in_a_compaction_loses_nothing(context: Context) -> Checked {
    struck_within(&context, Blow::Kill, "compact", Style::Large).await
}

async fn a_kill_in_an_index_build_is_resumed(context: Context) -> Checked {
    struck_at_a_build(&context, Blow::Kill).await
}

async fn a_kill_in_a_close_loses_nothing(context: Context) -> Checked {
    struck_within(&context, Blow::Kill, "close", Style::Rows).await
}
