//! The change feed: what is listed, in which order, and that who follows it misses nothing.

mod begin;
mod feed;
mod listed;
mod processes;
mod support;
mod sync;
mod trim;
mod watch;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[
    Role { name: "write tracks", run: |work| Box::pin(processes::write(work)) },
    Role { name: "write tracks on", run: |work| Box::pin(processes::write_on(work)) },
];

pub(super) fn cases() -> Vec<Case> {
    [listed::CASES, feed::CASES, watch::CASES, trim::CASES, begin::CASES, processes::CASES, sync::CASES].concat()
}
