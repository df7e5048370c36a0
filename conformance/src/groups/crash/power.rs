//! The power goes: of what the medium had not synced when the process ended, a selection is lost or torn.

use super::blow::Blow;
use super::builds::struck_at_a_build;
use super::history::Style;
use super::moments::{struck_in_creation, struck_in_recovery, struck_within};
use super::records::struck_at_records;
use super::writer::struck_at_work;
use crate::case::cases;
use crate::{Checked, Context};

cases! { Crash;
    nothing_acknowledged_is_lost_with_the_power [Reopen, Processes, Crash] random true,
    large_values_are_whole_after_a_power_cut [Reopen, Processes, Crash] random true,
    deletes_and_dropped_ranges_last_through_a_power_cut [Reopen, Processes, Crash] random true,
    records_and_their_entries_agree_after_a_power_cut [Reopen, Processes, Crash] random true,
    a_power_cut_in_a_creation_leaves_a_place_that_opens [Reopen, Processes, Crash] random true,
    a_power_cut_in_a_recovery_is_recovered_from [Reopen, Processes, Crash] random true,
    a_power_cut_in_a_compaction_loses_nothing [Reopen, Processes, Compact, Crash] random true,
    a_power_cut_in_an_index_build_is_resumed [Reopen, Processes, Crash] random true,
    a_power_cut_in_a_close_loses_nothing [Reopen, Processes, Crash] random true,
}

async fn nothing_acknowledged_is_lost_with_the_power(context: Context) -> Checked {
    struck_at_work(&context, Blow::Cut, "rows", Style::Rows).await
}

async fn large_values_are_whole_after_a_power_cut(context: Context) -> Checked {
    struck_at_work(&context, Blow::Cut, "large", Style::Large).await
}

async fn deletes_and_dropped_ranges_last_through_a_power_cut(context: Context) -> Checked {
    struck_at_work(&context, Blow::Cut, "deletes", Style::Deletes).await
}

async fn records_and_their_entries_agree_after_a_power_cut(context: Context) -> Checked {
    struck_at_records(&context, Blow::Cut).await
}

async fn a_power_cut_in_a_creation_leaves_a_place_that_opens(context: Context) -> Checked {
    struck_in_creation(&context, Blow::Cut).await
}

async fn a_power_cut_in_a_recovery_is_recovered_from(context: Context) -> Checked {
    struck_in_recovery(&context, Blow::Cut).await
}

async fn a_power_cut_in_a_compaction_loses_nothing(context: Context) -> Checked {
    struck_within(&context, Blow::Cut, "compact", Style::Large).await
}

async fn a_power_cut_in_an_index_build_is_resumed(context: Context) -> Checked {
    struck_at_a_build(&context, Blow::Cut).await
}

async fn a_power_cut_in_a_close_loses_nothing(context: Context) -> Checked {
    struck_within(&context, Blow::Cut, "close", Style::Rows).await
}
