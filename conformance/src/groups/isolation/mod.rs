//! What transactions that run at the same time may see of each other.
//!
//! The anomalies that are known by name stand in `reads`, `writes` and `phantoms`, each with a schedule that is fixed:
//! closures that wait at a [`Pause`](support::Pause), never for a while. `snapshots` and `waist` do the same without
//! transactions, `commits` and `races` with many at once, `processes` with two processes. `recorded` lets tasks run free, and has what they saw judged by a
//! checker that knows nothing of this project. A new case goes where its anomaly is.

mod commits;
mod phantoms;
mod processes;
mod races;
mod reads;
mod recorded;
mod snapshots;
mod support;
mod waist;
mod writes;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "increment", run: |work| Box::pin(processes::increment(work)) }];

pub(super) fn cases() -> Vec<Case> {
    [
        reads::CASES,
        writes::CASES,
        phantoms::CASES,
        snapshots::CASES,
        waist::CASES,
        commits::CASES,
        races::CASES,
        processes::CASES,
        recorded::CASES,
    ]
    .concat()
}
