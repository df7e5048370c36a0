//! The verdict on a record.

use std::time::Duration;

use adya::{Opts, Valid, Workload, check};

use super::tasks::{Kind, Recorded};
use crate::{Checked, Failure, ensure};

/// Anomalies that are shown; one is enough to fail.
const SHOWN_MAX: usize = 3;

/// Fails unless the record is strictly serializable, and shows transactions that did get in each other's way.
pub(super) fn judge(recorded: &Recorded, kind: Kind) -> Checked {
    let (workload, transaction_order) = match kind {
        Kind::Lists => (Workload::ListAppend, None),
        // A register does not show what it held before: the order of its values is that of the revisions.
        Kind::Registers => (Workload::RwRegister, Some(recorded.order.clone())),
    };
    let models = vec!["strict-serializable".to_owned()];
    let options = Opts { models, timeout: Duration::from_secs(60), transaction_order, ..Opts::default() };
    let report = check(&recorded.history, workload, &options);
    if report.valid != Valid::True {
        let explained = report.anomalies.values().flatten().take(SHOWN_MAX).map(|anomaly| anomaly.explanation.as_str());
        let explained: Vec<&str> = explained.collect();
        let (types, explained) = (report.anomaly_types.join(", "), explained.join("\n"));
        return Err(Failure::new(format!("the verdict is {:?}, for {types}:\n{explained}", report.valid)));
    }
    let transactions = recorded.history.ops.len() / 2;
    let (overlapping, conflicts) = (recorded.overlapping, recorded.conflicts);
    // What nobody contended for proves nothing.
    ensure!(
        overlapping * 4 > transactions && conflicts > 0,
        "of {transactions} transactions only {overlapping} overlapped, with {conflicts} conflicts"
    );
    Ok(())
}
