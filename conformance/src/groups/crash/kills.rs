//! A process is killed while it commits.

use super::blow::Blow;
use super::history::Style;
use super::writer::struck_at_work;
use crate::case::cases;
use crate::{Checked, Context};

cases! { Crash;
    nothing_acknowledged_is_lost_by_a_kill [Reopen, Processes] random true,
    large_values_are_whole_after_a_kill [Reopen, Processes] random true,
    deletes_and_dropped_ranges_last_through_a_kill [Reopen, Processes] random true,
    a_kill_beside_open_snapshots_harms_nothing [Reopen, Processes] random true,
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
